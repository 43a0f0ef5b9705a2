"""Conditions in CEL: what they come to for a request, and what is said of those that make no sense."""

import pytest

from proa.core.attributes.value_types import Span, Value, ValueType
from proa.core.attributes.vocabulary import STANDARD
from proa.core.expression.cel_reader import MOST_ITEMS, read_cel
from proa.core.expression.envoy_form import EnvoyForm, envoy_form
from proa.core.expression.program import Program, compile_expression
from proa.core.expression.typed import Checked

BAG: dict[str, Value] = {
    "request.headers": {"x-user": "Ann", "x-empty": ""},
    "request.method": "GET",
    "request.path": "/api/books",
    "request.size": 5,
    "response.duration": Span(2_000_000_000),
    "source.labels": {"version": "v3"},
    "source.ip": bytes((1, 2, 3, 4)),
    "connection.mtls": True,
}


def value(text: str) -> Value | None:
    """None: it fails."""
    program = compile_expression(text, STANDARD, language="CEL")
    assert isinstance(program, Program), str(program[0])
    return program.trace(BAG).value


@pytest.mark.parametrize(
    "text",
    [
        'request.method == "GET" && source.labels.version == "v3"',
        'source.labels["version"] in ["v2", \'v3\']',
        '"x-user" in request.headers && has(request.headers["x-empty"])',
        "has(request.path) && !has(request.auth.principal) && !has(source.labels.app)",
        'request.headers["x-none"] == "a" || request.method == "GET"',
        'request.method == "GET" || request.headers["x-none"] == "a"',
        '!(request.headers["x-none"] == "a" && request.method == "PUT")',
        'request.path.startsWith("/api/") && request.path.endsWith("books") && request.path.contains("i/b")',
        'request.path.matches(r"^/api/\\w+$")',
        'request.headers["x-user"].lowerAscii() == "ann"',
        "size(request.method) == 3 && request.method.size() < 4",
        '"éé".size() == 2',
        'source.ip == ip("1.2.3.4")',
        'response.duration > duration("1s500ms") && response.duration <= duration("2s")',
        'timestamp("2020-01-01T00:00:00Z") < timestamp("2020-01-01T00:00:01Z")',
        "(connection.mtls ? request.size : 0) == 5 && request.size != -5 && 1.5 > -2.0",
        'request.method + " " + request.path == "GET /api/books"',
        "true && (1 in [3, 2, 1])",
    ],
)
def test_it_holds(text: str) -> None:
    assert value(text) is True


@pytest.mark.parametrize(
    "text",
    [
        'request.headers["x-none"] == ""',
        'request.headers["x-none"] != "a"',
        'request.headers["x-none"] == "a" || request.method == "PUT"',
        'request.headers["x-none"] == "a" && request.method == "GET"',
        '"version" in destination.labels',
        "has(destination.labels.version)",
        'request.host == "a"',
    ],
)
def test_what_is_not_there_is_an_error(text: str) -> None:
    assert value(text) is None


@pytest.mark.parametrize(
    ("text", "column", "message"),
    [
        ('request.mehod == "GET"', 1, 'did you mean "request.method"'),
        ("request.method == 1", 16, "compares STRING with INT64"),
        ('source.ip == "1.2.3.4"', 11, 'write ip("...")'),
        ('request.method && request.path == ""', 1, "is STRING and must be BOOL"),
        ('request.method == "GET" ? 1 : "a"', 27, "one choice is INT64, the other STRING"),
        ("request.headers < request.headers", 17, "does not take STRING_MAP"),
        ("request.size - 1 == 2", 14, 'there is no "-" here'),
        ("request.size + 1 == 2", 1, "does not join"),
        ("request.headers.exists(x, x)", 17, 'there is no function "exists"'),
        ("string(1)", 1, 'there is no function "string"'),
        ('request.path.contains("a", "b")', 14, "takes 1 argument, not 2"),
        ("request.path.part", 14, "has no parts"),
        ("has(1 == 1)", 1, "has() takes an attribute"),
        ('duration("soon")', 1, "is no duration"),
        ("timestamp(request.path)", 1, "a quoted text alone"),
        ("1 in []", 6, "an empty list"),
        ("1 in [1, 'a']", 10, "is looked for among INT64"),
        (f"1 in [{', '.join(['1'] * (MOST_ITEMS + 1))}]", 199, "more than"),
        ("[1] == [1]", 1, "lists and maps are no values"),
        ("namespace == 'a'", 1, "CEL keeps this word"),
        ("99999999999999999999 == 1", 1, "too large for an INT64"),
        ("1e999 == 1.0", 1, "too large for a DOUBLE"),
        ("-request.size == 1", 2, "expected a number"),
        ("request.method == 'GET' request.path", 25, "expected an operator or the end"),
        ("(1 == 1", 8, 'expected ")"'),
        ("request.headers.'a'", 17, "a name behind the dot"),
        ("", 1, "finish it"),
        ("!" * 100 + "true", 65, "nested deeper"),
        ("true" + " == true" * 100, 510, "nested deeper"),
        ("request.path" + ".lowerAscii()" * 100, 832, "nested deeper"),
    ],
)
def test_what_makes_no_sense_has_a_place(text: str, column: int, message: str) -> None:
    found = read_cel(text, STANDARD)
    assert isinstance(found, tuple)
    assert message in str(found[0])
    assert found[0].column == column


def test_the_type_is_as_expected() -> None:
    assert isinstance(read_cel("1 == 1", STANDARD, ValueType.BOOL), Checked)
    found = read_cel("1", STANDARD, ValueType.BOOL)
    assert isinstance(found, tuple)
    assert "is INT64 and must be BOOL" in str(found[0])


def test_it_runs_in_envoy_nearly_as_it_was_written() -> None:
    text = '!has(request.headers["x-a"]) || (request.method in ["GET", "PUT"] && request.path.size() > 3)'
    checked = read_cel(text, STANDARD)
    assert isinstance(checked, Checked)
    form = envoy_form(checked)
    assert isinstance(form, EnvoyForm)
    assert not form.may_fail
