import pytest

from proa.core.config.expressions import expression_fault


@pytest.mark.parametrize(
    "text",
    [
        "a",
        'request.headers["x-a"] | "unknown"',
        "a == 2 && !(b || c)",
        'ip("0.0.0.0") == source.ip',
        'match(a, "b*") == false',
        '"ab.*d".matches(a)',
        "f()",
        'conditional((a | "b") == "c", 1, -2.5)',
        "`raw` + 'c'",
        "0x1f - 10s".replace("10s", "10"),
        " a ",
    ],
)
def test_expressions(text: str) -> None:
    assert expression_fault(text) is None


@pytest.mark.parametrize(
    "text",
    [
        "",
        " ",
        "a b",
        "a ==",
        "== a",
        "a[",
        "a[b",
        "f(a",
        "f(a,, b)",
        "(a",
        "a)",
        '"a',
        "a.",
        "a..b",
        "$a",
        "a # b",
    ],
)
def test_no_expressions(text: str) -> None:
    assert expression_fault(text) is not None


def test_bounds() -> None:
    assert expression_fault("(" * 200 + "a" + ")" * 200) is not None
    assert expression_fault("a" * 20_000) is not None
