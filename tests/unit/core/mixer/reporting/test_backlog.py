"""The law: nothing lost, nothing twice, in order, and the counts are exact, whatever happens in whatever order."""

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from proa.core.mixer.reporting.backlog import Backlog, Counts

steps = st.lists(
    st.one_of(
        st.tuples(st.just("offer"), st.integers(0, 12)),
        st.just(("take", 0)),
        st.tuples(st.just("done"), st.sampled_from(["delivered", "failed"])),
        st.just(("close", 0)),
    ),
    max_size=60,
)


@given(steps=steps, most=st.integers(1, 20), batch=st.integers(1, 8))
def test_everything_ends_once_and_in_order(steps: list[tuple[str, int | str]], most: int, batch: int) -> None:
    backlog: Backlog[int] = Backlog(most, batch)
    offered, room_found = 0, set[int]()
    delivered: list[int] = []
    failed: list[int] = []
    dropped_at_the_end = 0
    under_way: tuple[int, ...] = ()
    for step, argument in steps:
        match step, argument:
            case "offer", int(number):
                items = range(offered, offered + number)
                taken = backlog.offer(items)
                room_found |= set(items[:taken])
                offered += number
            case "take", _:
                found = backlog.take()
                assert not (found and under_way), "one batch at a time"
                assert len(found) <= batch
                under_way = found or under_way
            case "done", str(outcome):
                backlog.done(outcome)  # type: ignore[arg-type]
                if outcome == "delivered":
                    delivered += under_way
                elif outcome == "failed":
                    failed += under_way
                under_way = ()
            case _:
                dropped_at_the_end += backlog.close()
        assert backlog.held <= most
    dropped = offered - len(room_found) + dropped_at_the_end
    assert backlog.counts == Counts(
        offered=offered, delivered=len(delivered), failed=len(failed), dropped=dropped
    )
    assert max(Counter([*delivered, *failed, *under_way]).values(), default=0) <= 1, "nothing twice"
    assert set(delivered) | set(failed) | set(under_way) <= room_found
    assert backlog.held == len(room_found) - len(delivered) - len(failed) - dropped_at_the_end
    assert delivered == sorted(delivered)
    assert failed == sorted(failed)


def test_the_newest_find_no_room() -> None:
    backlog: Backlog[str] = Backlog(3, 2)
    assert backlog.offer("abcde") == 3
    assert backlog.take() == ("a", "b")
    assert backlog.offer("x") == 0, "what is under way is held, too"
    assert backlog.counts == Counts(offered=6, dropped=3)
    assert backlog.close() == 1
    backlog.done("failed")
    assert backlog.offer("y") == 0
    assert backlog.counts == Counts(offered=7, failed=2, dropped=5)


def test_counts_of_several_are_added() -> None:
    one, two = Counts(offered=3, delivered=2, failed=1), Counts(offered=4, dropped=4)
    assert one + two == Counts(offered=7, delivered=2, failed=1, dropped=4)
