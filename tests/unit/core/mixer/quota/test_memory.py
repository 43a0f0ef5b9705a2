"""memquota against a naive one: every grant in a list, and a table of ids that is looked through."""

from hypothesis import given
from hypothesis import strategies as st
from immutables import Map

from proa.core.mixer.quota.limits import Charge, Grant, Left, Override, QuotaLimit, choose
from proa.core.mixer.quota.memory import LOOK_MS, Full, MemoryQuotas, NoLimit, window_of
from proa.core.mixer.quota.windows import Counter, RollingWindow

LIMIT = QuotaLimit(
    quota="a",
    max_amount=5,
    window_ms=1000,
    overrides=(
        Override(dimensions=Map(who="first"), max_amount=2, window_ms=2000),
        Override(dimensions=Map(who="first", what="x"), max_amount=50, window_ms=1000),
        Override(dimensions=Map(what="counted"), max_amount=4),
    ),
)
dimensions = st.fixed_dictionaries(
    {"who": st.sampled_from(["first", "other"]), "what": st.sampled_from(["x", "y", "counted"])}
)
charges = st.builds(
    lambda pairs, amount, best_effort: Charge(
        quota="a", dimensions=Map(pairs), amount=amount, best_effort=best_effort
    ),
    dimensions,
    st.integers(-3, 6),
    st.booleans(),
)


class _Naive:
    """Keeps all grants of each set of dimensions, the slot each was made in, and what of it is given back."""

    def __init__(self) -> None:
        self.told: dict[Map[str, str], list[list[int]]] = {}

    def charge(self, charge: Charge, now: int) -> int:
        chosen = choose(LIMIT, charge.dimensions)
        told = self.told.setdefault(charge.dimensions, [])
        live = [
            each
            for each in told
            if not chosen.window_ms or each[0] * 100 + -(-chosen.window_ms // 1000) * 1000 > now
        ]
        if charge.amount < 0:
            left = -charge.amount
            for each in reversed(live):
                taken = min(left, each[1])
                each[1] -= taken
                left -= taken
            return charge.amount + left
        free = chosen.max_amount - sum(each[1] for each in live)
        given = charge.amount if charge.amount <= free else max(free, 0) if charge.best_effort else 0
        told.append([now // 100, given])
        return given


@given(st.lists(st.tuples(st.integers(0, 900), charges), max_size=60))
def test_it_is_a_list_of_all_grants(steps: list[tuple[int, Charge]]) -> None:
    quotas, naive, now = MemoryQuotas([LIMIT]), _Naive(), 0
    for after, charge in steps:
        now += after
        answer = quotas.charge(charge, now)
        assert isinstance(answer, Grant)
        assert answer.amount == naive.charge(charge, now)
        if charge.amount >= 0:
            assert answer.valid_ms == choose(LIMIT, charge.dimensions).window_ms


@given(st.lists(st.tuples(st.integers(0, 300), st.sampled_from(["", "i", "j"]), charges), max_size=40))
def test_a_repeated_id_changes_nothing(steps: list[tuple[int, str, Charge]]) -> None:
    """Of one that is asked within a period the answer is the first one's, and those without ids do not feel it."""
    quotas, alone, now = MemoryQuotas([LIMIT]), MemoryQuotas([LIMIT]), 0
    first: dict[tuple[str, Map[str, str]], tuple[int, Grant]] = {}
    for after, said_name, charge in steps:
        now += after
        name = said_name if charge.amount else ""  # who looks is told how it is now
        said = Charge(
            quota="a",
            dimensions=charge.dimensions,
            amount=abs(charge.amount),
            best_effort=charge.best_effort,
            deduplication_id=name,
        )
        answer = quotas.charge(said, now)
        assert isinstance(answer, Grant)
        known = first.get((name, charge.dimensions))
        if name and known and now - known[0] <= 1000:
            left_ms = max(known[1].valid_ms - (now - known[0]), 0)
            assert (answer.amount, answer.valid_ms) == (known[1].amount, left_ms)
        elif name and known and now - known[0] < 2000:
            return  # between one and two periods it may be either
        else:
            assert answer == alone.charge(
                Charge(
                    quota="a",
                    dimensions=charge.dimensions,
                    amount=abs(charge.amount),
                    best_effort=charge.best_effort,
                ),
                now,
            )
            first[name, charge.dimensions] = now, answer


def test_who_looks_is_told_what_is_left_and_takes_nothing() -> None:
    quotas = MemoryQuotas([QuotaLimit(quota="a", max_amount=5, window_ms=1000)], most_cells=1)
    look = Charge(quota="a", amount=0)
    full = Grant(amount=0, valid_ms=1000, left=Left(maximum=5, window_ms=1000, amount=5, wait_ms=0))
    assert [quotas.charge(look, 0), quotas.charge(look, 0)] == [full, full]
    assert quotas.cells == 0
    quotas.charge(Charge(quota="a", amount=4), 100)
    answer = quotas.charge(look, 200)
    assert isinstance(answer, Grant)
    assert answer.left
    assert answer.left.amount == 1


@given(st.lists(st.tuples(st.integers(0, 400), st.integers(1, 4)), min_size=1, max_size=30))
def test_after_the_wait_that_was_told_there_is_room_and_not_before(steps: list[tuple[int, int]]) -> None:
    limit = QuotaLimit(quota="a", max_amount=5, window_ms=1000)
    quotas, now = MemoryQuotas([limit]), 0
    for after, amount in steps:
        now += after
        answer = quotas.charge(Charge(quota="a", amount=amount), now)
        assert isinstance(answer, Grant)
        assert answer.left
        assert answer.left.wait_ms is not None
        if answer.amount == 0:
            wait = answer.left.wait_ms
            assert 0 < wait <= 1000
            before = quotas.charge(Charge(quota="a", amount=amount), now + wait - 1)
            assert isinstance(before, Grant)
            assert before.amount == 0
            now += wait
            room = quotas.charge(Charge(quota="a", amount=amount), now)
            assert isinstance(room, Grant)
            assert room.amount == amount


def test_a_quota_that_nothing_limits_is_named() -> None:
    assert MemoryQuotas([LIMIT]).charge(Charge(quota="b"), 0) == NoLimit(quota="b")


def test_cells_are_bounded_and_idle_ones_go_first() -> None:
    quotas = MemoryQuotas([QuotaLimit(quota="a", max_amount=5, window_ms=1000)], most_cells=2)

    def charge(who: str, now_ms: int) -> object:
        return quotas.charge(Charge(quota="a", dimensions=Map(who=who)), now_ms)

    left = Left(maximum=5, window_ms=1000, amount=4, wait_ms=0)
    granted = Grant(amount=1, valid_ms=1000, left=left)
    assert [charge("1", 0), charge("2", 500)] == [granted, granted]
    assert charge("3", 600) == Full(cells=2)
    again = charge("2", 700)
    assert isinstance(again, Grant)
    assert again.left
    assert again.left.amount == 3
    # The first is idle since 1000; it is looked for once in a while only.
    assert charge("3", 600 + LOOK_MS - 1) == Full(cells=2)
    assert charge("3", 600 + LOOK_MS) == granted
    assert quotas.cells == 2


def test_answers_are_bounded() -> None:
    quotas = MemoryQuotas([LIMIT], most_cells=3)
    for index in range(9):
        quotas.charge(Charge(quota="a", deduplication_id=str(index)), 0)
    assert quotas.cut_short == 2


def test_no_window_is_a_counter() -> None:
    assert isinstance(window_of(0), Counter)
    assert isinstance(window_of(1), RollingWindow)
