import pytest

from proa.core.config import Json
from proa.core.config.mixer.reporting_faults import REPORTING, host_and_port_fault, judge_of, plain_name
from tests.unit.core.config.judged import judge

METRIC: Json = {"name": "a", "instance_name": "a.metric.b", "kind": "COUNTER", "label_names": ["a.b", "c-d"]}


def distribution(**buckets: Json) -> Json:
    return {"metrics": [{"instanceName": "a", "kind": "DISTRIBUTION", "buckets": dict(buckets)}]}


@pytest.mark.parametrize(
    ("kind", "spec", "found"),
    [
        ("prometheus", {"metrics": [METRIC]}, []),
        (
            "prometheus",
            {"metrics": [{"labelNames": ["a:b"], "buckets": {}}]},
            [
                "spec.metrics[0].buckets conflict",
                "spec.metrics[0].instanceName required",
                "spec.metrics[0].kind required",
                "spec.metrics[0].labelNames[0] bad-value",
            ],
        ),
        (
            "prometheus",
            {
                "metrics": [
                    {
                        "instanceName": "a",
                        "kind": "DISTRIBUTION",
                        "labelNames": ["le", "__a", "a.b", "a_b"],
                    }
                ]
            },
            [
                "spec.metrics[0].labelNames[0] bad-value",
                "spec.metrics[0].labelNames[1] bad-value",
                "spec.metrics[0].labelNames[3] duplicate",
            ],
        ),
        ("prometheus", {"metrics": [{"instanceName": "a", "kind": 2, "labelNames": ["le"]}]}, []),
        ("prometheus", {"metrics": [METRIC, METRIC]}, ["spec.metrics[1].name duplicate"]),
        (
            "prometheus",
            {
                "metrics": [
                    {"instanceName": "a", "kind": "GAUGE", "name": "5", "buckets": {"linearBuckets": {}}}
                ]
            },
            [
                "spec.metrics[0].buckets no-effect",
                "spec.metrics[0].buckets.linearBuckets out-of-range",
                "spec.metrics[0].name bad-value",
            ],
        ),
        ("prometheus", distribution(explicitBuckets={"bounds": [0.005, 1, 10]}), []),
        (
            "prometheus",
            distribution(explicitBuckets={"bounds": [1, 0.5]}),
            ["spec.metrics[0].buckets.explicitBuckets.bounds bad-value"],
        ),
        (
            "prometheus",
            distribution(explicitBuckets={}),
            ["spec.metrics[0].buckets.explicitBuckets.bounds required"],
        ),
        (
            "prometheus",
            distribution(explicit_buckets={"bounds": list(range(201))}),
            ["spec.metrics[0].buckets.explicitBuckets.bounds out-of-range"],
        ),
        ("prometheus", distribution(linear_buckets={"num_finite_buckets": 3, "width": 0.5}), []),
        (
            "prometheus",
            distribution(linearBuckets={"numFiniteBuckets": 201, "width": 1}),
            ["spec.metrics[0].buckets.linearBuckets.numFiniteBuckets out-of-range"],
        ),
        (
            "prometheus",
            distribution(exponential_buckets={"num_finite_buckets": 8, "scale": 1, "growth_factor": 10}),
            [],
        ),
        (
            "prometheus",
            distribution(exponentialBuckets={"numFiniteBuckets": 8, "scale": 1, "growthFactor": 1}),
            ["spec.metrics[0].buckets.exponentialBuckets out-of-range"],
        ),
        (
            "prometheus",
            {"metrics": [{"kind": "COUNTR"}]},
            ["spec.metrics[0].instanceName required", "spec.metrics[0].kind bad-value"],
        ),
        ("circonus", {}, ["spec.submissionUrl required"]),
        (
            "circonus",
            {"submission_url": "a", "submission_interval": "0.1s"},
            ["spec.submissionInterval out-of-range", "spec.submissionUrl bad-value"],
        ),
        ("circonus", {"submissionUrl": "https://a.example", "metrics": [{"name": "a", "type": "GAUGE"}]}, []),
        ("cloudwatch", {}, ["spec.namespace required"]),
        ("cloudwatch", {"namespace": "a", "metric_info": {"b": {"unit": "Count"}}}, []),
        (
            "cloudwatch",
            {"namespace": "a", "metricInfo": {"b": {"unit": "c"}}, "logs": {"d": {"payloadTemplate": "{{"}}},
            ["spec.logs.d.payloadTemplate bad-value", "spec.metricInfo.b.unit bad-value"],
        ),
        (
            "dogstatsd",
            {"address": "a", "bufferLength": -1, "sample_rate": 2, "metrics": {"b": {"name": "c"}}},
            [
                "spec.address bad-value",
                "spec.bufferLength out-of-range",
                "spec.metrics.b.type required",
                "spec.sampleRate out-of-range",
            ],
        ),
        ("dogstatsd", {"address": "localhost:8125", "metrics": {"b": {"type": "COUNTER"}}}, []),
        ("fluentd", {"address": "localhost:24224", "integerDuration": True}, []),
        ("fluentd", {"address": "localhost"}, ["spec.address bad-value"]),
        (
            "signalfx",
            {"ingest_url": "a", "datapointInterval": "0.1s"},
            [
                "spec.accessToken required",
                "spec.datapointInterval out-of-range",
                "spec.ingestUrl bad-value",
                "spec.metrics required",
            ],
        ),
        (
            "signalfx",
            {"accessToken": "a", "metrics": [{}]},
            ["spec.metrics[0].name required", "spec.metrics[0].type required"],
        ),
        (
            "solarwinds",
            {"appoptics_batch_size": 1001, "papertrail_url": "a:1", "logs": {"b": {"payloadTemplate": "}}"}}},
            [
                "spec.appopticsBatchSize out-of-range",
                "spec.logs.b.payloadTemplate bad-value",
                "spec.papertrailUrl bad-value",
            ],
        ),
        ("solarwinds", {"papertrail_url": "logs0.papertrailapp.com:8080"}, []),
        ("stackdriver", {"appCredentials": True, "apiKey": "a"}, ["spec conflict"]),
        (
            "stackdriver",
            {
                "metric_info": {"a": {"buckets": {}}},
                "logInfo": {"b": {"payload_template": "{{ .a }} {{"}},
                "trace": {"sampleProbability": 1.5},
            },
            [
                "spec.logInfo.b.payloadTemplate bad-value",
                "spec.metricInfo.a.buckets conflict",
                "spec.trace.sampleProbability out-of-range",
            ],
        ),
        (
            "statsd",
            {"flush_bytes": -1, "samplingRate": -0.1, "metrics": {"a": {"nameTemplate": "{{.a}-"}}},
            [
                "spec.flushBytes out-of-range",
                "spec.metrics.a.nameTemplate bad-value",
                "spec.metrics.a.type required",
                "spec.samplingRate out-of-range",
            ],
        ),
        ("statsd", {"metrics": {"a": {"type": "COUNTER", "name_template": '{{.a}}-{{(.b) | "c"}}'}}}, []),
        ("stdio", {"outputAsJson": True, "severity_levels": {"a": "INFO"}}, []),
        ("stdio", {"log_stream": "FILE"}, ["spec.outputPath required"]),
        ("stdio", {"output_path": "/a"}, ["spec.outputPath conflict"]),
        (
            "stdio",
            {"logStream": "ROTATED_FILE", "outputPath": "/a", "maxRotatedFiles": -1},
            ["spec.maxRotatedFiles out-of-range"],
        ),
    ],
)
def test_what_makes_sense(kind: str, spec: Json, found: list[str]) -> None:
    assert judge(kind, spec) == found


@pytest.mark.parametrize("text", ["a:1", ":8125", "[::1]:80", "10.0.0.1:65535"])
def test_addresses(text: str) -> None:
    assert host_and_port_fault(text) is None


@pytest.mark.parametrize("text", ["a", "a:0", "a:65536", "::1:80", "a b:1", "a/b:1"])
def test_what_is_no_address(text: str) -> None:
    assert host_and_port_fault(text) == f'"{text}" is no address; write host:port'


def test_names_become_plain_as_the_adapter_wrote_them() -> None:
    assert plain_name("/requests.per-path of/a") == "requests_perpath_of_a"


def test_every_judge_is_of_its_schema() -> None:
    for schema, judge_parameters in REPORTING.items():
        assert judge_of(schema, lambda parameters, at: iter(()))[0] is schema
        list(judge_parameters(schema(), ("spec",)))
