"""Which patches are for which proxy, and their order."""

import pytest

from proa.core.model.names import WorkloadId, parse_workload_id
from proa.core.pilot.scope.patches import ISTIO_VERSION, Patches, ProxyPatch, collect, metadata_of, patches_of
from proa.testing.builders import Mesh, registration, simple

REMOVE = "patch: {operation: REMOVE}"


def envoy_filter(
    name: str, spec: str = "", match: str = "{}", namespace: str = "default", apply_to: str = "CLUSTER"
) -> str:
    return f"""
apiVersion: networking.istio.io/v1alpha3
kind: EnvoyFilter
metadata: {{name: {name}, namespace: {namespace}}}
spec:
  {spec or "priority: 0"}
  configPatches:
  - {{applyTo: {apply_to}, match: {match}, {REMOVE}}}
"""


def patches(mesh: Mesh, workload: str) -> Patches | None:
    return patches_of(
        mesh.world.snapshot, mesh.world.index, mesh.world.snapshot.workloads[parse_workload_id(workload)]
    )


def names(mesh: Mesh, workload: str) -> list[str]:
    found = patches(mesh, workload)
    return [patch.ref.name for patch in found.all] if found else []


def test_without_any_there_is_nothing_to_look_at() -> None:
    assert patches(Mesh(), "client") is None


def test_the_root_namespace_goes_first_then_priority_then_name() -> None:
    mesh = Mesh()
    mesh.apply(envoy_filter("b"))
    mesh.apply(envoy_filter("a"))
    mesh.apply(envoy_filter("early", "priority: -5"))
    mesh.apply(envoy_filter("root", "priority: 9", namespace="istio-system"))
    mesh.apply(envoy_filter("elsewhere", namespace="other"))
    assert names(mesh, "client") == ["root", "early", "a", "b"]
    assert names(mesh, "shop/client") == ["root"]
    mesh.delete("EnvoyFilter", "root", "istio-system")
    assert names(mesh, "shop/client") == []


def test_the_order_of_arrival_does_not_matter() -> None:
    one, other = Mesh(), Mesh()
    for name in "abc":
        one.apply(envoy_filter(name))
    for name in "cab":
        other.apply(envoy_filter(name))
    first, second = patches(one, "client"), patches(other, "client")
    assert first is not None
    assert first == second


def test_the_selector_takes_all_its_labels() -> None:
    mesh = Mesh(simple("a", "v1"), simple("b", "v1", address="10.0.0.2"))
    mesh.apply(envoy_filter("x", "workloadSelector: {labels: {app: a, version: v1}}"))
    assert names(mesh, "a-v1") == ["x"]
    assert names(mesh, "b-v1") == []


@pytest.mark.parametrize(
    ("match", "sidecar", "gateway"),
    [
        ("{}", True, True),
        ("{context: ANY}", True, True),
        ("{context: SIDECAR_INBOUND}", True, False),
        ("{context: SIDECAR_OUTBOUND}", True, False),
        ("{context: GATEWAY}", False, True),
        ("{context: WAYPOINT}", False, False),
        ("{waypoint: {portNumber: 80}}", False, False),
        (f"{{proxy: {{proxyVersion: '^{ISTIO_VERSION[:3]}'}}}}", True, True),
        ("{proxy: {proxyVersion: '^1.9.'}}", False, False),
        ("{proxy: {metadata: {WORKLOAD_NAME: client}}}", True, False),
        ("{proxy: {metadata: {NAMESPACE: default, WORKLOAD_NAME: edge}}}", False, True),
        ("{proxy: {metadata: {UNKNOWN: x}}}", False, False),
    ],
)
def test_context_and_proxy(match: str, sidecar: bool, gateway: bool) -> None:
    mesh = Mesh(registration("edge", kind="gateway"))
    mesh.apply(envoy_filter("x", match=match))
    assert bool(names(mesh, "client")) is sidecar
    assert bool(names(mesh, "edge")) is gateway


def test_a_program_without_a_sidecar_has_no_proxy() -> None:
    mesh = Mesh(registration("alone", kind="proxyless"))
    mesh.apply(envoy_filter("x"))
    assert names(mesh, "alone") == []


def test_what_was_asked_of_the_proxy_makes_no_difference_any_more() -> None:
    mesh = Mesh()
    mesh.apply(envoy_filter("x", match="{proxy: {metadata: {NAMESPACE: default}}}"))
    found = patches(mesh, "client")
    assert found is not None
    assert found.all[0].match.proxy is None
    assert str(found.all[0]) == "EnvoyFilter/default/x configPatches[0]"


def test_classes_lead_to_places() -> None:
    mesh = Mesh()
    mesh.apply(envoy_filter("a") + "  - {applyTo: LISTENER, patch: {operation: REMOVE}}\n")
    found = patches(mesh, "client")
    assert found is not None
    assert found.classes == {"CLUSTER": (0,), "LISTENER": (1,)}
    assert found.has("LISTENER", "HTTP_ROUTE")
    assert not found.has("HTTP_ROUTE")
    again: tuple[ProxyPatch, ...] = found.all
    assert collect(again).digest == found.digest


def test_metadata_names_the_workload() -> None:
    mesh = Mesh()
    known = metadata_of(mesh.world.snapshot.workloads[WorkloadId("shop", "client")])
    assert known["NAMESPACE"] == "shop"
    assert known["WORKLOAD_NAME"] == "client"


@pytest.mark.parametrize(
    ("target", "whose"),
    [
        ("{kind: Service, name: web}", ["web-v1"]),
        ("{group: core, kind: Service, name: other}", []),
        ("{group: gateway.networking.k8s.io, kind: Gateway, name: edge}", ["g"]),
        ("{group: gateway.networking.k8s.io, kind: Gateway, name: other}", []),
    ],
)
def test_targets_are_named(target: str, whose: list[str]) -> None:
    edge = {"gateway.networking.k8s.io/gateway-name": "edge"}
    mesh = Mesh(
        simple("web"),
        simple("shop/web", address="10.0.0.2"),
        registration("g", kind="gateway", labels=edge),
        registration("shop/g", kind="gateway", labels=edge),
    )
    mesh.apply(envoy_filter("a", f"targetRefs: [{target}]"))
    workloads = ("client", "web-v1", "shop/web-v1", "g", "shop/g")
    assert [name for name in workloads if names(mesh, name)] == whose
