"""What a node may do grows with what it runs, and the memory of it is bounded."""

import pytest

from proa.control_plane.callers import Callers
from proa.control_plane.limits import Limits, grown
from proa.runtime.bucket import Rate


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def test_a_node_of_many_workloads_may_sign_more() -> None:
    limits = Limits(signs_of_node=Rate(per_s=1, burst=2), signs_of_workload=Rate(per_s=1, burst=1))
    callers = Callers(limits, Clock())
    assert [callers.may_sign("small", 1) == 0 for _ in range(4)] == [True, True, True, False]
    assert [callers.may_sign("large", 100) == 0 for _ in range(103)] == [True] * 102 + [False]
    assert callers.may_sign("small", 1) == 0.5


def test_every_leaf_of_a_node_may_be_renewed_every_five_seconds() -> None:
    clock = Clock()
    callers = Callers(Limits(), clock)
    for _ in range(24):
        assert all(callers.may_sign("node", 200) == 0 for _ in range(201))
        clock.now += 5.0


def test_all_streams_of_a_node_may_come_back_at_once_twice() -> None:
    callers = Callers(Limits(), Clock())
    assert all(callers.may_open("node", 500) == 0 for _ in range(1000))


def test_streams_and_signatures_are_counted_apart() -> None:
    limits = Limits(
        signs_of_node=Rate(per_s=1, burst=1),
        signs_of_workload=Rate(per_s=1, burst=1),
        streams_of_node=Rate(per_s=1, burst=1),
        streams_of_workload=Rate(per_s=1, burst=1),
    )
    callers = Callers(limits, Clock())
    assert callers.may_sign("node", 0) == 0
    assert callers.may_open("node", 0) == 0
    assert callers.may_open("node", 0) == 1


def test_a_line_waits_for_its_messages_and_for_their_size() -> None:
    limits = Limits(
        requests_of_stream=Rate(per_s=1, burst=2),
        bytes_of_stream=Rate(per_s=10, burst=100),
        requests_of_node=Rate(per_s=1, burst=3),
    )
    callers = Callers(limits, Clock())
    one, other = callers.stream("node"), callers.stream("node")
    assert one.after(b"x" * 120) == pytest.approx(2.0)
    assert other.after(b"") == 0.0
    assert other.after(b"") == 0.0
    assert other.after(b"") == pytest.approx(1.0)


def test_nodes_that_were_quiet_are_forgotten_and_the_loud_are_not() -> None:
    clock = Clock()
    limits = Limits(
        nodes=10, streams_of_node=Rate(per_s=1, burst=1), streams_of_workload=Rate(per_s=1, burst=1)
    )
    callers = Callers(limits, clock)
    for each in range(30):
        callers.may_open(f"quiet-{each}", 0)
    clock.now = 100.0
    assert callers.may_open("quiet-0", 0) == 0
    assert callers.may_open("new", 0) == 0
    assert callers.remembered == 2
    for each in range(100):
        callers.may_open(f"loud-{each}", 0)
    assert callers.remembered <= 30


def test_a_rate_grows_by_what_each_adds() -> None:
    assert grown(Rate(per_s=1, burst=2), Rate(per_s=3, burst=4), 5) == Rate(per_s=16, burst=22)
