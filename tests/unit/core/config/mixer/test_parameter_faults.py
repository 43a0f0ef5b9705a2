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
        ("denier", {"validUseCount": -1}, ["spec.validUseCount out-of-range"]),
        ("bypass", {}, ["spec.backendAddress required"]),
        ("bypass", {"backend_address": "a"}, ["spec.backendAddress bad-value"]),
        ("bypass", {"backend_address": "a:1", "params": {"b": 1}, "session_based": True}, []),
        ("kubernetesenv", {"cache_refresh_duration": "0s"}, ["spec.cacheRefreshDuration out-of-range"]),
        ("kubernetesenv", {"cacheRefreshDuration": "5m", "kubeconfig_path": "a"}, []),
        ("listchecker", {}, ["spec.overrides no-effect"]),
        ("listchecker", {"providerUrl": "https://a.example", "ttl": "59s"}, ["spec.ttl conflict"]),
        ("listchecker", {"overrides": ["a"], "caching_use_count": -1}, ["spec.cachingUseCount out-of-range"]),
        ("listchecker", {"overrides": ["("], "entryType": "REGEX"}, ["spec.overrides[0] bad-regex"]),
        ("memquota", {"quotas": [{"name": "a", "maxAmount": 1, "validDuration": "1s"}]}, []),
        (
            "memquota",
            {"quotas": [{"name": "", "maxAmount": -1}], "minDeduplicationDuration": "0s"},
            [
                "spec.minDeduplicationDuration out-of-range",
                "spec.quotas[0].maxAmount out-of-range",
                "spec.quotas[0].name required",
                "spec.quotas[0].validDuration no-effect",
            ],
        ),
        (
            "memquota",
            {
                "quotas": [
                    {"name": "a", "maxAmount": 1, "validDuration": "1s"},
                    {
                        "name": "a",
                        "maxAmount": 1,
                        "validDuration": "1s",
                        "overrides": [
                            {"dimensions": {"x": "1"}, "maxAmount": 1, "validDuration": "1s"},
                            {"dimensions": {"x": "1", "y": "2"}, "maxAmount": -1},
                        ],
                    },
                ]
            },
            [
                "spec.quotas[1].name duplicate",
                "spec.quotas[1].overrides[1] no-effect",
                "spec.quotas[1].overrides[1].maxAmount out-of-range",
                "spec.quotas[1].overrides[1].validDuration no-effect",
            ],
        ),
        (
            "redisquota",
            {"redisServerUrl": "http://a", "connection_pool_size": -1},
            ["spec.connectionPoolSize out-of-range", "spec.redisServerUrl bad-value"],
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
                "spec.quotas[1].name duplicate",
                "spec.quotas[2].name duplicate",
                "spec.quotas[2].overrides[0].dimensions required",
                "spec.quotas[2].overrides[0].maxAmount out-of-range",
            ],
        ),
        ("opa", {"policy": [" "]}, ["spec.checkMethod required", "spec.policy required"]),
        ("opa", {}, ["spec.checkMethod required", "spec.policy required"]),
        ("opa", {"policy": ["package a"], "check_method": "data.a.allow", "failClose": True}, []),
        ("rbac", {"config_store_url": "k8s://", "cacheDuration": "30s"}, []),
        ("rbac", {"config_store_url": "fs:///etc/roles"}, ["spec.configStoreUrl no-effect"]),
        ("rbac", {"config_store_url": "a"}, ["spec.configStoreUrl bad-value"]),
        (
            "servicecontrol",
            {},
            ["spec.runtimeConfig.checkResultExpiration required", "spec.serviceConfigs required"],
        ),
        (
            "servicecontrol",
            {
                "runtime_config": {"check_result_expiration": "60s", "check_cache_size": 200},
                "service_configs": [
                    {"mesh_service_name": "a", "google_service_name": "b"},
                    {"meshServiceName": "a", "quotas": [{"googleQuotaMetricName": "c"}]},
                ],
            },
            [
                "spec.serviceConfigs[1].googleServiceName required",
                "spec.serviceConfigs[1].quotas[0].expiration required",
                "spec.serviceConfigs[1].quotas[0].name required",
            ],
        ),
    ],
)
def test_what_makes_sense(kind: str, spec: Json, found: list[str]) -> None:
    assert judge(kind, spec) == found
