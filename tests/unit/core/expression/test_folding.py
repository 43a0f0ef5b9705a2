import pytest

from proa.core.attributes.value_types import Value, ValueType
from proa.core.attributes.vocabulary import STANDARD
from proa.core.expression.folding import fold
from proa.core.expression.program import Program, compile_expression
from proa.core.expression.typed import Constant, Typed, reads_of

FACTS: dict[str, Value | None] = {
    "context.reporter.kind": "inbound",
    "destination.labels": {"app": "reviews"},
    "destination.port": 80,
    "source.labels": None,
    "source.namespace": None,
    "connection.mtls": True,
}


def folded(text: str) -> Typed:
    program = compile_expression(text, STANDARD)
    assert isinstance(program, Program)
    return fold(program.checked.root, FACTS)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ('context.reporter.kind == "inbound"', True),
        ('destination.labels["app"]', "reviews"),
        ('destination.labels["version"] | "none"', "none"),
        ('source.labels["app"] | "unknown"', "unknown"),
        ('source.namespace | "unknown"', "unknown"),
        ("context.reporter.kind | request.path", "inbound"),
        ('request.path == "/" || true', None),
        ('connection.mtls || request.path == "/"', True),
        ('context.reporter.kind == "outbound" && request.path == "/"', False),
        ("conditional(connection.mtls, destination.port, 1)", 80),
        ('ip("1.2.3.4") == ip("::ffff:1.2.3.4")', True),
        ('ip("none")', None),
    ],
)
def test_what_is_decided_before(text: str, value: Value | None) -> None:
    found = folded(text)
    assert (found.value if isinstance(found, Constant) else None) == value


@pytest.mark.parametrize(
    ("text", "reads"),
    [
        ('context.reporter.kind == "inbound" && request.path == "/"', ["request.path"]),
        ('request.path == "/" && context.reporter.kind == "outbound"', ["request.path"]),
        ('source.namespace | request.host | "x"', ["request.host"]),
        ("conditional(connection.mtls, request.path, request.host)", ["request.path"]),
        ("source.namespace", ["source.namespace"]),
    ],
)
def test_what_is_left_to_read(text: str, reads: list[str]) -> None:
    assert [read.name for read in reads_of(folded(text))] == reads


def test_a_failure_does_not_become_an_absence() -> None:
    """conditional(true, x, y) | z fails without x; x | z would be z."""
    found = folded('conditional(connection.mtls, request.path, "a") | "b"')
    assert not isinstance(found, Constant)
    assert found.type is ValueType.STRING
    program = compile_expression('conditional(true, request.path, "a") | "b"', STANDARD)
    assert isinstance(program, Program)
    assert [each.name for each in reads_of(fold(program.checked.root, {}))] == ["request.path"]
    assert fold(program.checked.root, {}) == program.checked.root
