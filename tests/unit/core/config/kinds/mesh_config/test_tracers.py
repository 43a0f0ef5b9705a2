"""Which collectors of spans are taken."""

import pytest

from proa.core.config import Json
from tests.unit.core.config.kinds.mesh_config.test_validate import judge

TO: dict[str, Json] = {"service": "default/zipkin", "port": 9411}


def faults(way: str, more: dict[str, Json]) -> list[str]:
    at = "spec.extensionProviders[0]."
    found = judge({"extensionProviders": [{"name": "a", way: {**TO, **more}}]})
    return [each.removeprefix(at) for each in found]


@pytest.mark.parametrize(
    ("way", "more", "said"),
    [
        ("zipkin", {}, []),
        ("zipkin", {"path": "/api/v2/spans", "enable64bitTraceId": True, "timeout": "1s"}, []),
        ("zipkin", {"path": "spans"}, ["zipkin.path bad-value"]),
        ("zipkin", {"traceContextOption": "USE_W3C"}, ["zipkin.traceContextOption bad-value"]),
        ("zipkin", {"service": "a b"}, ["zipkin.service bad-value"]),
        ("zipkin", {"headers": [{"name": "x-a", "value": "b"}]}, []),
        ("zipkin", {"headers": [{"name": "Host", "value": "b"}]}, ["zipkin.headers[0].name bad-value"]),
        ("zipkin", {"headers": [{"name": ":path", "value": "b"}]}, ["zipkin.headers[0].name bad-value"]),
        ("zipkin", {"headers": [{"name": "a b", "value": "b"}]}, ["zipkin.headers[0].name bad-value"]),
        ("zipkin", {"headers": [{"name": "a", "value": "%REQ(a)%"}]}, ["zipkin.headers[0].value bad-value"]),
        ("zipkin", {"headers": [{"name": "a", "value": "b\n"}]}, ["zipkin.headers[0].value bad-value"]),
        (
            "zipkin",
            {"headers": [{"name": "a", "value": "b", "envName": "C"}]},
            ["zipkin.headers[0].envName not-supported-yet"],
        ),
        ("opentelemetry", {"http": {"path": "v1"}}, ["opentelemetry.http.path bad-value"]),
        ("opentelemetry", {"http": {"path": "/v1"}, "grpc": {}}, ["opentelemetry conflict"]),
        (
            "opentelemetry",
            {"grpc": {"initialMetadata": [{"name": "te", "value": "b"}]}},
            ["opentelemetry.grpc.initialMetadata[0].name bad-value"],
        ),
        ("opentelemetry", {"grpc": {"timeout": "1s"}}, ["opentelemetry.grpc.timeout not-supported-yet"]),
    ],
)
def test_collectors(way: str, more: dict[str, Json], said: list[str]) -> None:
    assert faults(way, more) == said
