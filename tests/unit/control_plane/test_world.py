"""What a change costs: it is counted here, with a thousand services and real streams."""

import asyncio

from proa.control_plane.proxies import Proxies, ProxyStream
from proa.control_plane.world import World
from proa.core.model.names import WorkloadId, service_hostname
from proa.core.model.settings import MeshSettings
from proa.core.model.snapshot import Change
from proa.core.pilot.resource import ResourceType
from proa.core.pilot.scope.index import Affected
from proa.core.pilot.xds.wire import Response, decode_response, encode_request
from proa.core.sidecar.session import Registration
from proa.testing.builders import (
    Mesh,
    change,
    contribution,
    registered_port,
    registration,
    simple,
)

CLUSTER, ENDPOINT, LISTENER = ResourceType.CLUSTER, ResourceType.ENDPOINT, ResourceType.LISTENER
ROUTE, EXTENSION = ResourceType.ROUTE, ResourceType.EXTENSION
SERVICES = 1_000
FLIPPED = service_hostname("svc-7", "default")


def server(number: int, health: str = "HEALTHY") -> Registration:
    name = f"svc-{number}"
    return registration(
        f"{name}-v1",
        registered_port(name, health="UNHEALTHY" if health == "UNHEALTHY" else "HEALTHY"),
        address=f"10.1.{number // 250}.{number % 250 + 1}",
        labels={"version": "v1"},
    )


def large_world() -> World:
    world = World(MeshSettings(), clock=lambda: 0.0)
    world.fold_in([Change(contributions=tuple(contribution(server(each)) for each in range(SERVICES)))])
    world.fold_in([change(f"""
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: {{name: svc-7}}
spec: {{host: {FLIPPED}, subsets: [{{name: v1, labels: {{version: v1}}}}]}}
""")])  # fmt: skip
    return world


def take(stream: ProxyStream) -> list[Response]:
    return [decode_response(body) for body in stream.take()]


def settle(stream: ProxyStream) -> None:
    """ACK whatever is written until nothing more comes."""
    while responses := take(stream):
        for response in responses:
            stream.receive(encode_request(response.type, nonce=response.nonce))


def connect(proxies: Proxies, workload: str, endpoints: list[str], routes: list[str]) -> ProxyStream:
    namespace, _, name = workload.partition("/")
    stream = proxies.open(WorkloadId(namespace, name), "node")
    stream.receive(encode_request(CLUSTER))
    stream.receive(encode_request(ENDPOINT, subscribe=endpoints))
    settle(stream)
    stream.receive(encode_request(LISTENER))
    stream.receive(encode_request(ROUTE, subscribe=routes))
    settle(stream)
    assert stream.server.is_settled
    return stream


def test_one_flip_of_health_rebuilds_one_family_and_sends_one_resource_to_each_who_has_it() -> None:
    world = large_world()
    proxies = Proxies(world, clock=lambda: 0.0)
    world.fold_in(
        [Change(contributions=tuple(map(contribution, map(registration, ("one", "two", "shop/three")))))]
    )
    told: list[dict[object, set[object]]] = []
    world.subscribe(lambda _, __, scopes, workloads: told.append({**scopes, **workloads}))  # type: ignore[dict-item]
    every = [f"outbound|9080||{service_hostname(f'svc-{each}', 'default')}" for each in range(SERVICES)]
    mine = f"outbound|9080||{FLIPPED}"
    streams = [
        connect(proxies, "default/one", every, ["http_proxy"]),
        connect(proxies, "default/two", every, ["http_proxy"]),
        connect(proxies, "shop/three", every, ["http_proxy"]),
    ]
    stranger = connect(proxies, "shop/four", [name for name in every if name != mine], [])
    world.memo.built.clear()

    affected = world.fold_in([Change(contributions=(contribution(server(7, "UNHEALTHY")),))])

    assert affected == Affected(endpoints=frozenset({FLIPPED}))
    # The whole set and the subset, each built once for both scopes; nothing else.
    assert world.memo.built == {"build_endpoints": 2}
    changed = {(ENDPOINT, mine), (ENDPOINT, f"outbound|9080|v1|{FLIPPED}")}
    assert list(told[-1].values()) == [changed, changed]
    for stream in streams:
        responses = take(stream)
        assert [[each.name for each in response.changed] for response in responses] == [[mine]]
        assert responses[0].type is ENDPOINT
        assert not responses[0].removed
    assert take(stranger) == []


def test_one_edit_of_a_virtual_service_rebuilds_its_virtual_hosts_and_the_routes_that_hold_them() -> None:
    world = large_world()
    proxies = Proxies(world, clock=lambda: 0.0)
    world.fold_in(
        [Change(contributions=(contribution(registration("one")), contribution(registration("shop/two"))))]
    )
    streams = [connect(proxies, each, [], ["http_proxy", "9080"]) for each in ("default/one", "shop/two")]
    world.memo.built.clear()

    world.fold_in([change("""
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: svc-7}
spec: {hosts: [svc-7], http: [{route: [{destination: {host: svc-7, subset: v1}}]}]}
""")])  # fmt: skip

    # For each scope (their short names differ) one in the explicit proxy's routes and one in its port's.
    assert world.memo.built == {"build_virtual_host": 4}
    for stream in streams:
        sent = sorted(each.name for response in take(stream) for each in response.changed)
        assert sent == ["9080", "http_proxy"]


def test_another_replica_changes_neither_clusters_nor_routes() -> None:
    world = large_world()
    source = world.source_for(WorkloadId("default", "one"))
    before = dict(source.shared.resources)
    more = simple("svc-7", "v2", address="10.9.9.9")
    world.fold_in([Change(contributions=(contribution(more),))])
    after = source.shared.resources
    assert {name[0] for name in after if after[name] != before.get(name)} == {ENDPOINT, EXTENSION}


def test_a_change_that_says_nothing_new_is_no_generation() -> None:
    mesh = Mesh(simple("reviews"))
    before = mesh.world.generation
    assert mesh.place(simple("reviews")) == Affected()
    assert mesh.world.generation == before


def test_a_scope_is_forgotten_with_its_last_proxy() -> None:
    mesh = Mesh(simple("reviews"))
    first = mesh.source("default/one")
    assert mesh.source("default/two").shared is first.shared
    mesh.world.release(WorkloadId("default", "two"))
    mesh.world.release(WorkloadId("default", "one"))
    assert mesh.source("default/one").shared is not first.shared


def test_a_gateway_wants_the_ports_of_the_gateways_that_select_it() -> None:
    mesh = Mesh(registration("istio-system/ingress", kind="gateway", labels={"istio": "ingressgateway"}))
    mesh.apply("""
apiVersion: networking.istio.io/v1
kind: Gateway
metadata: {name: edge}
spec:
  selector: {istio: ingressgateway}
  servers: [{port: {number: 80, name: http, protocol: HTTP}, hosts: ["*"]}]
""")
    assert mesh.world.gateway_ports_wanted(WorkloadId("istio-system", "ingress")) == (80,)
    assert mesh.world.gateway_ports_wanted(WorkloadId("default", "client")) == ()


def test_notes_name_what_to_change() -> None:
    mesh = Mesh(simple("reviews"))
    mesh.source("client")
    mesh.apply("""
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: reviews}
spec: {hosts: [reviews], http: [{route: [{destination: {host: reviews, subset: v9}}]}]}
""")
    (note,) = mesh.world.notes()
    assert note.code == "destination-missing"
    assert str(note.about) == "VirtualService/default/reviews"


def test_what_is_committed_together_is_one_round() -> None:
    async def run() -> list[int]:
        world = World(MeshSettings(), clock=lambda: 0.0)
        async with asyncio.TaskGroup() as group:
            worker = group.create_task(world.run())
            commits = [
                group.create_task(world.commit(Change(contributions=(contribution(simple(name)),))))
                for name in ("a", "b")
            ]
            generations = [await each for each in commits]
            worker.cancel()
        return generations

    assert asyncio.run(run()) == [1, 1]
