"""A limit of a hundred requests a second that four servers share: under uneven load, and while all of it goes over to
one of them. Seconds are counted from the first request.

Run with `scripts/test endurance -k quota`; it lasts about a minute.
"""

import asyncio
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from typing import Final

import pytest

from proa.testing.load import LoadPlan, LoadResult, Shot, offer_load
from tests.mesh.harness import FOREVER, Mesh, app, why_no_envoy
from tests.redis_process import RedisProcess, why_no_redis

pytestmark = [pytest.mark.endurance, pytest.mark.mesh, pytest.mark.timeout(300)]

LIMIT: Final = 100
SERVERS: Final = ("quota-a", "quota-b", "quota-c", "quota-d")
UNEVEN: Final = (120.0, 60.0, 30.0, 10.0)
"""Requests a second to each: more than twice the limit, and one server alone has more than all may."""
UNEVEN_S: Final = 30.0
SHIFTED_S: Final = 15.0

RULES: Final = """
apiVersion: config.istio.io/v1alpha2
kind: quota
metadata: {{name: shared}}
spec: {{dimensions: {{all: '"of them"'}}}}
---
apiVersion: config.istio.io/v1alpha2
kind: {adapter}
metadata: {{name: limits}}
spec:
  {parameters}
  quotas:
  - {{name: shared.quota.default, maxAmount: {limit}, validDuration: 1s{more}}}
---
apiVersion: config.istio.io/v1alpha2
kind: rule
metadata: {{name: count}}
spec: {{actions: [{{handler: limits.{adapter}, instances: [shared.quota]}}]}}
---
apiVersion: config.istio.io/v1alpha2
kind: QuotaSpec
metadata: {{name: shared}}
spec: {{rules: [{{quotas: [{{quota: shared, charge: 1}}]}}]}}
---
apiVersion: config.istio.io/v1alpha2
kind: QuotaSpecBinding
metadata: {{name: shared}}
spec: {{quotaSpecs: [{{name: shared}}], services: [{{service: "*.default.*"}}]}}
"""


@pytest.fixture(scope="module")
def mesh() -> Iterator[Mesh]:
    if reason := why_no_envoy():
        pytest.skip(reason)
    with Mesh() as mesh:
        for name in SERVERS:
            mesh.run(name, app("echo"), port="8080:auto/http", wait=False)
        mesh.run("caller", FOREVER, wait=False)
        mesh.until_healthy(*SERVERS, "caller")
        yield mesh


def plan(mesh: Mesh, server: str, rate: float, seconds: float) -> LoadPlan:
    """A refusal is an answer, not a failure: `classify` says so."""
    return LoadPlan(
        shots=(Shot(url=f"http://{server}:8080/"),),
        rate=rate,
        seconds=seconds,
        connections=16,
        proxy=mesh.proxy("caller"),
    )


async def offered(plans: Sequence[LoadPlan]) -> list[LoadResult]:
    async with asyncio.TaskGroup() as tasks:
        running = [tasks.create_task(offer_load(each)) for each in plans]
    return [each.result() for each in running]


def judged(mesh: Mesh) -> tuple[list[float], float]:
    """When each admitted request was answered, in seconds from the first that was sent."""
    uneven = [plan(mesh, name, rate, UNEVEN_S) for name, rate in zip(SERVERS, UNEVEN, strict=True)]

    shift = plan(mesh, SERVERS[-1], sum(UNEVEN), SHIFTED_S)

    async def body() -> list[LoadResult]:
        first = await offered(uneven)
        return [*first, *await offered([shift])]

    results = asyncio.run(body())
    began = min(each.started for each in results)
    shifted = results[-1].started - began
    records = [record for each in results for record in each.records]
    lost = Counter(f"{record.failure}: {record.detail}" for record in records if not record.status)
    assert not lost, lost
    return sorted(record.ended - began for record in records if record.status == 200), shifted


def within(moments: Sequence[float], begin: float, end: float) -> int:
    return sum(begin <= each < end for each in moments)


def check(mesh: Mesh, tell: Callable[[str], None]) -> None:
    admitted, shifted = judged(mesh)
    rate = within(admitted, 3.0, UNEVEN_S) / (UNEVEN_S - 3.0)
    windows = [
        within(admitted, start / 10, start / 10 + 5) / 5
        for start in range(round(shifted * 10) - 50, round(shifted * 10) + 51)
    ]
    tell(
        f"{rate:.1f}/s over seconds 3-30; around the shift 5 s windows of {min(windows):.1f} to {max(windows):.1f}/s"
    )
    assert 0.95 * LIMIT <= rate <= 1.05 * LIMIT
    assert min(windows) >= 0.75 * LIMIT
    assert max(windows) <= 1.10 * LIMIT


def test_four_servers_share_memquota(mesh: Mesh, tell: Callable[[str], None]) -> None:
    with mesh.applied(RULES.format(adapter="memquota", parameters="", limit=LIMIT, more="")):
        check(mesh, tell)


def test_four_servers_share_a_redis(mesh: Mesh, tell: Callable[[str], None]) -> None:
    if reason := why_no_redis():
        pytest.skip(reason)
    more = ", rateLimitAlgorithm: ROLLING_WINDOW, bucketDuration: 100ms"
    with RedisProcess() as redis:
        parameters = f"redisServerUrl: {redis.address}"
        with mesh.applied(RULES.format(adapter="redisquota", parameters=parameters, limit=LIMIT, more=more)):
            check(mesh, tell)
