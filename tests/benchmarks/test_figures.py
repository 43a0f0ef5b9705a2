import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.figures import Figure, Goal, percentile, rounds


def figure(
    ours: tuple[float, ...] = (1.0,) * 5,
    peer: tuple[float, ...] = (2.0,) * 5,
    goal: Goal | None = None,
    achieved: tuple[float, ...] = (),
    flaws: tuple[str, ...] = (),
) -> Figure:
    return Figure(
        benchmark="B0",
        figure="a figure",
        unit="s",
        ours=ours,
        peer=peer,
        peer_name="somebody",
        goal=goal,
        achieved=achieved,
        flaws=flaws,
    )


def test_the_ratio_is_the_median_of_pairs_and_not_the_ratio_of_medians() -> None:
    # The machine got slower and slower; each pair felt it alike.
    assert figure(ours=(1.0, 2.0, 4.0, 8.0, 30.0), peer=(2.0, 4.0, 8.0, 16.0, 20.0)).ratio == 0.5


@pytest.mark.parametrize(
    ("goal", "ratio", "met"),
    [
        (Goal(ratio=0.5), 0.5, True),
        (Goal(ratio=0.5), 0.51, False),
        (Goal(ratio=0.92, sense="at least"), 0.92, True),
        (Goal(ratio=0.92, sense="at least"), 0.91, False),
    ],
)
def test_a_goal_is_met_on_its_side_of_the_ratio(goal: Goal, ratio: float, met: bool) -> None:
    assert figure(ours=(ratio,) * 5, peer=(1.0,) * 5, goal=goal).met is met


def test_a_figure_with_too_few_pairs_says_so_and_meets_nothing() -> None:
    found = figure(ours=(1.0,), peer=(2.0,), goal=Goal(ratio=1.0))
    assert found.problems == ("1 pairs, fewer than 5",)
    assert found.met is None


def test_a_load_that_was_not_achieved_spoils_the_figure() -> None:
    assert figure(achieved=(1.0, 1.0, 0.98, 1.0, 1.0)).problems == ("only 98.0% of the load was achieved",)
    assert not figure(achieved=(1.0, 0.99, 1.0, 1.0, 1.0)).problems


def test_flaws_and_missing_numbers_are_problems() -> None:
    assert figure(flaws=("it rained",)).problems == ("it rained",)
    assert figure(peer=(1.0, 0.0, 1.0, 1.0, 1.0)).problems == ("a series holds no number",)


def test_a_goal_for_our_own_value_does_not_ask_for_a_ratio() -> None:
    # A peer that refuses nobody and one that grows with everything: neither is what is judged.
    goal = Goal(ratio=0.1, of="ours")
    assert str(goal) == "ours <= 0.1"
    none_refused = figure(ours=(0.0,) * 5, peer=(0.0,) * 5, goal=goal)
    assert not none_refused.problems
    assert none_refused.met
    assert figure(ours=(0.2,) * 5, peer=(2.0,) * 5, goal=goal).met is False
    assert figure(ours=(math.nan,) * 5, goal=goal).problems == ("a series holds no number",)


def test_rounds_alternate_their_order() -> None:
    assert list(rounds("AB", 3)) == [(0, "A"), (0, "B"), (1, "B"), (1, "A"), (2, "A"), (2, "B")]


@given(st.lists(st.floats(allow_nan=False, allow_infinity=False), min_size=1), st.floats(0, 100))
def test_a_percentile_is_one_of_the_values_with_its_share_at_or_below(
    values: list[float], percent: float
) -> None:
    found = percentile(values, percent)
    assert found in values
    assert sum(value <= found for value in values) >= percent / 100 * len(values) - 1e-6


def test_the_percentile_of_nothing_is_no_number() -> None:
    assert math.isnan(percentile([], 50))
