import pytest

from proa.core.expression.parser import parse
from proa.core.expression.printer import expression_text
from proa.core.expression.syntax import Attribute, Binary, Call, Expression, Fault, Number, Truth, Unary


@pytest.mark.parametrize(
    "text",
    [
        "a.b",
        "true",
        "1",
        "0.5",
        '"a\\"b"',
        "a || b && c",
        "(a || b) && c",
        "(a | b) | c",
        "a | (b | c)",
        "a == (b == c)",
        "a == b == c",
        "-(a + b)",
        "!a == b",
        '(a | b)["c"]',
        'a["b"]["c"]',
        '(a["b"]).f(1, c)',
        "(1).f()",
        "(true).f()",
        "(a + b).f()",
        "a.f().g()",
        "f()",
    ],
)
def test_what_needs_no_other_parentheses_is_printed_as_written(text: str) -> None:
    found = parse(text)
    assert not isinstance(found, Fault)
    assert expression_text(found) == text


@pytest.mark.parametrize(
    ("tree", "text"),
    [
        (Unary("-", Unary("-", Number(1, 1), 1), 1), "--1"),
        (Binary("&", (Attribute("a", 1), Unary("^", Attribute("b", 1), 1)), 1), "a & ^b"),
        (Call("f", Truth(False, 1), (), 1), "(false).f()"),
    ],
)
def test_trees(tree: Expression, text: str) -> None:
    assert expression_text(tree) == text
