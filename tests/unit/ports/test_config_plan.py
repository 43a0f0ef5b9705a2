from hypothesis import given
from hypothesis import strategies as st

from proa.core.model.names import ObjectRef
from proa.ports.config_plan import plan
from proa.ports.config_store import Delete, Put, StoreState, Transaction

refs = st.builds(ObjectRef, st.just("Gateway"), st.just("default"), st.sampled_from("abc"))
puts = st.builds(
    Put,
    ref=refs,
    api_version=st.just("v1"),
    manifest=st.sampled_from(("{}", '{"x":1}')),
    file=st.sampled_from(("f", "g")),
    line=st.integers(1, 2),
)
changes = st.lists(puts | st.builds(Delete, ref=refs), max_size=5).map(tuple)
transactions = st.builds(Transaction, changes=changes, author=st.just("ada"), time=st.floats(1, 100))


def folded(some: list[Transaction]) -> StoreState:
    state = StoreState(version=0)
    for each in some:
        state = plan(state, each).state
    return state


@given(st.lists(transactions, max_size=4), transactions)
def test_applying_twice_is_applying_once(before: list[Transaction], transaction: Transaction) -> None:
    once = plan(folded(before), transaction)
    twice = plan(once.state, transaction)
    assert twice.state == once.state
    assert not twice.makes_version
    assert {each.action for each in twice.answer.results} <= {"unchanged", "absent"}


@given(st.lists(transactions, max_size=4), transactions)
def test_the_state_is_what_the_changes_say(before: list[Transaction], transaction: Transaction) -> None:
    state = folded(before)
    planned = plan(state, transaction)
    last = {change.ref: change for change in transaction.changes}
    for ref in {*state.objects, *last}:
        change, after = last.get(ref), planned.state.objects.get(ref)
        match change:
            case None:
                assert after == state.objects[ref]
            case Delete():
                assert after is None
            case Put():
                assert after is not None
                assert (after.manifest, after.file, after.line) == (change.manifest, change.file, change.line)
    assert planned.state.version == planned.answer.version == state.version + planned.makes_version
    assert [each.ref for each in planned.answer.results] == list(last)


@given(st.lists(transactions, max_size=4))
def test_no_object_is_of_a_version_to_come(some: list[Transaction]) -> None:
    state = folded(some)
    assert all(1 <= each.version <= state.version for each in state.objects.values())
    assert all(each.created <= max((t.time for t in some), default=0) for each in state.objects.values())
