"""Stories of the agent between a control plane and an Envoy."""

import pytest

from proa.core.pilot.resource import Resource, ResourceType
from proa.core.pilot.xds.actions import Acked, Rejected, Subscribed
from proa.core.pilot.xds.wire import (
    decode_request,
    decode_response,
    encode_request,
    encode_resource,
    encode_response,
)
from proa.core.sidecar.relay import CloseDown, CloseUp, Down, RelayAction, RelayTable, Up
from proa.testing.playbook import ANY, Playbook
from proa.testing.xds import CLUSTER, ENDPOINT, LISTENER, ROUTE, SECRET, fake_resource

Told = tuple[str, ResourceType, object, object]


def view(action: RelayAction) -> object:
    """("up", type, what is wished or answered, held versions) or ("down", type, versions, removed)."""
    match action:
        case Up():
            request = decode_request(action.body)
            kind = next(kind for kind in ResourceType if kind.url == request.type_url)
            if request.nonce:
                return "up", kind, f"nack {request.error}" if request.error is not None else "ack"
            wishes = [*request.subscribe, *(f"-{name}" for name in request.unsubscribe)]
            return "up", kind, " ".join(wishes), *([dict(request.initial)] if request.initial else [])
        case Down():
            response = decode_response(action.body)
            return "down", response.type, {r.name: r.digest for r in response.changed}, response.removed
    return action


def response(kind: ResourceType, nonce: str, *resources: Resource, removed: tuple[str, ...] = ()) -> bytes:
    return encode_response(kind, nonce, map(encode_resource, resources), removed)


def cluster(version: str) -> Resource:
    return fake_resource(CLUSTER, "c", version)


def serving() -> tuple[RelayTable, Playbook[RelayAction]]:
    """Both sides are there; the Envoy holds cluster c 1, by its nonce 1."""
    relay, story = RelayTable(), Playbook(view)
    story >> relay.up_connected() << ("up", CLUSTER, "*") << ("up", LISTENER, "*")
    story >> relay.up_received(response(CLUSTER, "u1", cluster("1")))  # nobody has judged it yet
    story >> relay.down_connected()
    story >> relay.down_received(encode_request(CLUSTER)) << Subscribed(type=CLUSTER, wildcard=True)
    story << ("down", CLUSTER, {"c": "1"}, ())
    story >> relay.down_received(encode_request(CLUSTER, nonce="1"))
    story << Acked(type=CLUSTER, name="c", version="1") << ("up", CLUSTER, "ack")
    return relay, story


def test_the_answer_goes_up_when_the_envoy_has_answered() -> None:
    relay, story = serving()
    story >> relay.up_received(response(CLUSTER, "u2", cluster("2"))) << ("down", CLUSTER, {"c": "2"}, ())
    story >> relay.down_received(encode_request(CLUSTER, nonce="2"))
    story << Acked(type=CLUSTER, name="c", version="2") << ("up", CLUSTER, "ack")
    story.ends()
    assert relay.stored() == (cluster("2"),)


def test_a_refusal_goes_up_with_its_name_and_is_remembered() -> None:
    relay, story = serving()
    story >> relay.up_received(response(CLUSTER, "u2", cluster("2"))) << ("down", CLUSTER, {"c": "2"}, ())
    story >> relay.down_received(encode_request(CLUSTER, nonce="2", error="no"))
    story << Rejected(type=CLUSTER, name="c", version="2", error="no") << ("up", CLUSTER, "nack c: no")
    story >> relay.up_received(response(CLUSTER, "u3", cluster("2"))) << ("up", CLUSTER, "nack c: no")
    assert relay.stored() == (cluster("1"),)
    # The next Envoy starts with what the last one took.
    story >> relay.down_connected()
    story >> relay.down_received(encode_request(CLUSTER)) << ANY << ("down", CLUSTER, {"c": "1"}, ())
    story.ends()


def test_what_one_envoy_took_and_the_next_refuses_is_refused_above_too() -> None:
    relay, story = serving()
    story >> relay.down_connected()
    story >> relay.down_received(encode_request(CLUSTER)) << ANY << ("down", CLUSTER, {"c": "1"}, ())
    story >> relay.down_received(encode_request(CLUSTER, nonce="1", error="no"))
    story << Rejected(type=CLUSTER, name="c", version="1", error="no") << ("up", CLUSTER, "c")
    story >> relay.up_received(response(CLUSTER, "u2", cluster("1"))) << ("up", CLUSTER, "nack c: no")
    story.ends()


def test_wishes_go_up_and_absence_comes_down() -> None:
    relay, story = serving()
    story >> relay.down_received(encode_request(ENDPOINT, subscribe=["c", "x"]))
    story << Subscribed(type=ENDPOINT, added=("c", "x")) << ("up", ENDPOINT, "c x")
    endpoints = fake_resource(ENDPOINT, "c", "1")
    story >> relay.up_received(response(ENDPOINT, "u2", endpoints, removed=("x",)))
    story << ("down", ENDPOINT, {"c": "1"}, ("x",))
    story >> relay.down_received(encode_request(ENDPOINT, nonce="2", unsubscribe=["x"]))
    story << Acked(type=ENDPOINT, name="c", version="1") << Acked(type=ENDPOINT, name="x", version="")
    story << Subscribed(type=ENDPOINT, removed=("x",)) << ("up", ENDPOINT, "-x") << ("up", ENDPOINT, "ack")
    story.ends()


def test_nobody_waits_for_what_the_envoy_does_not_want_any_more() -> None:
    relay, story = serving()
    story >> relay.down_received(encode_request(ROUTE, subscribe=["r"])) << ANY << ("up", ROUTE, "r")
    story >> relay.up_received(response(ROUTE, "u2", fake_resource(ROUTE, "r", "1"))) << ANY
    story >> relay.down_received(encode_request(ROUTE, unsubscribe=["r"]))
    story << Subscribed(type=ROUTE, removed=("r",)) << ("up", ROUTE, "-r") << ("up", ROUTE, "ack")
    story.ends()


def test_a_removal_is_answered_at_once() -> None:
    relay, story = serving()
    story >> relay.up_received(response(CLUSTER, "u2", removed=("c",)))
    story << ("down", CLUSTER, {}, ("c",)) << ("up", CLUSTER, "ack")
    story.ends()


def test_without_a_control_plane_the_table_serves() -> None:
    relay, story = serving()
    story >> relay.up_lost()
    story >> relay.down_lost()
    story >> relay.down_connected()
    story >> relay.down_received(encode_request(CLUSTER, initial={"c": "1"}))
    story << Acked(type=CLUSTER, name="c", version="1") << Subscribed(type=CLUSTER, wildcard=True)
    story >> relay.up_connected() << ("up", CLUSTER, "*", {"c": "1"}) << ("up", LISTENER, "*")
    story.ends()


def test_what_is_not_judged_is_not_claimed_on_reconnect() -> None:
    relay, story = serving()
    story >> relay.up_received(response(CLUSTER, "u2", cluster("2"))) << ANY
    story >> relay.up_lost()
    story >> relay.up_connected() << ("up", CLUSTER, "*", {"c": ""}) << ANY
    story >> relay.up_received(response(CLUSTER, "v1", cluster("2")))  # still in the Envoy's hands
    story >> relay.down_received(encode_request(CLUSTER, nonce="2")) << ANY << ("up", CLUSTER, "ack")
    story.ends()


def test_an_envoy_that_goes_away_has_not_judged() -> None:
    relay, story = serving()
    story >> relay.up_received(response(CLUSTER, "u2", cluster("2"))) << ANY
    story >> relay.down_lost()
    story >> relay.down_connected()
    story >> relay.down_received(encode_request(CLUSTER, initial={"c": "1"})) << ANY << ANY
    story << ("down", CLUSTER, {"c": "2"}, ())
    story >> relay.down_received(encode_request(CLUSTER, nonce="1")) << ANY << ("up", CLUSTER, "ack")
    story.ends()


def test_wishes_of_an_earlier_envoy_end_when_the_next_has_said_its_own() -> None:
    relay, story = serving()
    story >> relay.down_received(encode_request(ROUTE, subscribe=["r"])) << ANY << ("up", ROUTE, "r")
    story >> relay.up_received(response(LISTENER, "u2")) << ("up", LISTENER, "ack")
    story >> relay.down_connected()
    story >> relay.up_received(response(ROUTE, "u3", fake_resource(ROUTE, "r", "1")))
    story >> relay.down_received(encode_request(CLUSTER, initial={"c": "1"})) << ANY << ANY
    story >> relay.down_quiet()  # it has not asked for listeners yet
    story >> relay.down_received(encode_request(LISTENER)) << ANY << ("down", LISTENER, {}, ())
    story >> relay.down_quiet()  # it owes an answer
    story >> relay.down_received(encode_request(LISTENER, nonce="1"))
    story >> relay.down_quiet() << ("up", ROUTE, "-r") << ("up", ROUTE, "ack")
    story >> relay.down_quiet()
    story.ends()


def test_what_was_on_its_way_when_it_was_dropped_blocks_no_other_answer() -> None:
    relay, story = serving()
    (
        story
        >> relay.down_received(encode_request(ENDPOINT, subscribe=["c", "d"]))
        << ANY
        << ("up", ENDPOINT, "c d")
    )
    story >> relay.down_received(encode_request(ENDPOINT, unsubscribe=["d"])) << ANY << ("up", ENDPOINT, "-d")
    late = fake_resource(ENDPOINT, "d", "1")
    story >> relay.up_received(response(ENDPOINT, "u2", late)) << ("up", ENDPOINT, "ack")
    story.ends()


def test_a_restarted_agent_serves_its_stored_table() -> None:
    relay, story = RelayTable(stored=[cluster("1"), fake_resource(ENDPOINT, "c", "1")]), Playbook(view)
    story >> relay.down_connected()
    story >> relay.down_received(encode_request(CLUSTER)) << ANY << ("down", CLUSTER, {"c": "1"}, ())
    story >> relay.up_connected() << ("up", CLUSTER, "*", {"c": ""})  # this Envoy has not judged it yet
    story << ("up", ENDPOINT, "c", {"c": "1"}) << ("up", LISTENER, "*")
    story.ends()


def test_secrets_are_the_agents_own() -> None:
    relay, story = serving()
    story >> relay.down_received(encode_request(SECRET, subscribe=["default"]))
    story << Subscribed(type=SECRET, added=("default",))
    story >> relay.set_local(fake_resource(SECRET, "default", "1")) << ("down", SECRET, {"default": "1"}, ())
    story >> relay.down_received(encode_request(SECRET, nonce="2")) << ANY
    story >> relay.drop_local(SECRET, "default") << ("down", SECRET, {}, ("default",))
    story.ends()
    with pytest.raises(ValueError, match="control plane"):
        relay.set_local(cluster("1"))


def test_garbage_ends_the_side_it_came_from() -> None:
    relay, story = serving()
    story >> relay.up_received(b"\xff\xff") << CloseUp(reason="not a DeltaDiscoveryResponse")
    story >> relay.down_received(b"\xff\xff") << CloseDown(reason="not a DeltaDiscoveryRequest")
    story >> relay.down_received(encode_request(CLUSTER))
    story.ends()


def test_an_overdue_envoy_holds_nothing_below() -> None:
    relay, story = serving()
    story >> relay.up_received(response(CLUSTER, "u2", cluster("2"))) << ANY
    assert relay.awaited() == {CLUSTER}
    (
        story >> relay.up_received(response(CLUSTER, "u3", cluster("3"))) << ("up", CLUSTER, "ack")
    )  # u2 is superseded
    story >> relay.down_overdue(CLUSTER) << ("down", CLUSTER, {"c": "3"}, ())
    story.ends()
