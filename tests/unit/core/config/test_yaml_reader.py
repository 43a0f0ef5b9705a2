import pytest

from proa.core.config.yaml_reader import MAX_DEPTH, Fault, Tree, read_stream


def one(text: str, first_line: int = 1) -> Tree | Fault:
    (result,) = read_stream(text, first_line)
    return result


def tree(text: str) -> Tree:
    result = one(text)
    assert isinstance(result, Tree)
    return result


def test_values_and_the_lines_of_their_keys_and_items() -> None:
    result = tree("a: 1\nb:\n- x\n-\n  c: [y,\n    z]\n")
    assert result.value == {"a": 1, "b": ["x", {"c": ["y", "z"]}]}
    items = result.marks["b"].inside
    assert (result.marks["b"].line, items[0].line, items[1].line) == (2, 3, 5)
    assert [mark.line for mark in items[1].inside["c"].inside.values()] == [5, 6]


def test_lines_are_those_of_the_file() -> None:
    result = one("a: 1\nb: 2", first_line=10)
    assert isinstance(result, Tree)
    assert result.marks["b"].line == 11


def test_quotes_and_tags_decide_what_is_text() -> None:
    result = tree(
        "a: '1'\nb: \"true\"\nc: !!str 1\nd: !!int '3'\ne: !!float 2\nf: !!bool true\ng: !!null ''\nh: |\n  1\n"
    )
    assert result.value == {
        "a": "1",
        "b": "true",
        "c": "1",
        "d": 3,
        "e": 2.0,
        "f": True,
        "g": None,
        "h": "1\n",
    }
    assert result.faults == ()


@pytest.mark.parametrize(
    "text", ["a: !!python/name:os.system x", "a: !!int x", "!!set {a: 1}", "a: !own [1]"]
)
def test_other_tags_are_refused(text: str) -> None:
    assert [fault.code for fault in tree(text).faults] == ["unsupported-yaml"]


def test_keys_become_text() -> None:
    assert tree("8080: a\ntrue: b\n1.5: c\n'x': d").value == {"8080": "a", "true": "b", "1.5": "c", "x": "d"}
    assert [fault.code for fault in tree("? [1]\n: a\n~: b").faults] == [
        "unsupported-yaml",
        "unsupported-yaml",
        "duplicate-key",
    ]


def test_a_duplicate_key_names_both_lines_and_the_first_one_stays() -> None:
    result = tree("a: 1\nb: 2\na: 3\n")
    assert result.value == {"a": 1, "b": 2}
    (fault,) = result.faults
    assert (fault.line, fault.code) == (3, "duplicate-key")
    assert "line 1" in fault.message


def test_keys_that_become_equal_text_are_duplicates() -> None:
    assert [fault.code for fault in tree("1: a\n'1': b").faults] == ["duplicate-key"]


def test_merge_keys_give_what_is_not_written() -> None:
    text = "a: &a {x: 1, y: 1}\nb: &b {y: 2, z: 2}\nc:\n  z: 3\n  <<: [*a, *b]\nd: {<<: *a}\ne: {'<<': 1}"
    result = tree(text)
    assert isinstance(result.value, dict)
    assert result.value["c"] == {"z": 3, "x": 1, "y": 1}
    assert result.value["d"] == {"x": 1, "y": 1}
    assert result.value["e"] == {"<<": 1}
    assert result.marks["c"].inside["x"].line == 1


def test_broken_aliases_refuse_the_document() -> None:
    for text in ("a: *x", "a: &a [*a]"):
        fault = one(text)
        assert isinstance(fault, Fault)
        assert fault.code == "syntax"


def test_an_anchor_may_be_defined_again() -> None:
    assert tree("a: &x 1\nb: &x 2\nc: *x").value == {"a": 1, "b": 2, "c": 2}


def test_aliases_cannot_multiply_without_end() -> None:
    levels = [f"l{n}: &l{n} [{', '.join([f'*l{n - 1}'] * 10)}]" for n in range(1, 9)]
    fault = one("\n".join(["l0: &l0 [x]", *levels]))
    assert isinstance(fault, Fault)
    assert fault.code == "too-large"


@pytest.mark.parametrize("text", ["[" * 5000, "{a: " * 5000, "- " * 5000, "[" * (MAX_DEPTH + 1)])
def test_depth_is_bounded(text: str) -> None:
    fault = one(text)
    assert isinstance(fault, Fault)
    assert fault.code in ("too-large", "syntax")


@pytest.mark.parametrize(
    ("text", "line"), [("a: 1\nb: [\n", 3), ("a:\n\t- 1", 2), ("a: 1\nb: \x01", 2), ("a: 1\n\n'\ud800'", 3)]
)
def test_broken_syntax_names_its_line(text: str, line: int) -> None:
    fault = one(text)
    assert isinstance(fault, Fault)
    assert (fault.code, fault.line) == ("syntax", line)


def test_words_with_colons_are_read_as_kubernetes_reads_them() -> None:
    assert tree("é: [1.2.3.4, 001:db8::, fe80::]\nb: {c: x:, d: 'y'}").value == {
        "é": ["1.2.3.4", "001:db8::", "fe80::"],
        "b": {"c": "x:", "d": "y"},
    }
    fault = one(f"a: [{', '.join(['a::'] * 100)}]")
    assert isinstance(fault, Fault)


def test_line_breaks_of_other_scripts_do_not_count() -> None:
    assert tree("a: 'x\u2028\u2028y'\nb: 1").marks["b"].line == 2


def test_documents_before_the_broken_one_are_read() -> None:
    first, second, third = read_stream("a: 1\n--- {b: 2}\n---\nc: [", 1)
    assert isinstance(first, Tree)
    assert isinstance(second, Tree)
    assert isinstance(third, Fault)
