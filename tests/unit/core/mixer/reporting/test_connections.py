"""The law: what is told of a connection, piece by piece, is what it carried, and no byte twice."""

from hypothesis import given
from hypothesis import strategies as st

from proa.core.mixer.reporting.connections import Carried, Connections, Moment

pieces = st.lists(st.tuples(st.integers(0, 1 << 40), st.integers(0, 1 << 40)), min_size=1, max_size=8)


@given(
    several=st.dictionaries(st.sampled_from("abcd"), pieces, min_size=1),
    order=st.randoms(use_true_random=False),
)
def test_pieces_add_up_to_the_whole(
    several: dict[str, list[tuple[int, int]]],
    order: st.randoms,  # type: ignore[valid-type]
) -> None:
    connections = Connections()
    turns = [name for name, each in several.items() for _ in each]
    order.shuffle(turns)  # type: ignore[attr-defined]
    totals = dict.fromkeys(several, (0, 0))
    told = dict.fromkeys(several, (0, 0))
    begun: set[str] = set()
    left = {name: list(each) for name, each in several.items()}
    for name in turns:
        received, sent = left[name].pop(0)
        totals[name] = (totals[name][0] + received, totals[name][1] + sent)
        is_last = not left[name]
        moment: Moment = "open" if name not in begun else "close" if is_last else "continue"
        begun.add(name)
        carried = connections.tell(name, moment, *totals[name])
        assert carried.is_known
        told[name] = (told[name][0] + carried.received, told[name][1] + carried.sent)
    assert told == totals
    assert len(connections) == sum(len(each) == 1 for each in several.values()), "those still open"


def test_one_that_was_told_of_elsewhere_counts_from_here() -> None:
    connections = Connections()
    assert connections.tell("a", "continue", 100, 50) == Carried(received=0, sent=0, is_known=False)
    assert connections.tell("a", "close", 130, 50) == Carried(received=30, sent=0)
    assert connections.tell("b", "close", 7, 8) == Carried(received=0, sent=0, is_known=False)
    assert len(connections) == 0


def test_one_that_is_told_of_once_is_told_whole() -> None:
    assert Connections().tell("a", "close", 7, 8, is_whole=True) == Carried(received=7, sent=8)


def test_memory_has_a_bound() -> None:
    connections = Connections(2)
    for name in "ab":
        connections.tell(name, "open", 0, 0)
    connections.tell("a", "continue", 1, 1)
    connections.tell("c", "open", 0, 0)
    assert len(connections) == 2
    assert connections.tell("a", "close", 2, 2).is_known
    assert not connections.tell("b", "close", 2, 2).is_known, "the one that was silent for the longest"
