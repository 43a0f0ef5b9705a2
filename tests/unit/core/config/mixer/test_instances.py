import pytest
from immutables import Map

from proa.core.attributes.value_types import ValueType
from proa.core.config import Json
from proa.core.config.mixer.instances import Placed, expressions_of, instance_faults
from proa.core.config.mixer.templates import TEMPLATES, Authorization, Metric, Subject, TraceSpan
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
        (
            "kubernetes",
            {"source_ip": "$out.source_pod_ip", "attributeBindings": {"source.name": "$out."}},
            ["spec.attributeBindings[source.name] bad-value", "spec.sourceIp bad-value"],
        ),
        ("listentry", {"value": 'source.ip | ip("0.0.0.0")'}, []),
        ("listentry", {"value": "destination.port"}, ["spec.value bad-value"]),
        ("metric", {"value": "1", "dimensions": {"a": 200}}, ["spec.dimensions.a wrong-type"]),
    ],
)
def test_what_makes_sense(kind: str, spec: Json, found: list[str]) -> None:
    assert judge(kind, spec) == found


def test_each_expression_has_its_place_and_type() -> None:
    metric = Metric(value="1", dimensions=Map({"b": "request.path", "a": "2"}), monitored_resource_type='"x"')
    assert list(expressions_of(metric)) == [
        Placed(path=("value",), field=("value",), text="1", type=None),
        Placed(path=("dimensions", "a"), field=("dimensions", "a"), text="2", type=None),
        Placed(path=("dimensions", "b"), field=("dimensions", "b"), text="request.path", type=None),
        Placed(
            path=("monitoredResourceType",),
            field=("monitored_resource_type",),
            text='"x"',
            type=ValueType.STRING,
        ),
    ]
    asked = Authorization(subject=Subject(user="source.user", properties=Map({"a": "1"})))
    assert [(each.path, each.field, each.type) for each in expressions_of(asked)] == [
        (("subject", "user"), ("subject", "user"), ValueType.STRING),
        (("subject", "properties", "a"), ("subject", "properties", "a"), None),
    ]
    span = TraceSpan(http_status_code="200", client_span="true")
    assert [each.type for each in expressions_of(span)] == [ValueType.INT64, ValueType.BOOL]


def test_every_field_of_every_template_has_a_type_or_takes_any() -> None:
    for template in TEMPLATES.values():
        assert list(expressions_of(template.fields())) == []
        assert list(instance_faults(template.fields(), ("spec",))) == []
