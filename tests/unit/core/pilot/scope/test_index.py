"""From a change to what it concerns, and to nothing else."""

import pytest

from proa.core.config.kinds.virtual_service.schema import VirtualService
from proa.core.model.settings import MeshSettings
from proa.core.model.snapshot import Change, MeshSnapshot, Touched
from proa.core.pilot.scope.index import (
    Affected,
    RuleIndex,
    bound_to_gateways,
    bound_to_mesh,
    destinations_of,
    matching_hosts,
    reindex,
)
from proa.testing.builders import Mesh, configs, registration, simple

A, B = "a.default.svc.cluster.local", "b.default.svc.cluster.local"


def rules(host: str, destination: str = "b", *, name: str = "r", extra: str = "") -> str:
    return f"""
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {{name: {name}}}
spec: {{hosts: ['{host}'], http: [{{route: [{{destination: {{host: {destination}}}}}]}}] {extra}}}
"""


def policy(host: str) -> str:
    return f"""
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: {{name: d}}
spec: {{host: '{host}'}}
"""


def mesh() -> Mesh:
    return Mesh(simple("a"), simple("b", address="10.0.0.2"))


def test_a_rule_concerns_its_hosts() -> None:
    assert mesh().apply(rules("a")) == Affected(hosts=frozenset({A}), targets=frozenset({B}))


def test_a_policy_concerns_its_host_and_who_sends_there() -> None:
    there = mesh()
    there.apply(rules("a"))
    assert there.apply(policy("b")).hosts == {A, B}
    assert there.delete("VirtualService", "r").hosts == {A}
    assert there.delete("DestinationRule", "d").hosts == {B}


def test_two_rules_that_send_to_one_place_are_told_apart() -> None:
    there = mesh()
    there.apply(rules("a", name="one") + rules("a", name="two"))
    there.delete("VirtualService", "one")
    assert there.apply(policy("b")).hosts == {A, B}


def test_a_delegate_concerns_the_hosts_of_its_roots() -> None:
    there = mesh()
    root = "{hosts: [a], http: [{delegate: {name: inner}}]}"
    there.apply(
        f"{{apiVersion: networking.istio.io/v1, kind: VirtualService, metadata: {{name: r}}, spec: {root}}}"
    )
    inner = "{http: [{route: [{destination: {host: b}}]}]}"
    text = f"{{apiVersion: networking.istio.io/v1, kind: VirtualService, metadata: {{name: inner}}, spec: {inner}}}"
    assert there.apply(text) == Affected(hosts=frozenset({A}), targets=frozenset({B}))
    assert there.apply(policy("b")).hosts == {A, B}, "its destinations are theirs"
    assert there.delete("VirtualService", "inner").hosts == {A}
    assert there.delete("DestinationRule", "d").hosts == {B}


def test_who_sees_delegates_by_default_concerns_all_roots() -> None:
    there = mesh()
    kind = "apiVersion: networking.istio.io/v1, kind: VirtualService"
    root = "{hosts: [a], http: [{delegate: {name: inner, namespace: shop}}]}"
    there.apply(f"{{{kind}, metadata: {{name: r}}, spec: {root}}}")
    inner = "{http: [{directResponse: {status: 201}}]}"
    there.apply(f"{{{kind}, metadata: {{name: inner, namespace: shop}}, spec: {inner}}}")
    assert there.get("client", "http://a:9080/").status == 201
    hidden = MeshSettings(rule_export_to=(".",))
    assert A in there.world.fold_in([Change(settings=hidden)]).hosts
    assert there.get("client", "http://a:9080/").status != 201


def test_a_wildcard_concerns_all_it_covers() -> None:
    there = mesh()
    assert {A, B} <= there.apply(rules("*.default.svc.cluster.local", "x.example.com")).hosts
    assert {A, B} <= there.place(simple("x")).hosts | there.apply(policy("x.example.com")).hosts


def test_who_sends_somewhere_under_a_wildcard_is_concerned() -> None:
    there = mesh()
    there.apply(rules("*.default.svc.cluster.local", "b"))
    assert A in there.apply(policy("b")).hosts


def test_an_endpoint_concerns_no_view_unless_its_address_is_in_the_cluster() -> None:
    there = mesh()
    there.apply("""
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: {name: e}
spec: {hosts: [x.example.com], resolution: DNS, ports: [{number: 80, name: http}], endpoints: [{address: y}]}
""")
    changed = there.apply("""
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: {name: e}
spec: {hosts: [x.example.com], resolution: DNS, ports: [{number: 80, name: http}], endpoints: [{address: z}]}
""")
    assert changed.hosts == {"x.example.com"}


@pytest.mark.parametrize(
    ("host", "concerned"), [("web.default", True), ("web.default.svc", True), ("web", True), ("x.y.z", False)]
)
def test_a_host_that_is_spelled_like_a_services_short_name(host: str, concerned: bool) -> None:
    there = Mesh(simple("web"))
    affected = there.apply(f"""
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: {{name: e}}
spec: {{hosts: [{host}], resolution: DNS, ports: [{{number: 80, name: http}}]}}
""")
    assert ("web.default.svc.cluster.local" in affected.hosts) == concerned


def test_nodes_are_news_only_when_a_hosts_first_workload_comes_or_its_last_goes() -> None:
    there = mesh()
    assert there.place(simple("c", address="10.0.0.9")).nodes
    assert not there.place(registration("d", address="10.0.0.9")).nodes
    assert not there.displace("c-v1").nodes
    assert there.displace("d").nodes


def test_gateways_and_their_rules_are_the_edge() -> None:
    there = mesh()
    assert there.apply(rules("a", extra=", gateways: [g]")) == Affected(edge=True)
    assert there.delete("VirtualService", "r").edge


def test_a_sidecar_concerns_its_namespace_and_no_host() -> None:
    there = mesh()
    sidecar = """
apiVersion: networking.istio.io/v1
kind: Sidecar
metadata: {name: s}
spec: {egress: [{hosts: ["./*"]}]}
"""
    assert there.apply(sidecar) == Affected(scopes=frozenset({"default"}))
    assert set(there.world.index.sidecars) == {"default"}
    assert there.delete("Sidecar", "s") == Affected(scopes=frozenset({"default"}))
    assert not there.world.index.sidecars


def test_nothing_touched_is_nothing_affected() -> None:
    empty = MeshSnapshot()
    assert reindex(RuleIndex(), empty, empty, Touched()) == (RuleIndex(), Affected())


@pytest.mark.parametrize(
    ("extra", "match", "mesh", "edge"),
    [
        ("", "", True, False),
        (", gateways: [g]", "", False, True),
        (", gateways: [g, mesh]", "", True, True),
        ("", "match: [{gateways: [g]}], ", True, True),
    ],
)
def test_what_a_rule_is_bound_to(extra: str, match: str, mesh: bool, edge: bool) -> None:
    (config,) = configs(rules("a", extra=extra).replace("{route", f"{{{match}route"))
    assert isinstance(config.spec, VirtualService)
    assert (bound_to_mesh(config.spec), bound_to_gateways(config.spec)) == (mesh, edge)
    assert destinations_of(config.spec, "default") == {B}


def test_hosts_that_match() -> None:
    assert matching_hosts("a.x", ["a.x", "b.x"]) == {"a.x"}
    assert matching_hosts("*.x", ["a.x", "b.x", "y"]) == {"a.x", "b.x", "*.x"}
    assert matching_hosts("*", ["a", "b"]) == {"a", "b", "*"}
