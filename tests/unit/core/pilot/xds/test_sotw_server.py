"""Stories of one state-of-the-world stream: what gRPC's client says, and what it is sent."""

import msgspec
from google.protobuf.any_pb2 import Any as AnyMessage

from proa.core.pilot.resource import Resource, ResourceType
from proa.core.pilot.xds.actions import Acked, Action, Close, Rejected, Send, Subscribed
from proa.core.pilot.xds.sotw_server import SotwServer
from proa.core.pilot.xds.sotw_wire import decode_sotw_response, encode_sotw_request
from proa.testing.playbook import ANY, Playbook
from proa.testing.xds import CLUSTER, ENDPOINT, LISTENER, ROUTE, FakeSource


class Told(msgspec.Struct, frozen=True):
    """A response as a story tells it: bodies here are `name version`."""

    type: ResourceType
    nonce: str
    state: tuple[str, ...] = ()


def made(kind: ResourceType, name: str, version: str) -> Resource:
    body = AnyMessage(type_url=kind.url, value=f"{name} {version}".encode()).SerializeToString()
    return Resource(type=kind, name=name, body=body, digest=version)


def view(action: Action) -> object:
    if not isinstance(action, Send):
        return action
    response = decode_sotw_response(action.body)
    state = tuple(AnyMessage.FromString(body).value.decode() for body in response.bodies)
    return Told(response.type, response.nonce, state)


def want(kind: ResourceType, *names: str, nonce: str = "", error: str | None = None) -> bytes:
    return encode_sotw_request(kind, names, nonce=nonce, error=error)


def started(*resources: Resource) -> tuple[FakeSource, SotwServer, Playbook[Action]]:
    source = FakeSource(*resources)
    return source, SotwServer(source), Playbook(view)


def test_a_client_goes_from_listener_to_endpoints() -> None:
    _, server, story = started(
        made(LISTENER, "l", "1"), made(ROUTE, "r", "1"), made(CLUSTER, "c", "1"), made(ENDPOINT, "c", "1")
    )
    story >> server.receive(want(LISTENER, "l")) << Subscribed(type=LISTENER, added=("l",))
    story << Told(LISTENER, "1", ("l 1",))
    story >> server.receive(want(LISTENER, "l", nonce="1")) << Acked(type=LISTENER, name="l", version="1")
    story >> server.receive(want(ROUTE, "r")) << ANY << Told(ROUTE, "2", ("r 1",))
    story >> server.receive(want(ROUTE, "r", nonce="2")) << ANY
    story >> server.receive(want(CLUSTER, "c")) << ANY << Told(CLUSTER, "3", ("c 1",))
    story >> server.receive(want(ENDPOINT, "c")) << ANY << Told(ENDPOINT, "4", ("c 1",))
    story >> server.receive(want(CLUSTER, "c", nonce="3")) << ANY
    story >> server.receive(want(ENDPOINT, "c", nonce="4")) << ANY
    story.ends()
    assert server.is_settled
    assert server.acked(ENDPOINT) == {"c": "1"}


def test_clusters_travel_whole_and_endpoints_in_parts() -> None:
    source, server, story = started(*(made(kind, name, "1") for kind in (CLUSTER, ENDPOINT) for name in "ab"))
    story >> server.receive(want(CLUSTER, "a", "b")) << ANY << Told(CLUSTER, "1", ("a 1", "b 1"))
    story >> server.receive(want(CLUSTER, "a", "b", nonce="1")) << ANY << ANY
    story >> server.receive(want(ENDPOINT, "a", "b")) << ANY << Told(ENDPOINT, "2", ("a 1", "b 1"))
    story >> server.receive(want(ENDPOINT, "a", "b", nonce="2")) << ANY << ANY
    story >> server.offer([source.set(made(ENDPOINT, "b", "2"))]) << Told(ENDPOINT, "3", ("b 2",))
    story >> server.receive(want(ENDPOINT, "a", "b", nonce="3")) << ANY
    story >> server.offer([source.set(made(CLUSTER, "b", "2"))]) << Told(CLUSTER, "4", ("a 1", "b 2")) << ANY
    story.ends()


def test_the_version_is_the_sets() -> None:
    def version(*resources: Resource) -> str:
        server = SotwServer(FakeSource(*resources))
        *_, sent = server.receive(want(CLUSTER))
        assert isinstance(sent, Send)
        return decode_sotw_response(sent.body).version

    a, b = made(CLUSTER, "a", "1"), made(CLUSTER, "b", "1")
    assert version(a, b) == version(b, a) != version(a)


def test_a_wildcard_is_answered_even_when_there_is_nothing() -> None:
    source, server, story = started()
    story >> server.receive(want(CLUSTER)) << Subscribed(type=CLUSTER, wildcard=True) << Told(CLUSTER, "1")
    story >> server.receive(want(CLUSTER, nonce="1"))
    story >> server.offer([source.set(made(CLUSTER, "a", "1"))]) << Told(CLUSTER, "2", ("a 1",))
    story >> server.receive(want(CLUSTER, nonce="2")) << ANY
    story >> server.offer([source.remove(CLUSTER, "a")]) << Told(CLUSTER, "3")
    story >> server.receive(want(CLUSTER, nonce="3")) << Acked(type=CLUSTER, name="a", version="")
    story.ends()


def test_without_names_after_names_nothing_is_wanted() -> None:
    _, server, story = started(made(LISTENER, "a", "1"), made(LISTENER, "b", "1"))
    story >> server.receive(want(LISTENER, "a")) << ANY << Told(LISTENER, "1", ("a 1",))
    story >> server.receive(want(LISTENER, nonce="1")) << ANY << Subscribed(type=LISTENER, removed=("a",))
    story.ends()
    assert server.is_settled


def test_a_request_that_crossed_a_response_is_no_answer_to_it() -> None:
    source, server, story = started(made(CLUSTER, "a", "1"), made(CLUSTER, "b", "1"))
    story >> server.receive(want(CLUSTER, "a")) << ANY << Told(CLUSTER, "1", ("a 1",))
    story >> server.receive(want(CLUSTER, "a", nonce="1")) << ANY
    story >> server.offer([source.set(made(CLUSTER, "a", "2"))]) << Told(CLUSTER, "2", ("a 2",))
    story >> server.receive(want(CLUSTER, "a", "b", nonce="1")) << Subscribed(type=CLUSTER, added=("b",))
    story >> server.receive(want(CLUSTER, "a", "b", nonce="2")) << Acked(type=CLUSTER, name="a", version="2")
    story << Told(CLUSTER, "3", ("a 2", "b 1"))
    story.ends()


def test_the_latest_value_wins_and_one_response_is_on_its_way() -> None:
    source, server, story = started(made(ENDPOINT, "a", "1"))
    story >> server.receive(want(ENDPOINT, "a")) << ANY << Told(ENDPOINT, "1", ("a 1",))
    for version in "2345":
        story >> server.offer([source.set(made(ENDPOINT, "a", version))])
    story >> server.receive(want(ENDPOINT, "a", nonce="1")) << ANY << Told(ENDPOINT, "2", ("a 5",))
    story.ends()


def test_what_does_not_exist_is_left_out_but_what_is_unknown_is_waited_for() -> None:
    source, server, story = started(made(LISTENER, "a", "1"))
    source.is_complete = False
    story >> server.receive(want(LISTENER, "a", "b")) << ANY
    source.is_complete = True
    story >> server.offer([(LISTENER, "b")]) << Told(LISTENER, "1", ("a 1",))
    story >> server.receive(want(LISTENER, "a", "b", nonce="1")) << ANY << Told(LISTENER, "2", ("a 1",))
    story.ends()


def test_what_comes_while_a_state_waits_goes_with_it() -> None:
    source, server, story = started(made(LISTENER, "a", "1"))
    source.is_complete = False
    story >> server.receive(want(LISTENER, "a", "b")) << ANY
    source.is_complete = True
    story >> server.offer([source.set(made(LISTENER, "b", "1"))]) << Told(LISTENER, "1", ("a 1", "b 1"))
    # It was of no difference, so a refusal is first asked about again without it.
    story >> server.receive(want(LISTENER, "a", "b", nonce="1", error="b is bad"))
    story << Told(LISTENER, "2", ("a 1",))
    (
        story
        >> server.receive(want(LISTENER, "a", "b", nonce="2"))
        << Acked(type=LISTENER, name="a", version="1")
    )
    story << Told(LISTENER, "3", ("a 1", "b 1"))
    story >> server.receive(want(LISTENER, "a", "b", nonce="3", error="b is bad"))
    story << Rejected(type=LISTENER, name="b", version="1", error="b is bad")
    story.ends()
    assert server.is_settled


def test_the_guilty_is_found_and_stays_at_its_last_good_version() -> None:
    source, server, story = started(*(made(CLUSTER, name, "1") for name in "abc"))
    story >> server.receive(want(CLUSTER)) << ANY << ANY
    story >> server.receive(want(CLUSTER, nonce="1")) << ANY << ANY << ANY
    changes = [source.set(made(CLUSTER, name, "2")) for name in "abc"]
    story >> server.offer(changes) << Told(CLUSTER, "2", ("a 2", "b 2", "c 2"))
    story >> server.receive(want(CLUSTER, nonce="2", error="b!"))
    story << Told(CLUSTER, "3", ("a 2", "b 1", "c 2"))
    (
        story
        >> server.receive(want(CLUSTER, nonce="3"))
        << ANY
        << ANY
        << Told(CLUSTER, "4", ("a 2", "b 2", "c 2"))
    )
    story >> server.receive(want(CLUSTER, nonce="4", error="b!"))
    story << Rejected(type=CLUSTER, name="b", version="2", error="b!")
    story >> server.offer([source.set(made(CLUSTER, "a", "3"))])
    story << Told(CLUSTER, "5", ("a 3", "b 1", "c 2"))
    story >> server.receive(want(CLUSTER, nonce="5")) << ANY
    story >> server.offer([source.set(made(CLUSTER, "b", "3"))])
    story << Told(CLUSTER, "6", ("a 3", "b 3", "c 2"))
    story.ends()


def test_endpoints_that_are_gone_are_not_told() -> None:
    source, server, story = started(made(ENDPOINT, "a", "1"))
    story >> server.receive(want(ENDPOINT, "a")) << ANY << ANY
    story >> server.receive(want(ENDPOINT, "a", nonce="1")) << ANY
    story >> server.offer([source.remove(ENDPOINT, "a")]) << Acked(type=ENDPOINT, name="a", version="")
    story >> server.offer([source.set(made(ENDPOINT, "a", "2"))]) << Told(ENDPOINT, "2", ("a 2",))
    story.ends()


def test_make_before_break() -> None:
    source, server, story = started(made(CLUSTER, "old", "1"), made(ROUTE, "r", "1"))
    story >> server.receive(want(CLUSTER)) << ANY << ANY
    story >> server.receive(want(CLUSTER, nonce="1")) << ANY
    story >> server.receive(want(ROUTE, "r")) << ANY << ANY
    story >> server.receive(want(ROUTE, "r", nonce="2")) << ANY
    changes = [
        source.set(made(ROUTE, "r", "2")),
        source.remove(CLUSTER, "old"),
        source.set(made(CLUSTER, "new", "1")),
        source.set(made(ENDPOINT, "new", "1")),
    ]
    story >> server.offer(changes) << Told(CLUSTER, "3", ("new 1", "old 1"))
    story >> server.receive(want(ENDPOINT, "new")) << ANY << Told(ENDPOINT, "4", ("new 1",))
    story >> server.receive(want(CLUSTER, nonce="3")) << ANY
    story >> server.receive(want(ENDPOINT, "new", nonce="4")) << ANY << Told(ROUTE, "5", ("r 2",))
    story >> server.receive(want(ROUTE, "r", nonce="5")) << ANY << Told(CLUSTER, "6", ("new 1",))
    story.ends()


def test_what_is_no_request_closes_and_an_unknown_type_is_not_heard() -> None:
    _, server, story = started()
    story >> server.receive(b"\xff") << Close(reason="not a DiscoveryRequest")
    story >> server.receive(b"\x22\x04what")
    story.ends()
