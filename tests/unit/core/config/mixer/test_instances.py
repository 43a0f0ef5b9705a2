import pytest

from proa.core.config import Json
from tests.unit.core.config.judged import judge


@pytest.mark.parametrize(
    ("kind", "spec", "found"),
    [
        ("quota", None, []),
        ("checknothing", None, []),
        ("reportnothing", {"badField": "a"}, ["spec.badField unknown-field"]),
        ("quota", {"dimensions": {"a": 'b | "c"', "d": "b |"}}, ["spec.dimensions.d bad-value"]),
        (
            "tracespan",
            {"traceId": "a", "span_id": "b", "spanTags": {"http.url": "request.path |"}},
            ["spec.spanTags[http.url] bad-value"],
        ),
        ("tracespan", {"traceId": "a", "trace_id": "b"}, ["spec.trace_id duplicate"]),
        (
            "authorization",
            {"subject": {"user": "a b", "properties": {"x": "1"}}},
            ["spec.subject.user bad-value"],
        ),
        (
            "kubernetes",
            {
                "source_ip": 'source.ip | ip("0.0.0.0")',
                "attribute_bindings": {"source.name": '$out.source_pod_name | ""'},
            },
            [],
        ),
        ("metric", {"value": "1", "dimensions": {"a": 200}}, ["spec.dimensions.a wrong-type"]),
    ],
)
def test_what_makes_sense(kind: str, spec: Json, found: list[str]) -> None:
    assert judge(kind, spec) == found
