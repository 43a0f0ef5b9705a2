import pytest
from immutables import Map

from proa.core.attributes.value_types import ValueType
from proa.core.config.expressions import attributes_of, expression_faults
from proa.core.expression.parser import parse
from proa.core.expression.syntax import Fault


@pytest.mark.parametrize(
    "text",
    [
        "a",
        'request.headers["x-a"] | "unknown"',
        "a == 2 && !(b || c)",
        'ip("0.0.0.0") == source.ip',
        'match(a, "b*") == false',
        '"ab.*d".matches(a)',
        "f(a)",
        'conditional((a | "b") == "c", 1, -2.5)',
        "`raw` + 'c'",
        "0x1f - a",
        " a ",
    ],
)
def test_expressions(text: str) -> None:
    assert expression_faults(text) == ()


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
    assert expression_faults(text)[0].startswith("no expression: ")


def test_bounds() -> None:
    assert expression_faults("(" * 200 + "a" + ")" * 200)
    assert expression_faults("a" * 20_000)


@pytest.mark.parametrize(
    ("text", "expected", "count"),
    [
        ('request.path == "/a"', ValueType.BOOL, 0),
        ("request.path", ValueType.BOOL, 1),
        ("request.size == request.path", None, 1),
        ('matchs(request.path, "a") && (request.size | "b") == 5', None, 2),
        # An attribute of somebody's own may have any type: all is left to whoever knows the manifests.
        ("shop.size == request.path && request.size", None, 0),
    ],
)
def test_types_are_checked_where_all_attributes_are_standard_ones(
    text: str, expected: ValueType | None, count: int
) -> None:
    assert len(expression_faults(text, expected)) == count


def test_what_generators_give_has_types_too() -> None:
    outputs = Map({"source_pod_name": ValueType.STRING})
    assert expression_faults("$out.source_pod_name", ValueType.STRING, outputs=outputs) == ()
    assert len(expression_faults("$out.source_pod_name", ValueType.INT64, outputs=outputs)) == 1
    assert expression_faults("$out.other", ValueType.INT64, outputs={}) == ()
    assert expression_faults("$out.other") != ()


def test_attributes_are_found_wherever_they_stand() -> None:
    found = parse('conditional(a.b, c["d"], (e | f) + "g").startsWith(h) && -1 == i')
    assert not isinstance(found, Fault)
    assert list(attributes_of(found)) == ["a.b", "c", "e", "f", "h", "i"]
