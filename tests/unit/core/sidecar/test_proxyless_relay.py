"""Stories of a workload whose programs judge for themselves: several streams below, one above."""

from collections.abc import Iterable

from google.protobuf.any_pb2 import Any as AnyMessage

from proa.core.pilot.resource import Resource, ResourceType
from proa.core.pilot.xds.sotw_wire import decode_sotw_response, encode_sotw_request
from proa.core.pilot.xds.wire import Request, decode_request, encode_resource, encode_response
from proa.core.sidecar.proxyless_relay import (
    DownTo,
    EndDown,
    EndUp,
    ProxylessAction,
    ProxylessTable,
    UpTo,
)
from proa.testing.xds import ENDPOINT, LISTENER, ROUTE


def made(kind: ResourceType, name: str, version: str) -> Resource:
    body = AnyMessage(type_url=kind.url, value=f"{name} {version}".encode()).SerializeToString()
    return Resource(type=kind, name=name, body=body, digest=version)


def asked(actions: Iterable[ProxylessAction]) -> list[Request]:
    return [decode_request(action.body) for action in actions if isinstance(action, UpTo)]


def told(actions: Iterable[ProxylessAction]) -> list[tuple[int, tuple[str, ...]]]:
    found = []
    for action in actions:
        if isinstance(action, DownTo):
            bodies = decode_sotw_response(action.body).bodies
            state = tuple(AnyMessage.FromString(body).value.decode() for body in bodies)
            found.append((action.stream, state))
    return found


def from_above(
    table: ProxylessTable, nonce: str, *resources: Resource, removed: str = ""
) -> list[ProxylessAction]:
    kind = resources[0].type if resources else LISTENER
    pieces = [encode_resource(resource) for resource in resources]
    return [*table.up_received(encode_response(kind, nonce, pieces, (removed,) if removed else ()))]


def below(
    table: ProxylessTable,
    stream: int,
    kind: ResourceType,
    *names: str,
    nonce: str = "",
    error: str | None = None,
) -> list[ProxylessAction]:
    return [*table.down_received(stream, encode_sotw_request(kind, names, nonce=nonce, error=error))]


def started(*streams: int) -> ProxylessTable:
    table = ProxylessTable()
    table.up_connected()
    for stream in streams:
        table.down_connected(stream)
    return table


def test_a_stream_that_wants_nothing_says_so() -> None:
    (request,) = asked(ProxylessTable().up_connected())
    assert (request.type_url, request.subscribe) == (ROUTE.url, ())


def test_what_one_wants_is_asked_for_once_and_answered_when_all_have_judged() -> None:
    table = started(1, 2)
    assert [each.subscribe for each in asked(below(table, 1, LISTENER, "l"))] == [("l",)]
    assert not asked(below(table, 2, LISTENER, "l"))
    actions = from_above(table, "n", made(LISTENER, "l", "1"))
    assert told(actions) == [(1, ("l 1",)), (2, ("l 1",))]
    assert not asked(actions)
    assert not asked(below(table, 1, LISTENER, "l", nonce="1"))
    (ack,) = asked(below(table, 2, LISTENER, "l", nonce="1"))
    assert (ack.nonce, ack.error) == ("n", None)


def test_a_refusal_goes_up() -> None:
    table = started(1)
    below(table, 1, LISTENER, "l")
    from_above(table, "n", made(LISTENER, "l", "1"))
    (nack,) = asked(below(table, 1, LISTENER, "l", nonce="1", error="bad"))
    assert (nack.nonce, nack.error) == ("n", "l: bad")


def test_one_that_leaves_is_not_waited_for_and_its_wishes_go() -> None:
    table = started(1, 2)
    below(table, 1, LISTENER, "a")
    below(table, 2, LISTENER, "b")
    from_above(table, "n", made(LISTENER, "a", "1"), made(LISTENER, "b", "1"))
    below(table, 1, LISTENER, "a", nonce="1")
    unsubscribed, ack = asked(table.down_lost(2))
    assert unsubscribed.unsubscribe == ("b",)
    assert (ack.nonce, ack.error) == ("n", None)


def test_what_does_not_exist_is_said_below() -> None:
    table = started(1)
    below(table, 1, LISTENER, "l")
    actions = from_above(table, "n", removed="l")
    assert told(actions) == [(1, ())]
    assert [each.nonce for each in asked(actions)] == ["n"]


def test_it_serves_without_the_control_plane_and_asks_for_nothing_twice() -> None:
    table = started(1)
    below(table, 1, ENDPOINT, "c")
    from_above(table, "n", made(ENDPOINT, "c", "1"))
    below(table, 1, ENDPOINT, "c", nonce="1")
    table.up_lost()
    table.down_connected(2)
    assert told(below(table, 2, ENDPOINT, "c")) == [(2, ("c 1",))]
    below(table, 2, ENDPOINT, "c", nonce="1")
    (request,) = asked(table.up_connected())
    assert (request.subscribe, request.initial) == (("c",), {"c": "1"})


def test_nonsense_ends_the_stream_it_came_from() -> None:
    table = started(1)
    assert table.down_received(1, b"\xff") == (EndDown(stream=1, reason="not a DiscoveryRequest"),)
    assert table.down_received(1, b"") == ()
    assert table.up_received(b"\xff") == (EndUp(reason="not a DeltaDiscoveryResponse"),)
