"""Each adapter of ours under the contract that we give to those who write others (`proa.testing.mixer_adapters`)."""

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from aiohttp import web

from proa.adapters.policy.denier.adapter import DenierAdapter
from proa.adapters.policy.influxdb.adapter import InfluxdbAdapter
from proa.adapters.policy.listchecker.adapter import ListCheckerAdapter
from proa.adapters.policy.memquota.adapter import MemQuotaAdapter
from proa.adapters.policy.noop.adapter import NoopAdapter
from proa.adapters.policy.otlp.adapter import OtlpAdapter
from proa.adapters.policy.prometheus.adapter import PrometheusAdapter
from proa.adapters.policy.rbac.adapter import RbacAdapter
from proa.adapters.policy.redisquota.adapter import RedisQuotaAdapter
from proa.adapters.policy.stdio.adapter import StdioAdapter
from proa.adapters.policy.zipkin.adapter import ZipkinAdapter
from proa.adapters.policy_catalog import OURS
from proa.core.attributes.value_types import Value
from proa.testing.mixer_adapters import AdapterContract, Example
from tests.redis_process import RedisProcess, why_no_redis

QUOTA = {"dimensions": {"source": 'source.labels["app"]', "port": "destination.port"}}
METRIC = {"value": "1", "dimensions": {"source": 'source.labels["app"]', "port": "destination.port"}}
LOG = {"severity": '"warning"', "variables": {"source": 'source.labels["app"]', "port": "destination.port"}}
SPAN = {
    "traceId": 'request.headers["x-b3-traceid"]',
    "spanId": 'request.headers["x-b3-traceid"]',
    "spanTags": {"size": "response.size | 0"},
}
REQUEST: dict[str, Value] = {"source.labels": {"app": "visitor"}, "destination.port": 8080}


def test_each_of_ours_is_here() -> None:
    here = {
        contract.adapter.kind.name
        for contract in AdapterContract.__subclasses__()
        if contract.__module__ == __name__
    }
    assert here == {adapter.kind.name for adapter in OURS}


class TestDenier(AdapterContract):
    adapter = DenierAdapter()
    examples = (
        Example(instances={"checknothing": {}, "listentry": {"value": '"a"'}, "quota": {}}),
        Example(parameters={"status": {"code": 7, "message": "no"}}, instances={"checknothing": {}}),
    )


def version_list(url: str, **more: object) -> Example:
    return Example(
        parameters={"providerUrl": url, "overrides": ["v1"], **more},
        instances={"listentry": {"value": 'source.labels["version"]'}},
        attributes={"source.labels": {"version": "v2"}},
    )


class TestListChecker(AdapterContract):
    adapter = ListCheckerAdapter()
    unreachable = (version_list("http://127.0.0.1:1/list"),)

    @asynccontextmanager
    async def given(self) -> AsyncIterator[tuple[Example, ...]]:
        async def answer(request: web.Request) -> web.StreamResponse:
            return web.Response(text="v2\n")

        app = web.Application()
        app.router.add_get("/list", answer)
        runner = web.AppRunner(app, shutdown_timeout=1)
        await runner.setup()
        try:
            await web.TCPSite(runner, "127.0.0.1", 0).start()
            url = f"http://127.0.0.1:{runner.addresses[0][1]}/list"
            yield (version_list(url), version_list(url, blacklist=True), version_list(""))
        finally:
            await runner.cleanup()


class TestMemQuota(AdapterContract):
    adapter = MemQuotaAdapter()
    examples = (
        Example(
            parameters={
                "quotas": [
                    {
                        "name": "quota.instance.default",
                        "maxAmount": 5,
                        "validDuration": "600s",
                        "overrides": [
                            {"dimensions": {"port": "8081"}, "maxAmount": 1, "validDuration": "1s"}
                        ],
                    }
                ]
            },
            instances={"quota": QUOTA},
            attributes=REQUEST,
        ),
    )


class TestNoop(AdapterContract):
    adapter = NoopAdapter()
    examples = (
        Example(
            instances={
                "authorization": {
                    "subject": {"user": "source.principal"},
                    "action": {"namespace": "destination.namespace", "path": "request.path"},
                },
                "checknothing": {},
                "listentry": {"value": "request.path"},
                "logentry": {"severity": '"info"', "variables": {"path": "request.path"}},
                "metric": {"value": "1", "dimensions": {"path": "request.path"}},
                "quota": {"dimensions": {"path": "request.path"}},
                "reportnothing": {},
                "tracespan": {"traceId": 'request.headers["x-b3-traceid"]', "spanName": "request.path"},
            },
            attributes={
                "source.principal": "cluster.local/ns/a/sa/b",
                "destination.namespace": "shop",
                "request.path": "/products",
                "request.headers": {"x-b3-traceid": "463ac35c9f6413ad"},
            },
        ),
    )


class TestInfluxdb(AdapterContract):
    """Nobody is there: reports are taken all the same, and given up at the end (`test_adapter` has a real one)."""

    adapter = InfluxdbAdapter()
    examples = (
        Example(
            parameters={"url": "http://127.0.0.1:1", "database": "mesh"},
            instances={"metric": METRIC},
            attributes=REQUEST,
        ),
    )


class TestOtlp(AdapterContract):
    """Nobody is there, as for influxdb."""

    adapter = OtlpAdapter()
    examples = tuple(
        Example(
            parameters={"endpoint": "http://127.0.0.1:1", "protocol": protocol},
            instances={
                "logentry": LOG,
                "metric": METRIC,
                "tracespan": {"traceId": '"463ac35c9f6413ad"', "spanId": '"463ac35c9f6413ae"'},
            },
            attributes=REQUEST,
        )
        for protocol in ("GRPC", "HTTP")
    )


class TestPrometheus(AdapterContract):
    adapter = PrometheusAdapter()
    examples = (
        Example(
            parameters={
                "metrics": [
                    {
                        "instanceName": "metric.instance.default",
                        "name": kind.lower(),
                        "kind": kind,
                        "labelNames": ["source", "port"],
                    }
                    for kind in ("COUNTER", "GAUGE", "DISTRIBUTION")
                ],
                "metricsExpirationPolicy": {"metricsExpiryDuration": "60s"},
            },
            instances={"metric": METRIC},
            attributes=REQUEST,
        ),
    )


class TestRbac(AdapterContract):
    adapter = RbacAdapter()
    examples = (
        Example(
            instances={
                "authorization": {
                    "subject": {"user": "source.principal"},
                    "action": {
                        "namespace": "destination.namespace",
                        "service": '"cart"',
                        "method": '"GET"',
                        "path": "request.path",
                    },
                }
            },
            attributes={
                "source.principal": "cluster.local/ns/a/sa/b",
                "destination.namespace": "shop",
                "request.path": "/products",
            },
        ),
    )


def redis_quota(address: str) -> Example:
    limit = {
        "name": "quota.instance.default",
        "maxAmount": 5,
        "validDuration": "600s",
        "bucketDuration": "1s",
        "rateLimitAlgorithm": "ROLLING_WINDOW",
    }
    return Example(
        parameters={"redisServerUrl": address, "connectionPoolSize": 2, "quotas": [limit]},
        instances={"quota": QUOTA},
        attributes=REQUEST,
    )


@pytest.fixture(scope="module")
def redis() -> Iterator[RedisProcess]:
    if reason := why_no_redis():
        pytest.skip(reason)
    with RedisProcess() as process:
        yield process


class TestRedisQuota(AdapterContract):
    adapter = RedisQuotaAdapter()
    unreachable = (redis_quota("127.0.0.1:1"),)
    _redis: RedisProcess

    @pytest.fixture(autouse=True)
    def _with_redis(self, redis: RedisProcess) -> None:
        self._redis = redis

    @asynccontextmanager
    async def given(self) -> AsyncIterator[tuple[Example, ...]]:
        yield (redis_quota(self._redis.address),)


def stdio(path: object) -> Example:
    return Example(
        parameters={"logStream": "ROTATED_FILE", "outputPath": str(path)},
        instances={"logentry": LOG, "metric": METRIC},
        attributes=REQUEST,
    )


class TestStdio(AdapterContract):
    adapter = StdioAdapter()
    unreachable = (stdio("/dev/null"),)
    _path: Path

    @pytest.fixture(autouse=True)
    def _with_a_file(self, tmp_path: Path) -> None:
        self._path = tmp_path / "mixer.log"

    @asynccontextmanager
    async def given(self) -> AsyncIterator[tuple[Example, ...]]:
        yield (stdio(self._path),)


class TestZipkin(AdapterContract):
    """Nobody is there: spans are taken all the same, and given up at the end (`test_adapter` has a collector)."""

    adapter = ZipkinAdapter()
    examples = (
        Example(
            parameters={"url": "http://127.0.0.1:1/api/v2/spans", "sampleProbability": 0.9},
            instances={"tracespan": SPAN},
            attributes={"request.headers": {"x-b3-traceid": "463ac35c9f6413ad"}},
        ),
    )
