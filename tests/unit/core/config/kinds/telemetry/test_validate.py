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
            {"metrics": [{"overrides": [{"match": {"customMetric": "a"}}]}]},
            ["spec.metrics[0].overrides[0].match.customMetric not-supported-yet"],
        ),
        (
            "Telemetry",
            {"metrics": [{"overrides": [{"match": {"metric": "GRPC_REQUEST_MESSAGES"}}]}]},
            ["spec.metrics[0].overrides[0].match.metric not-supported-yet"],
        ),
        (
            "Telemetry",
            {
                "metrics": [
                    {
                        "overrides": [
                            {
                                "tagOverrides": {
                                    "a": {"value": "request.method"},
                                    "b": {"value": "nobody.knows"},
                                    "le": {"value": "'1'"},
                                    "c": {},
                                    "d": {"operation": "REMOVE", "value": "e"},
                                }
                            }
                        ]
                    }
                ]
            },
            [
                "spec.metrics[0].overrides[0].tagOverrides.b.value bad-value",
                "spec.metrics[0].overrides[0].tagOverrides.c.value required",
                "spec.metrics[0].overrides[0].tagOverrides.d.value conflict",
                "spec.metrics[0].overrides[0].tagOverrides.le bad-value",
            ],
        ),
        (
            "Telemetry",
            {"metrics": [{"reportingInterval": "5s"}], "tracing": [{"disableContextPropagation": True}]},
            [
                "spec.metrics[0].reportingInterval not-supported-yet",
                "spec.tracing[0].disableContextPropagation not-supported-yet",
            ],
        ),
        (
            "Telemetry",
            {"accessLogging": [{"filter": {"expression": " "}}]},
            ["spec.accessLogging[0].filter.expression required"],
        ),
        (
            "Telemetry",
            {
                "accessLogging": [
                    {"filter": {"expression": "response.code >"}},
                    {"providers": [{"name": "envoy"}]},
                ]
            },
            ["spec.accessLogging[0].filter.expression bad-value"],
        ),
        (
            "Telemetry",
            {
                "tracing": [
                    {
                        "customTags": {
                            "a": {"formatter": {"value": "%NOBODY%"}},
                            "b": {"header": {"name": "x y"}},
                        }
                    }
                ]
            },
            [
                "spec.tracing[0].customTags.a.formatter.value bad-value",
                "spec.tracing[0].customTags.b.header.name bad-value",
            ],
        ),
    ],
)
def test_what_makes_sense(kind: str, spec: Json, found: list[str]) -> None:
    assert judge(kind, spec) == found
