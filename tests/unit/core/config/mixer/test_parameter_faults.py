import pytest

from proa.core.config import Json
from tests.unit.core.config.judged import judge


@pytest.mark.parametrize(
    ("kind", "spec", "found"),
    [
        ("denier", {"status": {"code": 7, "message": "no"}, "validDuration": "5s"}, []),
        ("denier", {"status": {"code": 99}}, ["spec.status.code out-of-range"]),
        ("stdio", {"outputAsJson": True, "severity_levels": {"a": "INFO"}}, []),
        ("stdio", {"badField": "a"}, ["spec.badField unknown-field"]),
        ("noop", None, []),
        ("listchecker", {"overrides": ["v1"], "blacklist": False}, []),
        (
            "listchecker",
            {"providerUrl": "a", "refresh_interval": "0.5s", "ttl": "0.1s"},
            ["spec.providerUrl bad-value", "spec.refreshInterval out-of-range", "spec.ttl conflict"],
        ),
        (
            "listchecker",
            {"overrides": ["10.0.0.0/8", "a"], "entryType": "IP_ADDRESSES"},
            ["spec.overrides[1] bad-value"],
        ),
        ("listchecker", {"overrides": ["("], "entryType": "REGEX"}, ["spec.overrides[0] bad-regex"]),
        ("memquota", {"quotas": [{"name": "a", "maxAmount": 1, "validDuration": "1s"}]}, []),
        (
            "memquota",
            {"quotas": [{"name": "", "maxAmount": -1}]},
            ["spec.quotas[0].maxAmount out-of-range", "spec.quotas[0].name required"],
        ),
        (
            "redisquota",
            {
                "quotas": [
                    {
                        "name": "a",
                        "maxAmount": 1,
                        "validDuration": "1s",
                        "rateLimitAlgorithm": "ROLLING_WINDOW",
                        "bucketDuration": "0.1s",
                    }
                ]
            },
            [],
        ),
        (
            "redisquota",
            {
                "quotas": [
                    {"name": "a"},
                    {
                        "name": "a",
                        "maxAmount": 1,
                        "validDuration": "1s",
                        "rate_limit_algorithm": "ROLLING_WINDOW",
                    },
                    {"name": "a", "maxAmount": 1, "validDuration": "1s", "overrides": [{"dimensions": {}}]},
                ]
            },
            [
                "spec.quotas[0].maxAmount out-of-range",
                "spec.quotas[0].validDuration required",
                "spec.quotas[1].bucketDuration out-of-range",
                "spec.quotas[2].overrides[0].dimensions required",
            ],
        ),
        ("opa", {"policy": [" "]}, ["spec.policy required"]),
        (
            "prometheus",
            {
                "metrics": [
                    {"name": "a", "instance_name": "a.metric", "kind": "COUNTER", "label_names": ["a"]}
                ]
            },
            [],
        ),
        (
            "prometheus",
            {"metrics": [{"labelNames": ["a-b"], "buckets": {}}]},
            [
                "spec.metrics[0].buckets conflict",
                "spec.metrics[0].instanceName required",
                "spec.metrics[0].labelNames[0] bad-value",
            ],
        ),
        (
            "prometheus",
            {
                "metrics": [
                    {"instanceName": "a", "buckets": {"explicitBuckets": {"bounds": [1, 0.5]}}},
                    {"instanceName": "a", "buckets": {"linearBuckets": {"numFiniteBuckets": 0}}},
                    {
                        "instanceName": "a",
                        "buckets": {
                            "exponential_buckets": {"num_finite_buckets": 8, "scale": 1, "growth_factor": 1}
                        },
                    },
                ]
            },
            [
                "spec.metrics[0].buckets.explicitBuckets.bounds bad-value",
                "spec.metrics[1].buckets.linearBuckets out-of-range",
                "spec.metrics[2].buckets.exponentialBuckets out-of-range",
            ],
        ),
        ("stackdriver", {"appCredentials": True, "apiKey": "a"}, ["spec conflict"]),
    ],
)
def test_what_makes_sense(kind: str, spec: Json, found: list[str]) -> None:
    assert judge(kind, spec) == found
