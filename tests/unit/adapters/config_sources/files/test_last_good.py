from immutables import Map

from proa.adapters.config_sources.files.last_good import FileReading, next_state, read_text, unreadable
from proa.core.config.kinds.destination_rule.schema import DestinationRule
from proa.ports.config_source import SourceState

EMPTY = SourceState()


def rule(name: str, host: str = "reviews", namespace: str = "default") -> str:
    return (
        "apiVersion: networking.istio.io/v1\nkind: DestinationRule\n"
        f"metadata: {{name: {name}, namespace: {namespace}}}\nspec: {{host: {host}}}\n---\n"
    )


def bad(name: str) -> str:
    return rule(name).replace("spec: {host: reviews}", "spec: {hosst: reviews}")


def reading(file: str, *texts: str) -> FileReading:
    return read_text("".join(texts), file)


def shown(state: SourceState) -> list[tuple[str, str, bool]]:
    found = []
    for each in state.objects:
        assert isinstance(each.config.spec, DestinationRule)
        found.append((each.config.meta.name, each.config.spec.host, each.is_stale))
    return found


def test_good_texts_are_in_force_sorted_by_name() -> None:
    state = next_state(EMPTY, [reading("b.yaml", rule("a")), reading("a.yaml", rule("c"), rule("b", "x"))])
    assert shown(state) == [("a", "reviews", False), ("b", "x", False), ("c", "reviews", False)]
    assert state.problems == ()
    assert [(each.file, each.line) for each in state.objects] == [("b.yaml", 1), ("a.yaml", 6), ("a.yaml", 1)]


def test_a_bad_object_keeps_its_last_good_version_and_shows_its_problems() -> None:
    good = next_state(EMPTY, [reading("f", rule("a", "one"), rule("b", "two"))])
    broken = next_state(good, [reading("f", bad("a"), rule("b", "three"))])
    assert shown(broken) == [("a", "one", True), ("b", "three", False)]
    assert {each.code for each in broken.problems} >= {"unknown-field"}
    still = next_state(broken, [reading("f", bad("a"), rule("b", "three"))])
    assert still == broken
    mended = next_state(broken, [reading("f", rule("a", "four"), rule("b", "three"))])
    assert shown(mended) == [("a", "four", False), ("b", "three", False)]
    assert mended.problems == ()


def test_an_object_that_was_never_good_is_a_problem_only() -> None:
    state = next_state(EMPTY, [reading("f", bad("a"), rule("b"))])
    assert shown(state) == [("b", "reviews", False)]
    assert state.problems


def test_an_object_ends_when_its_text_is_gone() -> None:
    good = next_state(EMPTY, [reading("f", rule("a"), rule("b")), reading("g", rule("c"))])
    assert shown(next_state(good, [reading("f", rule("b"))])) == [("b", "reviews", False)]
    assert next_state(good, []) == EMPTY


def test_a_bad_object_may_move_to_another_file() -> None:
    good = next_state(EMPTY, [reading("f", rule("a", "one"))])
    assert shown(next_state(good, [reading("g", bad("a"))])) == [("a", "one", True)]


def test_text_that_cannot_be_told_keeps_all_its_file_had() -> None:
    good = next_state(EMPTY, [reading("f", rule("a"), rule("b")), reading("g", rule("c"))])
    for broken in (
        reading("f", rule("a", "x"), "kind: [\n"),
        reading("f", rule("a", "x"), "spec: {}\n"),
        reading("f", rule("a", "x"), "- 1\n"),
    ):
        state = next_state(good, [broken, reading("g")])
        assert shown(state) == [("a", "x", False), ("b", "reviews", True)]
        assert state.problems
    unread = next_state(good, [unreadable("f", "why"), reading("g", rule("c"))])
    assert shown(unread) == [("a", "reviews", True), ("b", "reviews", True), ("c", "reviews", False)]
    assert [(each.file, each.code, each.message) for each in unread.problems] == [("f", "unreadable", "why")]


def test_of_two_texts_with_one_name_the_first_file_counts() -> None:
    readings = [reading("b", rule("a", "second")), reading("a", rule("x"), rule("a", "first"))]
    state = next_state(EMPTY, readings)
    assert shown(state) == [("a", "first", False), ("x", "reviews", False)]
    (problem,) = state.problems
    assert (problem.file, problem.line, problem.code) == ("b", 1, "duplicate")
    assert "a:6" in problem.message
    assert next_state(EMPTY, reversed(readings)) == state


def test_one_name_in_two_namespaces_is_two_objects() -> None:
    state = next_state(EMPTY, [reading("f", rule("a"), rule("a", namespace="other"))])
    assert len(state.objects) == 2
    assert state.objects[0].config.meta.labels == Map()
