import msgspec
from hypothesis import given
from hypothesis import strategies as st
from immutables import Map

from proa.control_plane.rollback import plan_rollback
from proa.core.model.names import ObjectRef
from proa.ports.config_plan import plan
from proa.ports.config_store import Delete, Put, StoredObject, StoreState, Transaction

API = "networking.istio.io/v1"


def ref(name: str) -> ObjectRef:
    return ObjectRef("ServiceEntry", "default", name)


def text(name: str, host: str) -> str:
    spec = {
        "hosts": [host],
        "ports": [{"number": 80, "name": "http", "protocol": "HTTP"}],
        "resolution": "DNS",
    }
    manifest = {"apiVersion": API, "kind": "ServiceEntry", "metadata": {"name": name}, "spec": spec}
    return msgspec.json.encode(manifest).decode()


names = st.sampled_from("abc")
puts = st.builds(
    lambda name, host: Put(ref=ref(name), api_version=API, manifest=text(name, host), file="f", line=1),
    names,
    st.sampled_from(("x.example.com", "y.example.com")),
)
transactions = st.builds(
    Transaction,
    changes=st.lists(puts | st.builds(Delete, ref=st.builds(ref, names)), max_size=4).map(tuple),
    author=st.just("ada"),
    time=st.floats(1, 100),
)


def content(state: StoreState) -> dict[ObjectRef, tuple[str, str, float]]:
    return {each: (o.api_version, o.manifest, o.created) for each, o in state.objects.items()}


@given(st.lists(transactions, max_size=6), st.data())
def test_the_result_is_the_state_of_that_version(some: list[Transaction], data: st.DataObject) -> None:
    states = [StoreState(version=0)]
    for each in some:
        states.append(plan(states[-1], each).state)
    now, then = states[-1], data.draw(st.sampled_from(states))

    planned = plan_rollback(now, then)
    assert planned.problems == ()
    done = plan(now, Transaction(changes=planned.changes, author="bob", time=200.0))

    assert content(done.state) == content(then)
    assert done.answer.results == planned.results
    assert done.makes_version == (content(now) != content(then))
    assert plan_rollback(done.state, then).changes == ()


def stored(name: str, manifest: str) -> StoredObject:
    return StoredObject(
        ref=ref(name),
        api_version=API,
        manifest=manifest,
        file=f"{name}.yaml",
        line=7,
        version=1,
        author="ada",
        time=1.0,
        created=1.0,
    )


def state(*objects: StoredObject) -> StoreState:
    return StoreState(version=1, objects=Map({each.ref: each for each in objects}))


REFUSED = text("old", "x.example.com").replace("resolution", "resolutoin")


def test_what_is_refused_now_is_a_problem_where_it_was_written() -> None:
    planned = plan_rollback(state(), state(stored("old", REFUSED)))

    (problem, *_) = planned.problems
    assert (problem.file, problem.line, problem.code) == ("old.yaml", 7, "unknown-field")


def test_what_is_refused_in_both_states_is_not_in_the_way() -> None:
    old = stored("old", REFUSED)
    planned = plan_rollback(state(old, stored("new", text("new", "x.example.com"))), state(old))

    assert planned.problems == ()
    assert planned.changes == (Delete(ref=ref("new")),)


def test_removing_what_is_refused_is_no_problem() -> None:
    assert plan_rollback(state(stored("old", REFUSED)), state()).problems == ()
