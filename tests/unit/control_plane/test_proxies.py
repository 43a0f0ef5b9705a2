"""What each proxy has taken, and what it refused and why."""

from proa.control_plane.proxies import MAX_PUSHES, RETURN_S, Proxies, ProxyStream
from proa.core.model.names import WorkloadId
from proa.core.pilot.resource import ResourceType
from proa.core.pilot.xds.wire import decode_response, encode_request
from proa.testing.builders import Mesh, registration, simple

CLUSTER, ENDPOINT, LISTENER = ResourceType.CLUSTER, ResourceType.ENDPOINT, ResourceType.LISTENER
CLIENT = WorkloadId("default", "client")
POLICY = """
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: {name: a}
spec: {host: a, trafficPolicy: {loadBalancer: {simple: %s}}}
"""


def opened() -> tuple[Mesh, Proxies, ProxyStream]:
    mesh = Mesh(simple("a"))
    proxies = Proxies(mesh.world, clock=lambda: 0.0)
    stream = proxies.open(CLIENT, "node")
    proxies.received(stream, encode_request(CLUSTER))
    settle(proxies, stream)
    return mesh, proxies, stream


def settle(proxies: Proxies, stream: ProxyStream, error: str | None = None) -> None:
    while bodies := stream.take():
        for body in bodies:
            response = decode_response(body)
            proxies.received(stream, encode_request(response.type, nonce=response.nonce, error=error))


def test_a_generation_is_taken_when_its_last_answer_is_there() -> None:
    mesh, proxies, stream = opened()
    mesh.apply(POLICY % "RANDOM")
    generation = mesh.world.generation
    assert not stream.has_taken(generation)
    assert stream.has_taken(generation - 1)
    assert stream.taken_through == generation - 1
    settle(proxies, stream)
    assert stream.has_taken(generation)
    assert stream.taken_through == generation


def test_a_refusal_names_the_object_the_error_and_the_generation() -> None:
    mesh, proxies, stream = opened()
    mesh.apply(POLICY % "RANDOM")
    settle(proxies, stream, error="no such balancer")
    (refusal,) = stream.refusals()
    assert refusal.name == "outbound|9080||a.default.svc.cluster.local"
    assert refusal.error == "no such balancer"
    assert [str(each) for each in refusal.objects] == ["DestinationRule/default/a"]
    assert refusal.generation == mesh.world.generation
    assert proxies.nacks == 1
    # What was refused is not on its way any more: waiting for it would never end.
    assert stream.has_taken(mesh.world.generation)
    mesh.apply(POLICY % "ROUND_ROBIN")
    settle(proxies, stream)
    assert not list(stream.refusals())


def test_a_second_stream_of_a_workload_takes_over() -> None:
    _, proxies, first = opened()
    second = proxies.open(CLIENT, "node")
    assert first.closed_because is not None
    assert proxies.stream_of(CLIENT) is second
    proxies.close(first)
    assert proxies.streams() == (second,)
    proxies.close(second)
    assert proxies.streams() == ()


def test_a_proxy_whose_stream_ended_is_expected_back_for_a_while() -> None:
    now = 0.0
    proxies = Proxies(Mesh(simple("a")).world, clock=lambda: now)
    stream = proxies.open(CLIENT, "node")
    assert proxies.expected_back() == ()
    proxies.close(stream)
    now = RETURN_S - 0.1
    assert proxies.expected_back() == (CLIENT,)
    again = proxies.open(CLIENT, "node")
    assert proxies.expected_back() == ()
    proxies.close(again)
    now += RETURN_S
    assert proxies.expected_back() == ()


def test_bytes_that_are_no_request_close_the_stream() -> None:
    _, proxies, stream = opened()
    proxies.received(stream, b"\xff")
    assert stream.closed_because == "not a DeltaDiscoveryRequest"


def test_what_a_proxy_did_not_ask_for_costs_it_nothing() -> None:
    mesh, _, stream = opened()
    mesh.place(simple("a", address="10.9.9.9"))
    assert stream.take() == []


def test_convergence_is_told_when_the_last_has_taken_a_generation() -> None:
    mesh, proxies, stream = opened()
    told: list[float] = []
    proxies.convergence = told.append
    mesh.apply(POLICY % "RANDOM")
    assert told == []
    settle(proxies, stream)
    assert told == [0.0]


def test_a_stream_that_was_there_before_its_registration_gets_all_of_it() -> None:
    mesh = Mesh(simple("a"))
    proxies = Proxies(mesh.world, clock=lambda: 0.0)
    stream = proxies.open(WorkloadId("default", "late"), "node")
    proxies.received(stream, encode_request(CLUSTER))
    proxies.received(stream, encode_request(LISTENER))
    settle(proxies, stream)
    mesh.place(registration("late"))
    settle(proxies, stream)
    assert {"virtualOutbound", "0.0.0.0_9080"} <= set(stream.server.acked(LISTENER))
    assert "connect_9080" in stream.server.acked(CLUSTER)


def test_what_is_sent_is_counted_and_what_a_proxy_holds_is_not_sent_again() -> None:
    _, proxies, stream = opened()
    held = stream.server.acked(CLUSTER)
    sent = proxies.resources_sent[CLUSTER]
    assert sent == len(held) > 0
    proxies.close(stream)
    again = proxies.open(CLIENT, "node")
    proxies.received(again, encode_request(CLUSTER, initial=held))
    settle(proxies, again)
    assert proxies.resources_sent[CLUSTER] == sent
    third = proxies.open(CLIENT, "node")
    proxies.received(third, encode_request(CLUSTER))
    assert proxies.resources_sent[CLUSTER] == 2 * sent, "one that holds nothing gets all"


CHANGES = 1_000


def test_thousands_of_changes_cost_a_peer_that_does_not_read_one_response_per_type() -> None:
    mesh, proxies, stream = opened()
    assert not stream.take()
    for change in range(CHANGES):
        mesh.place(simple("a", address=f"10.1.{change % 250}.{change // 250}"))
        mesh.apply(POLICY % ("RANDOM" if change % 2 else "ROUND_ROBIN"))
        proxies.check_overdue()  # whatever the clock says: it has not even been written
        assert stream.held <= 2
        assert proxies.pushes_watched <= MAX_PUSHES
    sent = sum(proxies.resources_sent.values())
    settle(proxies, stream)
    assert sum(proxies.resources_sent.values()) - sent <= 2
    assert stream.has_taken(mesh.world.generation)
    assert proxies.pushes_watched == 0


def test_thousands_of_changes_cost_a_peer_that_never_answers_a_few_responses() -> None:
    mesh, proxies, stream = opened()
    told: list[float] = []
    proxies.convergence = told.append
    for change in range(CHANGES):
        mesh.apply(POLICY % ("RANDOM" if change % 2 else "ROUND_ROBIN"))
        while stream.take():
            pass
        proxies.check_overdue()
        while stream.take():
            pass
        assert stream.held <= 5
        assert proxies.pushes_watched <= MAX_PUSHES
    assert not told
    assert not stream.has_taken(mesh.world.generation)
    proxies.close(stream)
    assert proxies.pushes_watched == 0


def test_a_change_that_most_wait_for_is_old_and_one_that_few_sleep_through_is_not() -> None:
    mesh = Mesh(simple("a"))
    now = 0.0
    proxies = Proxies(mesh.world, clock=lambda: now)
    streams = [proxies.open(WorkloadId("default", f"w{each}"), "node") for each in range(3)]
    for stream in streams:
        proxies.received(stream, encode_request(CLUSTER))
        settle(proxies, stream)
    assert proxies.push_age() == 0.0
    mesh.apply(POLICY % "RANDOM")
    now = 2.0
    assert proxies.push_age() == 2.0
    settle(proxies, streams[0])
    assert proxies.push_age() == 2.0
    settle(proxies, streams[1])
    assert proxies.push_age() == 0.0
    mesh.apply(POLICY % "ROUND_ROBIN")
    now = 7.0
    assert proxies.push_age() == 0.0  # overdue: the peers sleep, all of them


def test_refusals_of_what_is_not_wanted_any_more_are_forgotten() -> None:
    mesh, proxies, stream = opened()
    name = "outbound|9080||a.default.svc.cluster.local"
    proxies.received(stream, encode_request(ENDPOINT, subscribe=[name]))
    settle(proxies, stream, error="no")
    assert len(list(stream.refusals())) == 1
    proxies.received(stream, encode_request(ENDPOINT, unsubscribe=[name]))
    assert not list(stream.refusals())
    assert mesh.world.generation
