"""Rules with sourceLabels: who obeys them, and that only the routes around them cost anything."""

from proa.core.model.names import WorkloadId
from proa.core.pilot.resource import Resource, ResourceType
from proa.core.pilot.scope.clients import Client
from proa.core.pilot.scope.scope import Scope
from proa.core.pilot.translate.listeners.outbound import EXPLICIT_ROUTES
from proa.testing.builders import Mesh, registered_port, registration, simple

RULE = """
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: c}
spec:
  hosts: [c]
  http:
  - match: [{sourceLabels: {version: v1}%s}]
    directResponse: {status: 201}
  - route: [{destination: {host: c}}]
"""
URL = "http://c:9080/"
C = "outbound|9080||c.default.svc.cluster.local"


def mesh_of_clients() -> Mesh:
    return Mesh(
        simple("c"),
        registration("other", registered_port("other", 7070)),
        registration("one", labels={"app": "a", "version": "v1"}),
        registration("two", labels={"app": "a", "version": "v2"}),
        registration("three", labels={"app": "b", "version": "v1"}),
        registration("shop/one", labels={"version": "v1"}),
    )


def own(mesh: Mesh, name: str) -> set[str]:
    return {key for _, key in mesh.source(name).own.routes}


def test_a_rule_is_for_those_who_wear_its_labels() -> None:
    mesh = mesh_of_clients()
    before = {name: set(own(mesh, name)) for name in ("one", "two", "three")}
    mesh.apply(RULE % "")
    for name in ("one", "three", "shop/one"):
        assert mesh.get(name, "http://c.default:9080/").status == 201
    assert mesh.get("two", URL).cluster == C
    assert before == {"one": set(), "two": set(), "three": set()}
    assert own(mesh, "one") == {"9080", EXPLICIT_ROUTES}
    assert own(mesh, "two") == set()
    mesh.delete("VirtualService", "c")
    assert mesh.get("one", URL).cluster == C
    assert own(mesh, "one") == set()


def test_a_rule_is_for_a_namespace() -> None:
    mesh = mesh_of_clients()
    mesh.apply(RULE % ", sourceNamespace: shop")
    assert mesh.get("shop/one", "http://c.default:9080/").status == 201
    assert mesh.get("one", URL).cluster == C


def test_who_wears_the_same_shares_and_nothing_but_routes_is_doubled() -> None:
    mesh = mesh_of_clients()
    mesh.apply(RULE % "")
    one, three = mesh.source("one"), mesh.source("three")
    assert one.own.routes is three.own.routes
    assert {kind for kind, _ in one.own.routes} == {ResourceType.ROUTE}
    assert (ResourceType.ROUTE, "7070") not in one.own.routes, "a port without such rules is the scope's"
    assert one.shared is mesh.source("two").shared


def test_labels_that_change_change_the_rules() -> None:
    mesh = mesh_of_clients()
    mesh.apply(RULE % "")
    mesh.source("two")
    told: list[set[str]] = []
    mesh.world.subscribe(
        lambda _generation, _affected, _scopes, workloads: told.append(
            {
                name
                for kind, name in workloads.get(WorkloadId("default", "two"), set())
                if kind is ResourceType.ROUTE
            }
        )
    )
    mesh.place(registration("two", labels={"app": "a", "version": "v1"}))
    assert mesh.get("two", URL).status == 201
    assert "9080" in told[-1]
    mesh.place(registration("two", labels={"app": "a", "version": "v3"}))
    assert mesh.get("two", URL).cluster == C
    assert "9080" in told[-1]


def test_only_a_change_near_such_a_rule_builds_anything() -> None:
    mesh = mesh_of_clients()
    mesh.apply(RULE % "")
    routes = dict(mesh.source("one").own.routes)
    mesh.apply("""
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: {name: other}
spec: {host: other, trafficPolicy: {loadBalancer: {simple: RANDOM}}}
""")
    assert all(routes[name] is resource for name, resource in mesh.source("one").own.routes.items())
    mesh.apply(RULE.replace("201", "202") % "")
    assert mesh.get("one", URL).status == 202


def test_a_neighbour_on_the_same_port_is_seen_by_all() -> None:
    mesh = mesh_of_clients()
    mesh.apply(RULE % "")
    mesh.place(simple("d"))
    for name in ("one", "two"):
        assert mesh.get(name, "http://d:9080/").cluster == "outbound|9080||d.default.svc.cluster.local"


def test_what_nobody_wears_any_more_is_forgotten() -> None:
    mesh = mesh_of_clients()
    mesh.apply(RULE % "")
    one, two = WorkloadId("default", "one"), WorkloadId("default", "two")
    before = mesh.source(one).own.routes
    mesh.source(two)
    mesh.world.release(one)
    assert mesh.source(two).own.client == Client(Scope("default"))
    assert mesh.source(one).own.routes == before
    assert mesh.source(one).own.routes is not before


def test_the_order_of_arrival_never_matters() -> None:
    first, last = mesh_of_clients(), Mesh(simple("c"))
    late = registration("one", labels={"version": "v1"})
    first.apply(RULE % "")
    last.apply(RULE % "")
    last.source("one")
    last.place(late)
    assert last.get("one", URL).status == first.get("one", URL).status == 201


def test_programs_without_a_sidecar_are_clients_like_others() -> None:
    mesh = mesh_of_clients()
    for name in ("one", "two"):
        version = {"one": "v1", "two": "v2"}[name]
        mesh.place(registration(name, kind="proxyless", labels={"version": version}))
    for name in ("g", "h"):
        mesh.place(registration(name, registered_port(name, 9090, protocol="GRPC")))
    rule = RULE.replace("[c]", "[g]").replace("host: c", "host: g")

    def routes(name: str) -> dict[str, Resource | None]:
        source = mesh.source(name)
        return {each: source.lookup(ResourceType.ROUTE, each) for each in source.names(ResourceType.ROUTE)}

    assert routes("one") == routes("two")
    mesh.apply(rule.replace("directResponse: {status: 201}", "route: [{destination: {host: h}}]") % "")
    assert routes("one").keys() == routes("two").keys() != set()
    assert routes("one") != routes("two")
