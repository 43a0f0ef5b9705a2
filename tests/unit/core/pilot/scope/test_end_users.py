"""Which rules of tokens are for which workload, and whom a change concerns."""

import json

from immutables import Map

from proa.core.auth.key_sets import NO_KEYS
from proa.core.model.names import WorkloadId, parse_workload_id
from proa.core.model.snapshot import Change
from proa.core.model.token_keys import KeySource
from proa.core.pilot.scope.authorization import selects
from proa.core.pilot.scope.end_users import EndUserView, end_user_view, wanted_keys
from proa.core.pilot.scope.index import Affected
from proa.testing.builders import Mesh, registration, simple
from tests.token_issuer import SigningKey

KEYS = json.dumps({"keys": [SigningKey("one").published]})
SOURCE = KeySource("https://a/keys")


def people(name: str, rules: str, *, namespace: str = "default", select: str = "") -> str:
    return f"""
apiVersion: security.istio.io/v1
kind: RequestAuthentication
metadata: {{name: {name}, namespace: {namespace}}}
spec: {{{select and select + ", "}jwtRules: [{rules}]}}
"""


def issuer(name: str, more: str = "") -> str:
    return f"{{issuer: {name}, jwksUri: 'https://a/keys'{more}}}"


def view(mesh: Mesh, workload: str) -> EndUserView:
    known = mesh.world.snapshot.workloads[parse_workload_id(workload)]
    return end_user_view(mesh.world.snapshot, mesh.world.index, known)


def issuers(mesh: Mesh, workload: str, *, demanded: bool = False) -> list[str]:
    return [rule.issuer for rule in view(mesh, workload).rules if rule.demanded or not demanded]


def told(mesh: Mesh, affected: Affected) -> set[str]:
    root = mesh.world.snapshot.settings.root_namespace
    return {
        str(each.id)
        for each in mesh.world.snapshot.workloads.values()
        if selects(affected.policies, each, root)
    }


def test_objects_of_the_mesh_the_namespace_and_by_label_add_up() -> None:
    mesh = Mesh(simple("reviews"))
    mesh.apply(people("own", issuer("c"), select="selector: {matchLabels: {app: reviews}}"))
    mesh.apply(people("all", issuer("b")))
    mesh.apply(people("root", issuer("a"), namespace="istio-system"))
    mesh.apply(people("others", issuer("d"), namespace="shop"))
    assert issuers(mesh, "reviews-v1") == ["a", "b", "c"]
    assert issuers(mesh, "client") == ["a", "b"]
    assert issuers(mesh, "shop/client") == ["a", "d"]
    mesh.delete("RequestAuthentication", "all")
    assert issuers(mesh, "reviews-v1") == ["a", "c"]


def test_a_target_is_a_gateway_of_the_own_namespace() -> None:
    label = {"gateway.networking.k8s.io/gateway-name": "edge"}
    mesh = Mesh(
        registration("edge", kind="gateway", labels=label),
        registration("shop/edge", kind="gateway", labels=label),
        registration("posing", labels=label),
    )
    target = "targetRef: {group: gateway.networking.k8s.io, kind: Gateway, name: edge}"
    mesh.apply(people("edge", issuer("a"), select=target))
    assert issuers(mesh, "edge") == ["a"]
    assert issuers(mesh, "shop/edge") == issuers(mesh, "posing") == []


def test_of_those_that_demand_a_token_the_narrowest_decide() -> None:
    mesh = Mesh(simple("reviews"))
    must = ", presence: REQUIRED"
    mesh.apply(people("root", issuer("a", must), namespace="istio-system"))
    assert issuers(mesh, "reviews-v1", demanded=True) == ["a"]
    mesh.apply(people("all", issuer("b", must)))
    mesh.apply(people("own", issuer("c", must), select="selector: {matchLabels: {app: reviews}}"))
    mesh.apply(people("asks", issuer("d"), select="selector: {matchLabels: {app: reviews}}"))
    assert issuers(mesh, "reviews-v1", demanded=True) == ["c"]
    assert issuers(mesh, "client", demanded=True) == ["b"]
    assert issuers(mesh, "shop/client", demanded=True) == ["a"]


def test_only_those_whom_an_object_or_its_keys_are_for_hear_of_them() -> None:
    mesh = Mesh(simple("reviews"), simple("ratings"))
    select = "selector: {matchLabels: {app: reviews}}"
    assert told(mesh, mesh.apply(people("own", issuer("a"), select=select))) == {"default/reviews-v1"}
    moved = select.replace("reviews", "ratings")
    both = {"default/reviews-v1", "default/ratings-v1"}
    assert told(mesh, mesh.apply(people("own", issuer("a"), select=moved))) == both
    keys = Map({SOURCE: KEYS})
    assert view(mesh, "ratings-v1").rules[0].keys == NO_KEYS
    assert [note.code for note in view(mesh, "ratings-v1").notes] == ["token-keys-awaited"]
    assert told(mesh, mesh.world.fold_in([Change(key_sets=keys)])) == {"default/ratings-v1"}
    assert view(mesh, "ratings-v1").rules[0].keys == KEYS
    assert not view(mesh, "ratings-v1").notes
    assert mesh.world.fold_in([Change(key_sets=keys)]) == Affected(), "nothing new"
    others = keys.set(KeySource("https://b/keys"), KEYS)
    assert not told(mesh, mesh.world.fold_in([Change(key_sets=others)])), "keys that nobody needs"


def test_a_proxy_is_told_the_filters_when_its_keys_come() -> None:
    mesh = Mesh(simple("reviews"))
    mesh.apply(people("own", issuer("a")))
    source = mesh.source(WorkloadId("default", "reviews-v1"))
    heard: list[str] = []
    mesh.world.subscribe(
        lambda generation, affected, scopes, workloads: heard.extend(
            name for workload in workloads.values() for _, name in workload
        )
    )
    mesh.world.fold_in([Change(key_sets=Map({SOURCE: KEYS}))])
    assert heard == ["proa.tokens.9080"]
    assert source is not None


def test_what_must_be_fetched_and_how_long_that_may_take() -> None:
    mesh = Mesh()
    mesh.apply(people("one", issuer("a", ", timeout: 1s") + ", {issuer: 'https://c'}"))
    mesh.apply(people("two", issuer("b", ", timeout: 9s")))
    mesh.apply(people("three", f"{{issuer: d, jwks: '{KEYS}'}}"))
    snapshot, index = mesh.world.snapshot, mesh.world.index
    assert wanted_keys(snapshot, index) == {SOURCE: 9.0, KeySource("", "https://c"): 5.0}
    mesh.delete("RequestAuthentication", "two")
    assert wanted_keys(mesh.world.snapshot, mesh.world.index)[SOURCE] == 1.0
