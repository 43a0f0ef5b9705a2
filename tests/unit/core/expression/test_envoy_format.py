import pytest

from proa.core.attributes.value_types import Value
from proa.core.attributes.vocabulary import STANDARD
from proa.core.expression.envoy_format import format_string
from proa.core.expression.envoy_pieces import NoForm
from proa.core.expression.program import Program, compile_expression

FACTS: dict[str, Value | None] = {"source.namespace": "50%", "connection.mtls": True}


def formatted(text: str) -> str | NoForm:
    program = compile_expression(text, STANDARD)
    assert isinstance(program, Program)
    return format_string(program.checked, FACTS)


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("request.method", "%CEL(request.method)%"),
        ("response.code", '%CEL((has(response.code) ? response.code : {}["absent"]))%'),
        ("source.namespace", "50%%"),
        ("connection.mtls", "true"),
        ('request.method + " of " + source.namespace', "%CEL(request.method)% of 50%%"),
        ('request.method == "%"', '%CEL((request.method == "\\x25"))%'),
    ],
)
def test_formats(text: str, found: str) -> None:
    assert formatted(text) == found


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("request.time", "Envoy writes a TIMESTAMP in its own way"),
        ("response.duration", "Envoy writes a DURATION in its own way"),
        ('request.useragent + "x"', "one of the texts may be missing"),
        ("destination.workload.name", "Pilot knows it"),
        ("1.5", "a DOUBLE in its own way"),
    ],
)
def test_why_not(text: str, reason: str) -> None:
    found = formatted(text)
    assert isinstance(found, NoForm)
    assert reason in str(found)
