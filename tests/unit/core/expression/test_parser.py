import pytest

from proa.core.attributes.value_types import INT64_MAX
from proa.core.expression.parser import parse
from proa.core.expression.printer import expression_text
from proa.core.expression.syntax import Attribute, Binary, Call, Expression, Fault, Index, Number, Text, Truth


def parsed(text: str, outputs: bool = False) -> Expression:
    found = parse(text, outputs)
    assert not isinstance(found, Fault), str(found)
    return found


def test_names_are_flat() -> None:
    assert parsed("request.auth.claims") == Attribute("request.auth.claims", 1)


@pytest.mark.parametrize(("text", "value"), [("true", True), ("FALSE", False), ("True", True)])
def test_truth_in_any_case(text: str, value: bool) -> None:
    assert parsed(text) == Truth(value, 1)


@pytest.mark.parametrize(
    ("text", "value"),
    [("0", 0), ("0x1f", 31), (str(INT64_MAX), INT64_MAX), ("1.5", 1.5), (".5e1", 5.0), ("5.", 5.0)],
)
def test_numbers(text: str, value: float) -> None:
    found = parsed(text)
    assert isinstance(found, Number)
    assert (found.value, type(found.value)) == (value, type(value))


def test_texts_that_read_as_durations_are_marked() -> None:
    found = [parsed(text) for text in ('"10s"', "`0`", "'0'", '"10 s"')]
    assert [isinstance(each, Text) and each.span is not None for each in found] == [True, True, True, False]


@pytest.mark.parametrize(
    ("text", "grouped"),
    [
        ('a | "x" == b', '(a | "x") == b'),
        ('a | "u" + "b"', '(a | "u") + "b"'),
        ("a || b && c == d", "a || (b && (c == d))"),
        ("a - b - c", "(a - b) - c"),
        ("a + b * c & d", "a + ((b * c) & d)"),
        ("a < b == c", "(a < b) == c"),
        ("-a + !b", "(-a) + (!b)"),
        ("a[b] | c", "(a[b]) | c"),
    ],
)
def test_binding(text: str, grouped: str) -> None:
    assert expression_text(parsed(text)) == expression_text(parsed(grouped))


def test_chains_are_flat_and_parentheses_are_kept() -> None:
    found = parsed("a | b | c")
    assert isinstance(found, Binary)
    assert len(found.operands) == 3
    found = parsed("(a | b) | c")
    assert isinstance(found, Binary)
    assert len(found.operands) == 2


def test_calls() -> None:
    assert parsed('"a".matches(b,)') == Call("matches", Text("a", None, 1), (Attribute("b", 13),), 5)
    assert parsed("a.b.f()") == Call("f", Attribute("a.b", 1), (), 5)
    assert parsed("f().g()") == Call("g", Call("f", None, (), 1), (), 5)
    assert parsed("(a | b).f(1)") == Call(
        "f", Binary("|", (Attribute("a", 2), Attribute("b", 6)), 4), (Number(1, 11),), 9
    )
    assert parsed('a["b"]["c"]') == Index(
        Index(Attribute("a", 1), Text("b", None, 3), 2), Text("c", None, 8), 7
    )


def test_outputs() -> None:
    assert parsed("$out.source_ip | a", outputs=True).column == 16
    assert parsed("$out.source_ip", outputs=True) == Attribute("$out.source_ip", 1)


def test_lines() -> None:
    assert expression_text(parsed("\n a &&\n (\n b ||\n c)\n\n")) == "a && (b || c)"


@pytest.mark.parametrize(
    ("text", "column"),
    [
        ("", 1),
        (" ", 2),
        ("a b", 3),
        ("a ==", 5),
        ("== a", 1),
        ("a[", 3),
        ("a[b", 4),
        ("a[]", 3),
        ("a[b, c]", 4),
        ("a[b:c]", 4),
        ("f(a", 4),
        ("f(a,, b)", 5),
        ("f(, a)", 3),
        ("(a", 3),
        ("a)", 2),
        ("()", 2),
        ("a.", 3),
        ("a..b", 3),
        (".a", 1),
        ("a.1", 2),
        ("a.$out", 3),
        ("(a).b", 4),
        ("f().b", 4),
        ('"a".b', 4),
        ("a[b].c", 5),
        ("a[b].c()", 5),
        ("f()()", 4),
        ("a.f()(b)", 6),
        ("a[b](c)", 5),
        ("(f)(a)", 4),
        ("1(a)", 2),
        ("a.(b)", 3),
        ("[]a", 1),
        ("a\n&& b", 2),
        ("f(a\n)", 4),
        ("&a", 1),
        ("9223372036854775808", 1),
        ("1e999", 1),
        ("a; b", 2),
        ("a ? b : c", 3),
    ],
)
def test_what_is_no_expression(text: str, column: int) -> None:
    found = parse(text, outputs=True)
    assert isinstance(found, Fault)
    assert found.column == column


@pytest.mark.parametrize(
    "deep",
    [
        "(" * 70 + "a" + ")" * 70,
        "!" * 70 + "a",
        "a[" * 70 + "b" + "]" * 70,
        "f(" * 70 + ")" * 70,
        "a" + "[b]" * 70,
        "a" + " == b" * 70,
        "a" + ".f()" * 70,
    ],
)
def test_depth_is_bounded(deep: str) -> None:
    found = parse(deep)
    assert isinstance(found, Fault)
    assert "nested deeper" in found.message


@pytest.mark.parametrize("operator", ["||", "&&", "|", "+"])
def test_chains_may_be_long(operator: str) -> None:
    found = parsed(operator.join("a" * 5000))
    assert isinstance(found, Binary)
    assert len(found.operands) == 5000
