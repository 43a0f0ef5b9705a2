import pytest

from proa.core.config import Json
from proa.core.config.mixer.own_faults import OWN
from tests.unit.core.config.judged import judge

ONE: Json = {"url": "http://influx:8086", "database": "mesh"}
TWO: Json = {"url": "https://influx:8086", "bucket": "mesh", "org": "shop", "token": "secret"}


def with_(spec: Json, **more: Json) -> Json:
    assert isinstance(spec, dict)
    return {**spec, **more}


@pytest.mark.parametrize(
    ("kind", "spec", "found"),
    [
        ("influxdb", ONE, []),
        ("influxdb", with_(ONE, user="a", password="b", retention_policy="week", precision="s"), []),
        ("influxdb", TWO, []),
        ("influxdb", {}, ["spec.database required", "spec.url required"]),
        ("influxdb", {"url": "influx:8086", "database": "a"}, ["spec.url bad-value"]),
        (
            "influxdb",
            with_(TWO, database="mesh"),
            ["spec.database conflict"],
        ),
        ("influxdb", with_(ONE, user="a"), ["spec.password required"]),
        ("influxdb", with_(ONE, org="a", token="b"), ["spec.org conflict", "spec.token conflict"]),
        (
            "influxdb",
            with_(TWO, org="", user="a", password="b", retentionPolicy="c"),
            [
                "spec.org required",
                "spec.password conflict",
                "spec.retentionPolicy conflict",
                "spec.user conflict",
            ],
        ),
        (
            "influxdb",
            with_(ONE, flushInterval="10ms", retryFor="2h", batchSize=0),
            [
                "spec.batchSize out-of-range",
                "spec.flushInterval out-of-range",
                "spec.retryFor out-of-range",
            ],
        ),
        (
            "influxdb",
            with_(ONE, metrics=[{}, {"instanceName": "a"}, {"instanceName": "a"}]),
            ["spec.metrics[0].instanceName required", "spec.metrics[2].instanceName duplicate"],
        ),
        ("zipkin", {"url": "http://zipkin:9411/api/v2/spans", "sampleProbability": 0.5}, []),
        ("zipkin", {"sampleProbability": 1.5}, ["spec.sampleProbability out-of-range", "spec.url required"]),
        (
            "zipkin",
            {"url": "http://zipkin:9411", "batchSize": 0, "headers": {"A b": "c"}},
            ["spec.batchSize out-of-range", 'spec.headers["A b"] bad-value'],
        ),
        ("otlp", {"endpoint": "http://collector:4317", "headers": {"authorization": "Bearer a"}}, []),
        ("otlp", {"endpoint": "https://collector:4318", "protocol": 1, "resource": {"a": "b"}}, []),
        ("otlp", {}, ["spec.endpoint required"]),
        ("otlp", {"endpoint": "collector:4317"}, ["spec.endpoint bad-value"]),
        (
            "otlp",
            {
                "endpoint": "http://a:1",
                "headers": {"A": "", "grpc-timeout": "", "x-bin": ""},
                "batchSize": 60000,
                "sampleProbability": 2,
                "logs": [{}],
                "metrics": [
                    {"instanceName": "a", "kind": "COUNTER", "buckets": {}},
                    {
                        "instanceName": "b",
                        "kind": "DISTRIBUTION",
                        "buckets": {"explicitBuckets": {"bounds": [1]}},
                    },
                ],
            },
            [
                "spec.batchSize out-of-range",
                "spec.headers.A bad-value",
                "spec.headers[grpc-timeout] bad-value",
                "spec.headers[x-bin] bad-value",
                "spec.logs[0].instanceName required",
                "spec.metrics[0].buckets conflict",
                "spec.metrics[0].buckets no-effect",
                "spec.sampleProbability out-of-range",
            ],
        ),
    ],
)
def test_what_makes_sense(kind: str, spec: Json, found: list[str]) -> None:
    assert judge(kind, spec) == found


def test_each_schema_has_one_judge() -> None:
    assert len(OWN) == 3
