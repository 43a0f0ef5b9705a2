"""Old objects of a live mesh: what is in force, what is said, and that only what changed is converted again."""

import pytest

from proa.control_plane.conversion import Conversion
from proa.core.config import Config, to_manifest
from proa.core.model.names import ObjectRef
from proa.testing.builders import Mesh, configs, registered_port, registration


def rule(name: str, version: str, *, host: str = "c", precedence: int = 0, match: str = "") -> str:
    condition = f", match: {{request: {{headers: {{x: {{exact: {match}}}}}}}}}" if match else ""
    return f"""
---
apiVersion: config.istio.io/v1alpha2
kind: RouteRule
metadata: {{name: {name}}}
spec: {{destination: {{name: {host}}}, precedence: {precedence}{condition}, route: [{{labels: {{version:
{version}}}}}]}}
"""


TODAY = """
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: mine}
spec: {hosts: [c], http: [{route: [{destination: {host: c}}]}]}
"""
SUBSETS = """
---
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: {name: c}
spec: {host: c, subsets: [{name: mine, labels: {a: b}}]}
"""


def by_ref(text: str) -> dict[ObjectRef, Config]:
    return {config.ref: config for config in configs(text)}


def names(found: dict[ObjectRef, Config]) -> set[str]:
    return {f"{ref.kind}/{ref.name}" for ref in found}


def test_old_objects_are_in_force_as_what_they_become() -> None:
    conversion = Conversion()
    found = conversion.in_force(by_ref(rule("a", "v1") + rule("b", "v2", precedence=1, match="y")))
    assert names(found) == {"VirtualService/c", "DestinationRule/c"}
    made = ObjectRef("VirtualService", "default", "c")
    assert [ref.name for ref in conversion.sources_of(made)] == ["b", "a"]
    assert conversion.made_of([ObjectRef("RouteRule", "default", "a")]) == set(found)
    assert conversion.sources_of(ObjectRef("RouteRule", "default", "a")) == ()


def test_one_by_one_is_as_all_at_once() -> None:
    texts = [rule("a", "v1"), rule("b", "v2", precedence=1, match="y"), rule("c", "v3", host="d")]
    conversion = Conversion()
    for count in range(1, len(texts) + 1):
        grown = conversion.in_force(by_ref("".join(texts[:count])))
    assert grown == Conversion().in_force(by_ref("".join(texts)))
    shrunk = conversion.in_force(by_ref(texts[0]))
    assert shrunk == Conversion().in_force(by_ref(texts[0]))


def test_only_what_a_change_touches_is_converted() -> None:
    conversion = Conversion()
    written = by_ref(rule("a", "v1") + rule("other", "v1", host="d"))
    first = conversion.in_force(written)
    after = conversion.in_force({**written, **by_ref(rule("a", "v2"))})
    same = {ref for ref in after if first.get(ref) is after[ref]}
    assert names({ref: after[ref] for ref in same}) == {"VirtualService/d", "DestinationRule/d"}


def test_todays_language_has_its_host() -> None:
    conversion = Conversion()
    found = conversion.in_force(by_ref(rule("a", "v1") + TODAY))
    assert names(found) == {"VirtualService/mine", "DestinationRule/c"}
    ((ref, finding),) = conversion.findings
    assert (ref.name, finding.severity) == ("a", "warning")
    assert "VirtualService/default/mine" in finding.message


def test_todays_names_are_kept_and_both_hold() -> None:
    found = Conversion().in_force(by_ref(rule("a", "v1") + SUBSETS))
    assert names(found) == {"VirtualService/c", "DestinationRule/c", "DestinationRule/c-2018"}


def test_without_old_objects_nothing_is_different() -> None:
    written = by_ref(TODAY + SUBSETS)
    assert Conversion().in_force(written) == written


@pytest.mark.parametrize("apart", [False, True])
def test_requests_obey_old_rules(apart: bool) -> None:
    def service(name: str, version: str) -> object:
        labels = {"app": "c", "version": version}
        return registration(name, registered_port("c", 9080), labels=labels)

    mesh = Mesh(service("c-v1", "v1"), service("c-v2", "v2"))  # type: ignore[arg-type]
    texts = [rule("a", "v1"), rule("b", "v2", precedence=1, match="y")]
    for text in texts if apart else ["".join(texts)]:
        mesh.apply(text)
    url, host = "http://c:9080/", "c.default.svc.cluster.local"
    assert mesh.get("client", url).cluster == f"outbound|9080|version-v1|{host}"
    assert mesh.get("client", url, headers={"x": "y"}).cluster == f"outbound|9080|version-v2|{host}"
    mesh.delete("RouteRule", "a")
    assert mesh.get("client", url).cluster == f"outbound|9080||{host}"
    mesh.delete("RouteRule", "b")
    assert mesh.get("client", url, headers={"x": "y"}).cluster == f"outbound|9080||{host}"


def test_what_is_derived_can_be_written() -> None:
    for config in Conversion().in_force(by_ref(rule("a", "v1"))).values():
        assert to_manifest(config)["apiVersion"] == "networking.istio.io/v1alpha3"


def policy(name: str, spec: str, kind: str = "Policy") -> str:
    return f"""
---
apiVersion: authentication.istio.io/v1alpha1
kind: {kind}
metadata: {{name: {name}}}
spec: {{{spec}}}
"""


PEERS_TODAY = """
---
apiVersion: security.istio.io/v1
kind: PeerAuthentication
metadata: {name: mine}
spec: {selector: {matchLabels: {app: c}}, mtls: {mode: PERMISSIVE}}
"""


def test_policies_of_2018_are_in_force_as_peer_authentications() -> None:
    conversion = Conversion()
    text = policy("one", "targets: [{name: c}], peers: [{mtls: {}}]") + policy("default", "", "MeshPolicy")
    found = conversion.in_force(by_ref(text))
    assert {str(ref) for ref in found} == {
        "PeerAuthentication/default/c-peers",
        "PeerAuthentication/istio-system/default",
    }


def test_todays_language_has_its_peers() -> None:
    conversion = Conversion()
    text = policy("one", "targets: [{name: c}, {name: d}], peers: [{mtls: {}}]") + PEERS_TODAY
    assert names(conversion.in_force(by_ref(text))) == {
        "PeerAuthentication/mine",
        "PeerAuthentication/d-peers",
    }
    ((ref, finding),) = conversion.findings
    assert ref.name == "one"
    assert "PeerAuthentication/default/mine has the same scope" in finding.message
