"""Which Sidecar is in force for whom, and what it makes of its workloads' scope."""

import pytest

from proa.core.model.names import WorkloadId, parse_workload_id
from proa.core.pilot.scope.imports import imports_of
from proa.core.pilot.scope.scope import Scope, scope_of
from proa.testing.builders import Mesh, registration

EDGE = WorkloadId("default", "edge")
V1, V2, SHOP = "default/v1", "default/v2", "shop/one"


def sidecar(name: str, spec: str) -> str:
    return f"""
---
apiVersion: networking.istio.io/v1
kind: Sidecar
metadata: {{name: {name.rpartition("/")[2]}, namespace: {name.partition("/")[0] if "/" in name else "default"}}}
spec: {{{spec}}}
"""


def egress(*hosts: str) -> str:
    return f"egress: [{{hosts: {list(hosts)}}}]"


ALL = "./* istio-system/*"
FOR_V1 = "workloadSelector: {labels: {version: v1}}, "
STRICT = "outboundTrafficPolicy: {mode: REGISTRY_ONLY}"
MESH_WIDE = sidecar("istio-system/all", egress("./*", "istio-system/*"))


def scope(mesh: Mesh, workload: str) -> Scope:
    return scope_of(mesh.world.snapshot, mesh.world.index, parse_workload_id(workload))


def mesh(text: str) -> Mesh:
    made = Mesh(
        registration(V1, labels={"version": "v1"}),
        registration(V2, labels={"version": "v2"}),
        registration(SHOP, labels={"version": "v1"}),
        registration("edge", kind="gateway", labels={"version": "v1"}),
    )
    made.apply(text)
    return made


def imports(namespace: str, *hosts: str) -> Scope:
    return Scope(namespace, imports=imports_of(hosts, namespace))


@pytest.mark.parametrize(
    ("text", "v1", "v2", "shop"),
    [
        (MESH_WIDE, "./* istio-system/*", "./* istio-system/*", "./* istio-system/*"),
        (sidecar("a", egress("shop/*")), "shop/*", "shop/*", "*/*"),
        (sidecar("a", FOR_V1 + egress("shop/*")), "shop/*", "*/*", "*/*"),
        (MESH_WIDE + sidecar("a", FOR_V1 + egress("a/*")) + sidecar("b", egress("b/*")), "a/*", "b/*", ALL),
        (sidecar("b", egress("b/*")) + sidecar("a", egress("a/*")), "a/*", "a/*", "*/*"),
        (sidecar("istio-system/a", FOR_V1 + egress("a/*")), "*/*", "*/*", "*/*"),
    ],
)  # fmt: skip
def test_the_sidecar_in_force(text: str, v1: str, v2: str, shop: str) -> None:
    made = mesh(text)
    assert scope(made, V1) == imports("default", *v1.split())
    assert scope(made, V2) == imports("default", *v2.split())
    assert scope(made, SHOP) == imports("shop", *shop.split())
    assert scope(made, str(EDGE)) == Scope("default"), "a gateway has none"


def test_hosts_are_inherited_and_policies_are_not() -> None:
    made = mesh(
        sidecar("a", FOR_V1 + STRICT)
        + sidecar("b", egress("b/*"))
        + sidecar("istio-system/c", egress("c/*") + ", outboundTrafficPolicy: {mode: ALLOW_ANY}")
    )
    assert scope(made, V1) == Scope(
        "default", imports=imports_of(["b/*"], "default"), outbound="REGISTRY_ONLY"
    )
    assert scope(made, V2).outbound is None
    assert scope(made, SHOP).outbound == "ALLOW_ANY"


def test_a_workload_that_is_not_known_yet_is_of_its_namespace() -> None:
    made = mesh(sidecar("a", egress("a/*")) + sidecar("b", FOR_V1 + egress("b/*")))
    assert scope(made, "default/later") == imports("default", "a/*")


def test_what_says_the_same_is_one_scope() -> None:
    made = mesh(sidecar("a", FOR_V1 + egress("shop/*", "./*")) + sidecar("b", egress("default/*", "shop/*")))
    assert scope(made, V1) == scope(made, V2)
    assert made.source(V1).shared is made.source(V2).shared


def test_ports_with_lists_of_their_own() -> None:
    at_80 = "{port: {number: 80, protocol: HTTP}, hosts: [a/*]}"
    at_81 = "{port: {number: 81, protocol: TCP}, captureMode: NONE, bind: 127.0.0.2, hosts: [b/*]}"
    at_82 = "{port: {number: 82, protocol: HTTP}, captureMode: IPTABLES, hosts: [c/*]}"
    made = mesh(sidecar("s", f"egress: [{at_80}, {at_81}, {at_82}, {{hosts: [d/*]}}]"))
    found = scope(made, V1)
    assert [each.name for each in found.own] == ["127.0.0.1_80", "127.0.0.2_81"]
    heard = {(port, owner) for port in (80, 81, 82, 83) for owner in "abcd" if found.hears(port, owner, "x")}
    assert heard == {(80, "a"), (81, "d"), (82, "c"), (83, "d")}
    seen = {(port, owner) for port in (80, 81, 82, 83) for owner in "abcd" if found.has(port, owner, "x")}
    assert seen == heard | {(81, "b")}
    assert all(found.touches(owner, "x") for owner in "abcd")
    assert not found.touches("e", "x")
    alone = scope(mesh(sidecar("s", f"egress: [{at_81}]")), V1)
    assert alone.is_narrow
    assert not alone.hears(81, "b", "x"), "nothing is left for proxy variables"
