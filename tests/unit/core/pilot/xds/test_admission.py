"""Who begins, who waits, who is sent away."""

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proa.core.pilot.xds.admission import Admission, Backlog, Bounds, places

IDLE = Backlog()
FEW = Bounds(at_once=4, patience_s=3.0, waiting=10, waiting_of_node=6)

Stream = tuple[str, int]


def asking(admission: Admission[Stream], node: str, count: int) -> None:
    for each in range(count):
        assert admission.ask((node, each), node) is None


def test_all_begin_at_once_while_there_is_room() -> None:
    admission: Admission[Stream] = Admission(FEW)
    asking(admission, "a", 2)
    asking(admission, "b", 2)
    assert len(admission.admit(0.0, IDLE)) == 4
    assert admission.waiting == 0


def test_a_node_has_half_of_the_places_and_another_finds_room() -> None:
    admission: Admission[Stream] = Admission(FEW)
    asking(admission, "a", 6)
    assert admission.admit(0.0, IDLE) == (("a", 0), ("a", 1))
    asking(admission, "b", 1)
    assert admission.admit(0.0, IDLE) == (("b", 0),)
    admission.filled(("a", 0), 1.0)
    assert admission.admit(1.0, IDLE) == (("a", 2),)


def test_nodes_take_turns() -> None:
    admission: Admission[Stream] = Admission(Bounds(at_once=1))
    asking(admission, "a", 3)
    asking(admission, "b", 2)
    asking(admission, "c", 1)
    order: list[str] = []
    while admission.waiting:
        for stream in admission.admit(0.0, IDLE):
            order.append(stream[0])
            admission.filled(stream, 0.0)
    assert "".join(order) == "abcaba"


def test_who_does_not_come_to_an_end_loses_its_place() -> None:
    admission: Admission[Stream] = Admission(FEW)
    asking(admission, "a", 3)
    assert len(admission.admit(0.0, IDLE)) == 2
    assert admission.admit(2.9, IDLE) == ()
    assert admission.admit(3.0, IDLE) == (("a", 2),)
    assert admission.filling == (("a", 2),)


def test_beyond_the_queue_is_no_place_and_a_time_to_come_back() -> None:
    admission: Admission[Stream] = Admission(FEW)
    asking(admission, "a", 6)
    turned = admission.ask(("a", 6), "a")
    assert turned is not None
    assert turned.reason == "queue of node full"
    assert turned.retry_s == 0.5
    asking(admission, "b", 4)
    turned = admission.ask(("c", 0), "c")
    assert turned is not None
    assert turned.reason == "queue full"
    assert admission.waiting == 10


def test_the_time_to_come_back_is_that_of_the_queue() -> None:
    admission: Admission[Stream] = Admission(Bounds(at_once=1, patience_s=100))
    asking(admission, "a", 200)
    now = 0.0
    for _ in range(100):
        (stream,) = admission.admit(now, IDLE)
        now += 0.1
        admission.filled(stream, now)
    assert admission.waiting == 100
    assert admission.retry_s() == pytest.approx(10, rel=0.01)


def test_who_leaves_makes_room() -> None:
    admission: Admission[Stream] = Admission(Bounds(at_once=1))
    asking(admission, "a", 3)
    assert admission.admit(0.0, IDLE) == (("a", 0),)
    admission.left(("a", 1))
    assert admission.admit(0.0, IDLE) == ()
    admission.left(("a", 0))
    admission.left(("a", 0))
    assert admission.admit(0.0, IDLE) == (("a", 2),)


@pytest.mark.parametrize(
    ("backlog", "count"),
    [
        (Backlog(), 64),
        (Backlog(lag_s=0.1), 64),
        (Backlog(lag_s=0.2), 32),
        (Backlog(lag_s=60.0), 1),
        (Backlog(push_s=1.0), 64),
        (Backlog(push_s=1.1), 1),
    ],
)
def test_the_further_behind_the_fewer_at_once_and_never_none(backlog: Backlog, count: int) -> None:
    assert places(Bounds(), backlog) == count


@given(
    st.integers(1, 8),
    st.lists(st.tuples(st.sampled_from(["ask", "fill", "leave", "turn"]), st.integers(0, 3)), max_size=120),
    st.floats(0, 5),
)
def test_whatever_happens_bounds_hold_and_all_get_their_turn(
    at_once: int, steps: list[tuple[str, int]], lag_s: float
) -> None:
    bounds = Bounds(at_once=at_once, waiting=12, waiting_of_node=5)
    admission: Admission[Stream] = Admission(bounds)
    now, number = 0.0, 0
    hoping: set[Stream] = set()
    for what, pick in steps:
        now += 0.5
        if what == "ask":
            number += 1
            key = (f"n{pick}", number)
            if admission.ask(key, key[0]) is None:
                hoping.add(key)
        elif what == "leave" and hoping:
            gone = sorted(hoping)[pick % len(hoping)]
            hoping.discard(gone)
            admission.left(gone)
        elif what == "fill" and admission.filling:
            admission.filled(admission.filling[pick % len(admission.filling)], now)
        admitted = admission.admit(now, Backlog(lag_s=lag_s))
        assert hoping.issuperset(admitted)
        hoping.difference_update(admitted)
        assert admission.waiting == len(hoping) <= bounds.waiting
        assert len(admission.filling) <= at_once
        assert max(Counter(node for node, _ in hoping).values(), default=0) <= bounds.waiting_of_node
    for _ in range(len(hoping)):
        now += bounds.patience_s
        hoping.difference_update(admission.admit(now, Backlog(lag_s=lag_s)))
    assert not hoping
