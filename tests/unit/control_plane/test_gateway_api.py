"""Routes of a live mesh: what requests do, and that only what changed is derived again."""

from proa.control_plane.conversion import Conversion
from proa.core.config import Config
from proa.core.model.names import ObjectRef
from proa.core.pilot.simulate.outcome import Answered, Forwarded
from proa.testing.builders import Mesh, configs, registered_port, registration
from tests.unit.core.config.gateway_api.objects import CALLERS, HTTP, gateway, route, to


def by_ref(*texts: str) -> dict[ObjectRef, Config]:
    return {config.ref: config for config in configs("---\n".join(texts))}


def mesh() -> Mesh:
    return Mesh(*(registration(f"{name}-1", registered_port(name, 8080)) for name in ("c", "d")))


def test_both_gateways_may_have_one_name() -> None:
    istio = """
apiVersion: networking.istio.io/v1
kind: Gateway
metadata: {name: web}
spec: {servers: [{port: {number: 80, name: http, protocol: HTTP}, hosts: ["*"]}]}
"""
    found = Conversion().in_force(by_ref(gateway(HTTP), istio))
    assert {ref.name for ref in found if ref.kind == "Gateway"} == {"web", "web-gateway-api"}


def test_only_what_a_change_touches_is_derived() -> None:
    conversion = Conversion()
    other = route("o", to("c"), parents=CALLERS)
    written = by_ref(gateway(HTTP), route("a", to("c")), other)
    first = conversion.in_force(written)
    after = conversion.in_force({**written, **by_ref(route("a", to("d")))})
    same = {ref.name for ref in after if first.get(ref) is after[ref]}
    assert same == {"c-gateway-api"}


def test_rules_that_somebody_wrote_silence_routes() -> None:
    written = """
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: mine}
spec: {hosts: [c], http: [{route: [{destination: {host: c}}]}]}
"""
    conversion = Conversion()
    found = conversion.in_force(by_ref(route("a", to("d"), parents=CALLERS), written))
    assert [ref.name for ref in found] == ["mine"]
    ((ref, finding),) = conversion.findings
    assert (ref.name, finding.severity) == ("a", "warning")


def test_callers_obey_routes() -> None:
    world = mesh()
    world.apply(route("a", to("d", "/d"), to("gone", "/gone"), to("c"), parents=CALLERS))
    url = "http://c:8080"
    forwarded = world.get("client", f"{url}/d/x").end
    assert isinstance(forwarded, Forwarded)
    assert "||d.default" in forwarded.cluster
    assert world.get("client", f"{url}/dx").cluster == "outbound|8080||c.default.svc.cluster.local"
    gone = world.get("client", f"{url}/gone").end
    assert isinstance(gone, Answered)
    assert gone.status == 500
    world.delete("HTTPRoute", "a")
    assert world.get("client", f"{url}/d/x").cluster == "outbound|8080||c.default.svc.cluster.local"


def test_a_share_without_a_service_is_an_error() -> None:
    world = mesh()
    backends = "{backendRefs: [{name: d, port: 8080, weight: 3}, {name: gone, port: 8080}]}"
    world.apply(route("a", backends, parents=CALLERS))
    statuses = [world.get("client", "http://c:8080/", roll=roll).end for roll in (0.0, 0.7, 0.8)]
    assert [each.status if isinstance(each, Answered) else 200 for each in statuses] == [200, 200, 500]


def test_callers_of_another_namespace_have_their_own() -> None:
    world = mesh()
    parent = "{group: '', kind: Service, name: c, namespace: default}"
    grant = """
apiVersion: gateway.networking.k8s.io/v1
kind: ReferenceGrant
metadata: {name: g}
spec:
  from: [{group: gateway.networking.k8s.io, kind: HTTPRoute, namespace: shop}]
  to: [{group: '', kind: Service}]
"""
    rule = "{backendRefs: [{name: d, namespace: default, port: 8080}]}"
    world.apply("---\n".join((route("a", rule, parents=parent, namespace="shop"), grant)))
    url = "http://c.default:8080/"
    assert "||d.default" in world.get("shop/client", url).cluster
    assert "||c.default" in world.get("client", url).cluster
