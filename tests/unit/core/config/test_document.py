import json

from hypothesis import given
from hypothesis import strategies as st

from proa.core.config.document import Document, parse
from proa.core.config.tree import Json

JSON_VALUES: st.SearchStrategy[Json] = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**60), 2**60)
    | st.text(st.characters(exclude_categories=["Cs", "Cc"])),
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.text("abc/.- é", max_size=6), inner, max_size=4)
    ),
    max_leaves=15,
)


def documents(text: str) -> tuple[Document, ...]:
    parsed = parse(text, "f.yaml")
    assert parsed.problems == ()
    return parsed.documents


def test_empty_documents_are_skipped() -> None:
    assert documents("") == documents("---\n---\n# only words\n---\nnull\n") == ()


def test_documents_know_their_lines() -> None:
    first, second = documents("# hello\na: 1\n---\n\nb:\n  c: 2\n---\n")
    assert (first.line, second.line) == (2, 5)
    assert second.line_of(("b", "c")) == 6
    assert second.line_of(("b", "missing", 3)) == 5
    assert second.line_of(("missing",)) == 5


def test_a_byte_order_mark_directives_and_windows_lines() -> None:
    first, second = documents("\ufeff%YAML 1.2\r\n---\r\na: 1\r\n...\r\n%YAML 1.2\r\n---\r\nb: 2\r\n")
    assert (first.value, second.value, second.line) == ({"a": 1}, {"b": 2}, 7)


def test_broken_syntax_does_not_hide_later_documents() -> None:
    parsed = parse("a: [\n---\nb: 1\n--- # next\nc: : d\n---\ne: 1", "f.yaml")
    assert [document.value for document in parsed.documents] == [{"b": 1}, {"e": 1}]
    assert [(problem.line, problem.code) for problem in parsed.problems] == [(1, "syntax"), (5, "syntax")]


def test_the_end_marker_ends_a_document() -> None:
    assert [(one.value, one.line) for one in documents("a: 1\n...\nb: 2\n... # end\n")] == [
        ({"a": 1}, 1),
        ({"b": 2}, 3),
    ]


def test_markers_inside_values_do_not_cut() -> None:
    (document,) = documents("a: |\n  x\n  ---\n  y\nb: '--- x'\n")
    assert document.value == {"a": "x\n---\ny\n", "b": "--- x"}


def test_what_is_no_object_is_a_problem() -> None:
    assert [problem.code for problem in parse("- 1\n---\ntext\n", "f").problems] == [
        "not-an-object",
        "not-an-object",
    ]


def test_the_faults_of_a_document_stay_with_it() -> None:
    (document,) = documents("a: 1\na: 2\n")
    assert [(problem.line, problem.code) for problem in document.problems] == [(2, "duplicate-key")]


def test_lists_are_their_items() -> None:
    text = "apiVersion: v1\nkind: List\nitems:\n- a: 1\n- apiVersion: v1\n  kind: List\n  items:\n  - b: 2\n- x\n"
    parsed = parse(text, "f")
    assert [(document.value, document.line) for document in parsed.documents] == [
        ({"a": 1}, 4),
        ({"b": 2}, 8),
    ]
    assert [(problem.line, problem.path) for problem in parsed.problems] == [(9, "items[2]")]


def test_problem_places_itself() -> None:
    (document,) = documents("a:\n  b: 1\n")
    assert str(document.problem(("a", "b"), "code", "message")) == "f.yaml:2: a.b: message [code]"


@given(st.dictionaries(st.text("abcdef", min_size=1), JSON_VALUES, min_size=1, max_size=4))
def test_json_is_read_as_json(value: dict[str, Json]) -> None:
    for text in (json.dumps(value, ensure_ascii=False), json.dumps(value, ensure_ascii=False, indent=1)):
        (document,) = documents(text)
        assert document.value == value


@given(st.text() | st.text(st.sampled_from("a:-[]{}&*!|>'\"%#? \t\n\r\x00\u2028<0")))
def test_any_text_gives_documents_or_problems_inside_the_file(text: str) -> None:
    parsed = parse(text, "f")
    last = max(1, text.count("\n") + 1)
    told = [*parsed.problems, *(problem for document in parsed.documents for problem in document.problems)]
    assert all(1 <= problem.line <= last for problem in told)
    assert all(1 <= document.line <= last for document in parsed.documents)


def test_a_field_is_found_in_the_spelling_of_protobuf_too() -> None:
    (document,) = parse("spec:\n  max_amount: 1\n  validDuration: 1s\n", "f").documents
    assert document.line_of(("spec", "maxAmount")) == 2
    assert document.line_of(("spec", "validDuration")) == 3
    assert document.line_of(("spec", "valid_duration")) == 1
