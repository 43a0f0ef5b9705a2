"""How a request's wishes are read."""

import pytest

from proa.core.pilot.resource import ResourceType
from proa.core.pilot.xds.actions import Acked, Subscribed
from proa.core.pilot.xds.delta_state import TypeState
from proa.core.pilot.xds.subscriptions import Touch, subscribe
from proa.core.pilot.xds.wire import Request
from proa.testing.xds import CLUSTER, ENDPOINT, FakeSource, fake_resource

SOURCE = FakeSource(*(fake_resource(CLUSTER, name, "1") for name in "ab"))


def ask(state: TypeState, *names: str, drop: tuple[str, ...] = (), **initial: str) -> list[object]:
    request = Request(type_url=state.kind.url, subscribe=names, unsubscribe=drop, initial=initial)
    return list(subscribe(state, request, SOURCE, {}, resend=False))


@pytest.mark.parametrize("first", [(), ("*",), ("*", "a")])
def test_a_wildcard_begins_by_an_empty_first_request_or_a_star(first: tuple[str, ...]) -> None:
    state = TypeState(CLUSTER)
    touch, subscribed = ask(state, *first)
    assert isinstance(touch, Touch)
    assert set(touch.names) == {"a", "b"}
    assert subscribed == Subscribed(type=CLUSTER, added=tuple(n for n in first if n != "*"), wildcard=True)
    assert state.wants("anything")


def test_names_alone_are_no_wildcard_and_types_by_name_have_none() -> None:
    state = TypeState(CLUSTER)
    ask(state, "a")
    ask(state)
    assert not state.wildcard
    endpoints = TypeState(ENDPOINT)
    ask(endpoints)
    ask(endpoints, "*")
    assert not endpoints.wants("a")


def test_dropping_the_star_keeps_explicit_names() -> None:
    state = TypeState(CLUSTER)
    ask(state, "*", "a", a="1", b="1")
    assert state.held == {"a": "1", "b": "1"}
    assert ask(state, drop=("*",)) == [Subscribed(type=CLUSTER, wildcard=False)]
    assert state.held == {"a": "1"}


def test_dropping_a_name_below_a_wildcard_wants_an_answer() -> None:
    state = TypeState(CLUSTER)
    ask(state, "*", "a")
    assert ask(state, drop=("a",)) == [
        Touch(names=["a"]),
        Subscribed(type=CLUSTER, removed=("a",), wildcard=True),
    ]
    assert state.forced == {"a"}


def test_held_versions_count_only_for_what_is_wanted() -> None:
    state = TypeState(ENDPOINT)
    events = ask(state, "a", a="1", stranger="1")
    assert events[0] == Acked(type=ENDPOINT, name="a", version="1")
    assert state.held == {"a": "1"}
    assert state.forced == set()


def test_an_empty_held_version_claims_nothing() -> None:
    state = TypeState(ENDPOINT)
    assert not any(isinstance(event, Acked) for event in ask(state, "a", a=""))
    assert state.held == {"a": ""}


def test_endpoints_of_a_warming_cluster_belong_to_its_change() -> None:
    state = TypeState(ResourceType.ENDPOINT)
    warming = {"a": 3}
    request = Request(type_url=state.kind.url, subscribe=("a",), initial={"a": "1"})
    assert Touch(names=["a"], first=3) in list(subscribe(state, request, SOURCE, warming, resend=False))
    assert state.forced == {"a"}
    assert warming == {}
