"""The laws of the kill list that `tests/endurance` performs: whatever the seed, nothing is dead by right."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proa.testing.load import Record, Shot
from tests.endurance.kill_list import (
    CUT_OFF_MAX_S,
    EVERY_S,
    LEAF_TTL_S,
    RECOVERY_S,
    RULES,
    Fault,
    KillList,
    Window,
    allowed,
    draw,
    longest_cut_off,
    place,
    unexcused,
)

seeds = st.integers(0, 1 << 32)
lengths = st.floats(0, 400)
machines = st.sets(st.sampled_from(["networks", "disks"]))
lists = st.builds(draw, seeds, lengths, able=machines)


@given(seeds, lengths, machines)
def test_the_same_seed_draws_the_same_list(seed: int, seconds: float, able: set[str]) -> None:
    assert draw(seed, seconds, able=able) == draw(seed, seconds, able=sorted(able, reverse=True))


def test_another_seed_draws_another_list() -> None:
    assert draw(1, 600).faults != draw(2, 600).faults


@given(lists)
def test_every_fault_begins_in_its_slot_and_ends_within_the_list(drawn: KillList) -> None:
    starts = [each.at for each in drawn.faults]
    assert all(at % EVERY_S == 0 for at in starts)
    assert all(later > earlier for earlier, later in pairwise(starts))
    assert all(each.at >= 0 and each.ends <= drawn.seconds for each in drawn.faults)
    assert all(each.at >= 0 and each.ends <= drawn.seconds for each in drawn.changes)
    for fault in drawn.faults:
        shortest, longest = RULES[fault.kind].lasts
        assert shortest <= fault.lasts <= longest
        assert fault.target in RULES[fault.kind].targets


@given(lists)
def test_one_replica_always_serves(drawn: KillList) -> None:
    harmful = [each for each in drawn.faults if RULES[each.kind].harms]
    assert all(later.at >= earlier.ends + RECOVERY_S for earlier, later in pairwise(harmful))


@given(lists)
def test_no_place_has_two_faults_at_once(drawn: KillList) -> None:
    for number, later in enumerate(drawn.faults):
        for earlier in drawn.faults[:number]:
            assert place(earlier) != place(later) or later.at >= earlier.ends + RECOVERY_S


@given(lists)
def test_every_certificate_can_be_renewed_in_time(drawn: KillList) -> None:
    assert longest_cut_off(drawn.faults) <= CUT_OFF_MAX_S < LEAF_TTL_S / 2


@given(seeds, lengths)
def test_what_a_machine_cannot_do_is_not_drawn(seed: int, seconds: float) -> None:
    assert not [each for each in draw(seed, seconds, able=()).faults if RULES[each.kind].needs]


def test_twenty_minutes_break_everything() -> None:
    drawn = draw(3, 1200)
    assert {each.kind for each in drawn.faults} == set(RULES)
    assert len(drawn.faults) > 80
    assert {each.kind for each in drawn.changes} == {"apply", "delete", "roll back", "join"}


def fault(kind: str, at: float, lasts: float, target: str = "control") -> Fault:
    return Fault(at=at, lasts=lasts, kind=kind, target=target)  # type: ignore[arg-type]  # told by the caller


def test_cut_offs_that_nearly_touch_count_as_one() -> None:
    first = fault("pause control plane", 0, 20)
    assert longest_cut_off([first, fault("part agent", 20, 25, "a")]) == 45
    assert longest_cut_off([first, fault("part agent", 30, 25, "a")]) == 25
    assert longest_cut_off([first, fault("kill envoy", 10, 0, "echo-a")]) == 20


@pytest.mark.parametrize(
    ("earlier", "later", "may"),
    [
        (fault("kill envoy", 0, 0, "echo-a"), fault("kill app", 10, 0, "echo-b"), True),
        (fault("kill agent", 0, 4, "a"), fault("kill app", 10, 0, "echo-b"), True),
        (fault("kill app", 5, 0, "echo-a"), fault("kill app", 10, 0, "echo-b"), False),
        (fault("kill agent", 0, 4, "a"), fault("kill app", 10, 0, "echo-a"), False),
        (fault("pause control plane", 0, 20), fault("kill envoy", 10, 0, "echo-b"), True),
        (fault("pause control plane", 0, 5), fault("kill control plane", 10, 0), False),
        (fault("pause agent", 0, 15, "a"), fault("kill envoy", 10, 0, "caller"), False),
        (fault("pause agent", 0, 15, "a"), fault("kill envoy", 10, 0, "echo-b"), True),
    ],
)
def test_what_may_come_when(earlier: Fault, later: Fault, may: bool) -> None:
    assert allowed(later, [earlier]) is may


def failure(intended: float, ended: float) -> Record:
    return Record(
        shot=Shot(url="http://echo"), intended=intended, sent=intended, ended=ended, failure="closed"
    )


def test_only_requests_on_their_way_through_what_is_broken_are_excused() -> None:
    killed = Window(fault=fault("kill envoy", 0, 0, "echo-a"), began=10.0, ended=11.0)
    before, crossing, within, after = (
        failure(8, 9.9),
        failure(9, 10.1),
        failure(10.5, 20),
        failure(11.1, 11.2),
    )
    assert unexcused([before, crossing, within, after], [killed]) == (before, after)
    away = Window(fault=fault("kill control plane", 0, 20), began=0.0, ended=100.0)
    assert unexcused([within], [away]) == (within,)


def test_a_replicas_death_excuses_one_request_on_each_connection() -> None:
    lost = [failure(10 + number / 100, 10.5) for number in range(6)]
    replica = Window(fault=fault("kill app", 0, 0, "echo-b"), began=10.0, ended=11.0)
    assert unexcused(lost, [replica]) == tuple(lost[4:])
    assert unexcused(lost, [replica, replica]) == ()
    caller = Window(fault=fault("kill envoy", 0, 0, "caller"), began=10.0, ended=11.0)
    assert unexcused(lost, [caller]) == ()
