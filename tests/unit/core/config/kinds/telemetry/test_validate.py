import pytest

from proa.core.config import Json
from tests.unit.core.config.judged import judge


@pytest.mark.parametrize(
    ("kind", "spec", "found"),
    [
        ("Telemetry", {}, []),
        (
            "Telemetry",
            {"tracing": [{"providers": [{"name": "a"}, {"name": "b"}]}]},
            ["spec.tracing[0].providers conflict"],
        ),
        (
            "Telemetry",
            {"tracing": [{"randomSamplingPercentage": 101}]},
            ["spec.tracing[0].randomSamplingPercentage out-of-range"],
        ),
        (
            "Telemetry",
            {
                "tracing": [
                    {"customTags": {"a": {}, "b": {"literal": {"value": "x"}, "header": {"name": "y"}}}}
                ]
            },
            ["spec.tracing[0].customTags.a required", "spec.tracing[0].customTags.b conflict"],
        ),
        (
            "Telemetry",
            {"tracing": [{"customTags": {"a": {"literal": {"value": ""}}}}]},
            ["spec.tracing[0].customTags.a.literal.value required"],
        ),
        (
            "Telemetry",
            {"metrics": [{"overrides": [{"match": {"metric": "REQUEST_COUNT", "customMetric": "a"}}]}]},
            ["spec.metrics[0].overrides[0].match conflict"],
        ),
        (
            "Telemetry",
            {
                "metrics": [
                    {
                        "overrides": [
                            {
                                "tagOverrides": {
                                    "a": {"value": "b"},
                                    "c": {},
                                    "d": {"operation": "REMOVE", "value": "e"},
                                }
                            }
                        ]
                    }
                ]
            },
            [
                "spec.metrics[0].overrides[0].tagOverrides.c.value required",
                "spec.metrics[0].overrides[0].tagOverrides.d.value conflict",
            ],
        ),
        (
            "Telemetry",
            {"metrics": [{"reportingInterval": "0s"}]},
            ["spec.metrics[0].reportingInterval out-of-range"],
        ),
        (
            "Telemetry",
            {"accessLogging": [{"filter": {"expression": " "}}]},
            ["spec.accessLogging[0].filter.expression required"],
        ),
    ],
)
def test_what_makes_sense(kind: str, spec: Json, found: list[str]) -> None:
    assert judge(kind, spec) == found
