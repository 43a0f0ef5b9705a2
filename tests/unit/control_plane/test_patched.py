"""EnvoyFilters in the control plane: who gets what instead of what, who is told, and what it costs the others."""

from collections.abc import Mapping

from proa.control_plane.world import World
from proa.core.model.names import ObjectRef, WorkloadId
from proa.core.pilot.resource import Resource, ResourceType
from proa.core.pilot.scope.index import Affected
from proa.core.pilot.scope.scope import Scope
from proa.core.sidecar.session import GatewayPort
from proa.testing.builders import Mesh, registration, simple

CLUSTER, LISTENER, ROUTE = ResourceType.CLUSTER, ResourceType.LISTENER, ResourceType.ROUTE
A, B = "outbound|9080||a.default.svc.cluster.local", "outbound|9080||b.default.svc.cluster.local"
FILTER = ObjectRef("EnvoyFilter", "default", "x")


def envoy_filter(*patches: str, spec: str = "priority: 0", name: str = "x") -> str:
    listed = "\n".join(f"  - {each}" for each in patches)
    return f"""
apiVersion: networking.istio.io/v1alpha3
kind: EnvoyFilter
metadata: {{name: {name}}}
spec:
  {spec}
  configPatches:
{listed}
"""


def slow(service: str = "a", timeout: str = "7s") -> str:
    where = f"match: {{cluster: {{service: {service}.default.svc.cluster.local}}}}"
    return (
        f"{{applyTo: CLUSTER, {where}, patch: {{operation: MERGE, value: {{connect_timeout: {timeout}}}}}}}"
    )


ADDED = "{applyTo: CLUSTER, patch: {operation: ADD, value: {name: added, type: STATIC}}}"
REMOVED = f"{{applyTo: CLUSTER, match: {{cluster: {{name: '{B}'}}}}, patch: {{operation: REMOVE}}}}"
ROUTED = "{applyTo: VIRTUAL_HOST, patch: {operation: MERGE, value: {include_request_attempt_count: true}}}"


def mesh() -> Mesh:
    return Mesh(simple("a"), simple("b", address="10.0.0.2"), registration("other"))


def served(mesh: Mesh, workload: str, kind: ResourceType = CLUSTER) -> Mapping[str, Resource]:
    source = mesh.source(workload)
    found = {name: source.lookup(kind, name) for name in source.names(kind)}
    return {name: resource for name, resource in found.items() if resource is not None}


def told(world: World) -> list[dict[WorkloadId, set[tuple[ResourceType, str]]]]:
    rounds: list[dict[WorkloadId, set[tuple[ResourceType, str]]]] = []

    def listen(
        generation: int,
        affected: Affected,
        scopes: dict[Scope, set[tuple[ResourceType, str]]],
        workloads: dict[WorkloadId, set[tuple[ResourceType, str]]],
    ) -> None:
        rounds.append({workload: names for workload, names in workloads.items() if names})

    world.subscribe(listen)
    return rounds


def test_only_what_a_patch_finds_is_another_resource() -> None:
    here = mesh()
    before = served(here, "client")
    here.apply(envoy_filter(slow()))
    after = served(here, "client")
    assert after[A].objects == (*before[A].objects, FILTER)
    assert {name for name in before if after[name] is not before[name]} == {A}
    here.delete("EnvoyFilter", "x")
    assert all(each is before[name] for name, each in served(here, "client").items())


def test_equal_patches_share_and_others_are_not_looked_at() -> None:
    here = mesh()
    plain = served(here, "other")
    here.apply(envoy_filter(slow(), spec="workloadSelector: {labels: {version: v1}}"))
    one = served(here, "a-v1")
    built = here.world.memo.built["patch_resource"]
    two = served(here, "b-v1")
    assert one[A] is two[A]
    assert one[B] is plain[B]
    # What only b-v1 has: its inbound cluster.
    assert here.world.memo.built["patch_resource"] == built + 1
    assert all(each is plain[name] for name, each in served(here, "other").items())
    assert here.source("other").own.patched is None


def test_resources_come_and_go() -> None:
    here = mesh()
    here.apply(envoy_filter(ADDED, REMOVED))
    after = served(here, "client")
    assert "added" in after
    assert B not in after
    assert A in after
    assert served(here, "shop/client").keys() == served(mesh(), "shop/client").keys()


def test_a_name_that_is_taken_keeps_its_owner() -> None:
    here = mesh()
    here.apply(envoy_filter(ADDED.replace("added", f'"{A}"')))
    source = here.source("client")
    assert list(source.names(CLUSTER)).count(A) == 1
    assert served(here, "client")[A].objects != (FILTER,)
    assert [note.code for note in here.world.notes()] == ["patch-without-effect"]


def test_those_whom_it_concerns_are_told_what_may_differ() -> None:
    here = mesh()
    for workload in ("client", "a-v1", "shop/client"):
        here.source(workload)
    rounds = told(here.world)
    here.apply(envoy_filter(slow(), ADDED))
    assert set(rounds[-1]) == {WorkloadId("default", "client"), WorkloadId("default", "a-v1")}
    assert {(CLUSTER, A), (CLUSTER, "added")} <= rounds[-1][WorkloadId("default", "client")]
    assert not {name for kind, name in rounds[-1][WorkloadId("default", "client")] if kind is not CLUSTER}
    here.apply(envoy_filter(slow(), ADDED, name="z", spec="workloadSelector: {labels: {app: nobody}}"))
    assert not rounds[-1]
    here.apply(envoy_filter(slow(), ADDED))
    assert len(rounds) == 2
    here.delete("EnvoyFilter", "x")
    assert (CLUSTER, "added") in rounds[-1][WorkloadId("default", "client")]


def test_a_workload_that_gets_its_labels_later() -> None:
    here = mesh()
    here.apply(envoy_filter(slow(), spec="workloadSelector: {labels: {tier: front}}"))
    here.source("client")
    rounds = told(here.world)
    here.place(registration("client", labels={"tier": "front"}))
    assert (CLUSTER, A) in rounds[-1][WorkloadId("default", "client")]
    assert served(here, "client")[A].objects[-1] == FILTER


def test_routes_are_patched_by_pieces() -> None:
    here = mesh()
    here.apply(envoy_filter(ROUTED))
    served(here, "client", ROUTE)
    pieces = here.world.memo.built["patch_piece"]
    here.place(simple("c", address="10.0.0.3"))
    served(here, "client", ROUTE)
    # In the port's routes and in the explicit proxy's: one host that is served, and one for its other ports.
    assert here.world.memo.built["patch_piece"] - pieces == 3


def test_requests_go_where_patches_send_them() -> None:
    here = mesh()
    assert here.get("client", "http://a:9080/").cluster == A
    value = f"{{route: {{cluster: '{B}'}}}}"
    where = "match: {routeConfiguration: {vhost: {name: 'a.default.svc.cluster.local:9080'}}}"
    here.apply(envoy_filter(f"{{applyTo: HTTP_ROUTE, {where}, patch: {{operation: MERGE, value: {value}}}}}"))
    assert here.get("client", "http://a:9080/").cluster == B
    assert here.get("shop/client", "http://a.default:9080/").cluster == A


def test_an_inbound_cluster_is_known_by_its_service() -> None:
    here = mesh()
    here.apply(envoy_filter(slow().replace("match: {", "match: {context: SIDECAR_INBOUND, ")))
    assert served(here, "a-v1")["inbound|9080||"].objects == (FILTER,)
    assert served(here, "b-v1")["inbound|9080||"].objects == ()


GATEWAY = """
apiVersion: networking.istio.io/v1
kind: Gateway
metadata: {name: %s}
spec: {selector: {app: edge}, servers: [{port: {number: %d, name: http, protocol: HTTP}, hosts: ["*"]}]}
"""


def test_routes_of_a_gateway_object() -> None:
    ports = tuple(GatewayPort(server_port=each, bound_port=20000 + each) for each in (80, 81))
    here = Mesh(registration("edge", kind="gateway", labels={"app": "edge"}, gateway_ports=ports))
    here.apply(GATEWAY % ("one", 80) + "---" + GATEWAY % ("two", 81))
    where = "match: {context: GATEWAY, routeConfiguration: {gateway: default/one}}"
    here.apply(envoy_filter(ROUTED.replace("applyTo", f"{where}, applyTo")))
    routes = served(here, "edge", ROUTE)
    assert [name for name, each in sorted(routes.items()) if FILTER in each.objects] == ["http.80"]
