"""What a scope sees of a host, and which of several rules it obeys."""

import pytest

from proa.core.pilot.scope.scope import Scope
from proa.core.pilot.scope.views import (
    HostView,
    endpoints_of,
    gateway_view,
    host_view,
    qualified_gateway,
    visible_hosts,
    visible_service,
)
from proa.testing.builders import Mesh, registration, simple

A = "a.default.svc.cluster.local"
HERE, SHOP = Scope("default"), Scope("shop")


def policy(name: str, subset: str, *, namespace: str = "default", host: str = A, extra: str = "") -> str:
    return f"""
---
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: {{name: {name}, namespace: {namespace}}}
spec: {{host: '{host}', subsets: [{{name: {subset}, labels: {{v: {subset}}}}}] {extra}}}
"""


def rules(name: str, *, namespace: str = "default", host: str = A, extra: str = "") -> str:
    return f"""
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {{name: {name}, namespace: {namespace}}}
spec: {{hosts: ['{host}'], http: [{{route: [{{destination: {{host: {A}}}}}]}}] {extra}}}
"""


def view(mesh: Mesh, scope: Scope = HERE, host: str = A) -> HostView:
    found = host_view(mesh.world.snapshot, mesh.world.index, scope, host)
    assert found is not None
    return found


def subsets(mesh: Mesh, scope: Scope = HERE) -> list[str]:
    policy = view(mesh, scope).policy
    return [each.name for each in policy.subsets] if policy else []


def test_a_view_has_no_endpoints() -> None:
    mesh = Mesh(simple("a"))
    before = view(mesh)
    sick = simple("a", address="10.9.9.9")
    mesh.place(sick)
    assert view(mesh).digest == before.digest
    assert [each.address for each in endpoints_of(mesh.world.snapshot, A)] == ["10.9.9.9"]
    assert endpoints_of(mesh.world.snapshot, "nobody") == ()


@pytest.mark.parametrize(
    ("text", "scope", "found"),
    [
        (policy("r", "one"), SHOP, ["one"]),
        (policy("r", "one") + policy("r", "two", namespace="shop"), SHOP, ["two"]),
        (policy("r", "one") + policy("r", "two", namespace="shop"), HERE, ["one"]),
        (policy("r", "root", namespace="istio-system"), SHOP, ["root"]),
        (policy("r", "one") + policy("r", "root", namespace="istio-system"), SHOP, ["one"]),
        (policy("r", "stray", namespace="other"), HERE, []),
        (policy("r", "one", extra=", exportTo: [.]"), SHOP, []),
        (policy("a", "one") + policy("b", "two"), HERE, ["one", "two"]),
        (policy("r", "one") + policy("w", "wide", host="*.default.svc.cluster.local"), HERE, ["one"]),
        (
            policy("w", "wide", host="*.default.svc.cluster.local") + policy("x", "all", host="*.local"),
            HERE,
            ["wide"],
        ),
    ],
)
def test_the_policy_in_force(text: str, scope: Scope, found: list[str]) -> None:
    mesh = Mesh(simple("a"))
    mesh.apply(text)
    assert subsets(mesh, scope) == found


@pytest.mark.parametrize(
    ("text", "scope", "name"),
    [
        (rules("b") + rules("a"), HERE, "a"),
        (rules("w", host="*.default.svc.cluster.local") + rules("z"), HERE, "z"),
        (rules("p", extra=", exportTo: [.]"), SHOP, None),
        (rules("g", extra=", gateways: [edge]"), HERE, None),
        (rules("w", host="*fault.svc.cluster.local"), HERE, "w"),
    ],
)
def test_the_rules_in_force(text: str, scope: Scope, name: str | None) -> None:
    mesh = Mesh(simple("a"))
    mesh.apply(text)
    found = view(mesh, scope).rules
    assert (found.ref.name if found else None) == name


def test_a_host_without_a_service_has_its_own_rules_only() -> None:
    mesh = Mesh()
    mesh.apply(
        rules("wide", host="*.example.com") + rules("narrow", host="a.example.com", extra=", exportTo: [.]")
    )
    snapshot, index = mesh.world.snapshot, mesh.world.index
    assert host_view(snapshot, index, SHOP, "a.example.com") is None
    assert host_view(snapshot, index, SHOP, "*.example.com") is not None
    assert visible_hosts(snapshot, index, SHOP) == {"*.example.com", "a.example.com"}


def test_names_that_belong_to_others_are_left_out() -> None:
    mesh = Mesh(simple("a"))
    assert view(mesh).names == (A, "a", "a.default", "a.default.svc")
    mesh.apply(rules("r", host="a.default"))
    assert view(mesh).names == (A, "a", "a.default.svc")


def test_destinations_are_those_the_scope_may_see() -> None:
    mesh = Mesh(simple("a"))
    mesh.apply(policy("r", "one") + rules("r"))
    (found,) = view(mesh).destinations.values()
    assert found.has_subset("one")
    assert not found.has_subset("two")
    assert found.port(9080) is not None
    assert found.port(1) is None


def test_a_private_service_is_seen_at_home() -> None:
    mesh = Mesh()
    mesh.apply("""
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: {name: e}
spec: {hosts: [x.example.com], resolution: DNS, exportTo: [.], ports: [{number: 80, name: http}]}
""")
    assert visible_service(mesh.world.snapshot, HERE, "x.example.com") is not None
    assert visible_service(mesh.world.snapshot, SHOP, "x.example.com") is None


def test_a_gateways_servers_and_rules() -> None:
    mesh = Mesh(registration("ingress", kind="gateway", labels={"istio": "edge"}))
    mesh.apply("""
apiVersion: networking.istio.io/v1
kind: Gateway
metadata: {name: g, namespace: shop}
spec: {selector: {istio: edge}, servers: [{port: {number: 80, name: h, protocol: HTTP}, hosts: ['*']}]}
""" + rules("far", extra=", gateways: [shop/g]") + rules("own", extra=", gateways: [g]"))  # fmt: skip
    workload = next(each for each in mesh.world.snapshot.workloads.values() if each.kind == "gateway")
    found = gateway_view(mesh.world.snapshot, mesh.world.index, workload)
    assert [each.ref.namespace for each in found.servers] == ["shop"]
    assert [each.ref.name for each in found.rules] == ["far"]


def test_a_gateways_full_name() -> None:
    assert [qualified_gateway(each, "default") for each in ("g", "shop/g")] == ["default/g", "shop/g"]
