from hypothesis import given
from hypothesis import strategies as st
from immutables import Map

from proa.core.mixer.quota.limits import Charge, Grant, Override, QuotaLimit
from proa.core.mixer.quota.memory import NoLimit
from proa.core.mixer.quota.shared import SharedLimit, SharedQuotas, window_of
from proa.core.mixer.quota.windows import FixedWindow, RollingWindow

FIRST = Override(dimensions=Map(who="first"), max_amount=2, window_ms=1000)
BOTH = Override(dimensions=Map(who="first", what="x"), max_amount=50, window_ms=1000)
LIMIT = QuotaLimit(quota="a", max_amount=5, window_ms=1000, overrides=(FIRST, BOTH))
FIXED = SharedLimit(limit=LIMIT)
ROLLING = SharedLimit(limit=LIMIT, algorithm="ROLLING_WINDOW", bucket_ms=100)


def charge(who: str, amount: int = 1, deduplication_id: str = "") -> Charge:
    return Charge(
        quota="a",
        dimensions=Map(who=who, what="x"),
        amount=amount,
        best_effort=True,
        deduplication_id=deduplication_id,
    )


def amounts(quotas: SharedQuotas, *charges: tuple[int, Charge]) -> list[int]:
    answers = [quotas.charge(each, at) for at, each in charges]
    return [answer.amount for answer in answers if isinstance(answer, Grant)]


def told(answer: Grant | NoLimit) -> tuple[int, int]:
    assert isinstance(answer, Grant)
    return answer.amount, answer.valid_ms


def test_who_looks_takes_nothing_and_opens_no_window() -> None:
    quotas = SharedQuotas([FIXED])
    look = charge("i", 0)
    answers = [quotas.charge(look, 0), quotas.charge(charge("i", 4), 500), quotas.charge(look, 600)]
    lefts = [answer.left for answer in answers if isinstance(answer, Grant)]
    assert [(left.amount, left.wait_ms) for left in lefts if left] == [(5, 0), (1, 1000), (1, 0)]
    assert told(quotas.charge(charge("i", 2), 700)) == (1, 800)
    assert told(quotas.charge(charge("i", 1), 1499)) == (0, 1)


def test_all_that_a_limit_is_for_share_its_window() -> None:
    assert amounts(SharedQuotas([FIXED]), (0, charge("i", 3)), (0, charge("j", 3)), (999, charge("k"))) == [
        3,
        2,
        0,
    ]


def test_the_first_override_that_fits_is_the_limit_not_the_last() -> None:
    for limit in (FIXED, ROLLING):
        assert amounts(SharedQuotas([limit]), (0, charge("first", 9)), (0, charge("other", 9))) == [2, 5]


def test_a_fixed_window_ends_at_once_and_a_rolling_one_by_buckets() -> None:
    steps = ((0, charge("i", 3)), (900, charge("i", 2)), (1000, charge("i", 5)), (1900, charge("i", 5)))
    assert amounts(SharedQuotas([FIXED]), *steps) == [3, 2, 5, 0]
    assert amounts(SharedQuotas([ROLLING]), *steps) == [3, 2, 3, 2]


def test_validity_is_to_the_end_of_a_fixed_window_and_a_whole_rolling_one() -> None:
    fixed, rolling = SharedQuotas([FIXED]), SharedQuotas([ROLLING])
    for at, left in ((0, 1000), (300, 700), (1300, 1000)):
        assert [told(fixed.charge(charge("i"), at)), told(rolling.charge(charge("i"), at))] == [
            (1, left),
            (1, 1000),
        ]


@given(st.integers(0, 3000), st.sampled_from([FIXED, ROLLING]))
def test_an_id_is_remembered_as_long_as_its_grant_holds(after: int, limit: SharedLimit) -> None:
    quotas = SharedQuotas([limit])
    once = charge("i", 3, deduplication_id="d")
    assert told(quotas.charge(once, 0)) == (3, 1000)
    assert told(quotas.charge(once, after)) == (3, 1000 - after if after < 1000 else 1000)
    assert amounts(quotas, (after, charge("i", 9))) == [2]


def test_nothing_can_be_given_back() -> None:
    assert amounts(SharedQuotas([FIXED]), (0, charge("i", 5)), (0, charge("i", -5)), (0, charge("i"))) == [
        5,
        0,
        0,
    ]


def test_a_quota_that_nothing_limits_is_named() -> None:
    assert SharedQuotas([FIXED]).charge(Charge(quota="b"), 0) == NoLimit(quota="b")


def test_answers_are_bounded() -> None:
    quotas = SharedQuotas([FIXED], most_answers=1)
    steps = [(0, charge("i", 1, deduplication_id=each)) for each in ("d", "e", "d")]
    assert amounts(quotas, *steps, (0, charge("i", 9))) == [1, 1, 1, 2]


def test_windows_are_of_the_algorithm() -> None:
    assert isinstance(window_of(FIXED), FixedWindow)
    assert isinstance(window_of(ROLLING), RollingWindow)
