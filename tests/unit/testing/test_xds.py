"""The fake Envoy does what Envoy 1.40 was seen to do."""

from proa.core.pilot.resource import Resource, ResourceType
from proa.core.pilot.xds.wire import Request, decode_request, encode_resource, encode_response
from proa.testing.xds import CLUSTER, ENDPOINT, LISTENER, ROUTE, FakeEnvoy, fake_resource, needs_of

WARMING = fake_resource(CLUSTER, "c", "1", {ENDPOINT: ["c"]})


def send(envoy: FakeEnvoy, kind: ResourceType, nonce: str, *resources: Resource) -> list[Request]:
    body = encode_response(kind, nonce, map(encode_resource, resources))
    return [decode_request(request) for request in envoy.take(body)]


def said(requests: list[Request]) -> list[tuple[str, str, tuple[str, ...]]]:
    return [(request.type_url.rpartition(".")[2], request.nonce, request.subscribe) for request in requests]


def up() -> FakeEnvoy:
    envoy = FakeEnvoy()
    assert len(envoy.connect()) == 1
    started = send(envoy, CLUSTER, "1", WARMING)
    assert said(started) == [("ClusterLoadAssignment", "", ("c",)), ("Cluster", "1", ())]
    warmed = send(envoy, ENDPOINT, "2", fake_resource(ENDPOINT, "c", "1"))
    assert said(warmed) == [("ClusterLoadAssignment", "2", ()), ("Listener", "", ())]
    return envoy


def test_a_running_envoy_withholds_its_answer_while_a_cluster_warms() -> None:
    envoy = up()
    changed = fake_resource(CLUSTER, "c", "2", {ENDPOINT: ["c"]})
    assert send(envoy, CLUSTER, "3", changed) == []
    assert said(send(envoy, ENDPOINT, "4", fake_resource(ENDPOINT, "c", "1"))) == [
        ("ClusterLoadAssignment", "4", ()),
        ("Cluster", "3", ()),
    ]


def test_a_warming_envoy_does_not_ask_for_clusters_when_it_reconnects() -> None:
    envoy = up()
    send(envoy, CLUSTER, "3", fake_resource(CLUSTER, "c", "2", {ENDPOINT: ["c"]}))
    kinds = [decode_request(body).type_url.rpartition(".")[2] for body in envoy.connect()]
    assert kinds == ["ClusterLoadAssignment", "Listener"]


def test_what_breaks_the_order_is_noticed() -> None:
    envoy = up()
    listener = fake_resource(LISTENER, "l", "1", {ROUTE: ["r"]})
    assert said(send(envoy, LISTENER, "3", listener)) == [
        ("RouteConfiguration", "", ("r",)),
        ("Listener", "3", ()),
    ]
    send(envoy, ROUTE, "4", fake_resource(ROUTE, "r", "1", {CLUSTER: ["missing"]}))
    assert envoy.faults == ["route r 1 came before cluster missing"]
    assert needs_of(listener) == {ROUTE: frozenset(["r"])}
