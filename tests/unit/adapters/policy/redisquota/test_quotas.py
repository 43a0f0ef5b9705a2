"""The contract on a real Redis, both algorithms; and that the script is the arithmetic of core, charge by charge."""

import asyncio
import itertools
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from immutables import Map

from proa.adapters.policy.redisquota import RedisQuotas
from proa.adapters.policy.redisquota.connections import RedisPool
from proa.core.config.redis_address import parse_redis_address
from proa.core.mixer.quota.limits import Charge, Grant, Override, QuotaLimit
from proa.core.mixer.quota.shared import Algorithm, SharedLimit, SharedQuotas
from proa.ports.failures import HandlerFailure
from proa.ports.quotas import Quotas
from tests.contracts.quotas import Clock, OpenQuotas, QuotasContract
from tests.redis_process import RedisProcess

_names = itertools.count()
DEADLINE_S = 20.0
"""Of tests: a noisy machine is no failure of Redis'."""


def pool_of(redis: RedisProcess, size: int = 4, deadline_s: float = DEADLINE_S) -> RedisPool:
    return RedisPool(parse_redis_address(redis.address), size, deadline_s=deadline_s)


class _Renamed:
    """Charges under a name that nobody had before: each opening begins with nothing."""

    def __init__(self, quotas: RedisQuotas, was: str, name: str) -> None:
        self._quotas, self._was, self._name = quotas, was, name

    async def charge(self, charge: Charge) -> Grant:
        if charge.quota != self._was:
            return await self._quotas.charge(charge)
        return await self._quotas.charge(msgspec.structs.replace(charge, quota=self._name))


class _OnRedis(QuotasContract):
    algorithm: Algorithm

    @pytest.fixture
    def open_quotas(self, redis: RedisProcess) -> OpenQuotas:
        @asynccontextmanager
        async def open_quotas(limit: QuotaLimit, clock: Clock) -> AsyncIterator[Quotas]:
            name = f"{limit.quota}-{next(_names)}"
            shared = SharedLimit(
                limit=msgspec.structs.replace(limit, quota=name), algorithm=self.algorithm, bucket_ms=100
            )
            async with pool_of(redis) as pool:
                yield _Renamed(RedisQuotas([shared], pool, clock=clock), limit.quota, name)

        return open_quotas


class TestFixedWindow(_OnRedis):
    algorithm = "FIXED_WINDOW"


class TestRollingWindow(_OnRedis):
    algorithm = "ROLLING_WINDOW"


steps = st.lists(
    st.tuples(
        st.one_of(st.integers(0, 120), st.integers(-400, 2500)),
        st.sampled_from(["first", "second", "other"]),
        st.integers(-1, 7),
        st.booleans(),
        st.sampled_from(["", "", "i", "j"]),
    ),
    max_size=25,
)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    steps,
    st.sampled_from(["FIXED_WINDOW", "ROLLING_WINDOW"]),
    st.sampled_from([(1000, 100), (1500, 1499), (700, 250)]),
)
def test_the_script_is_the_arithmetic_of_core(
    redis: RedisProcess,
    steps: list[tuple[int, str, int, bool, str]],
    algorithm: Algorithm,
    sizes: tuple[int, int],
) -> None:
    window, bucket = sizes
    first = Override(dimensions=Map(who="first"), max_amount=3, window_ms=window)
    second = Override(dimensions=Map(who="second"), max_amount=12, window_ms=window)
    limit = QuotaLimit(quota=f"law-{next(_names)}", max_amount=8, window_ms=window, overrides=(first, second))
    shared = SharedLimit(limit=limit, algorithm=algorithm, bucket_ms=bucket)

    async def body() -> None:
        clock, model = Clock(), SharedQuotas([shared])
        async with pool_of(redis, size=1) as pool:
            quotas = RedisQuotas([shared], pool, clock=clock)
            for after, who, amount, best_effort, name in steps:
                clock.now_ms += after
                charge = Charge(
                    quota=limit.quota,
                    dimensions=Map(who=who),
                    amount=amount,
                    best_effort=best_effort,
                    deduplication_id=name,
                )
                assert await quotas.charge(charge) == model.charge(charge, clock.now_ms)

    asyncio.run(body())


def test_several_who_share_a_redis_share_the_windows(redis: RedisProcess) -> None:
    shared = SharedLimit(limit=QuotaLimit(quota=f"shared-{next(_names)}", max_amount=25, window_ms=600_000))

    async def body() -> None:
        async with pool_of(redis, 2) as one, pool_of(redis, 2) as other, asyncio.TaskGroup() as tasks:
            quotas = [RedisQuotas([shared], one), RedisQuotas([shared], other)]
            asked = [
                tasks.create_task(quotas[index % 2].charge(Charge(quota=shared.limit.quota)))
                for index in range(60)
            ]
            answers = [await each for each in asked]
        assert sum(answer.amount for answer in answers) == 25
        assert all(0 < answer.valid_ms <= 600_000 for answer in answers)

    asyncio.run(body())


@pytest.mark.parametrize("algorithm", ["FIXED_WINDOW", "ROLLING_WINDOW"])
def test_every_key_ends_by_itself(redis: RedisProcess, algorithm: Algorithm) -> None:
    quota = f"ends-{next(_names)}"
    shared = SharedLimit(
        limit=QuotaLimit(quota=quota, max_amount=9, window_ms=60_000), algorithm=algorithm, bucket_ms=1
    )

    async def body() -> None:
        clock = Clock()
        async with pool_of(redis) as pool:
            quotas = RedisQuotas([shared], pool, clock=clock)
            for name in ("i", "j"):
                clock.now_ms += 5
                await quotas.charge(Charge(quota=quota, deduplication_id=name))
            keys = await pool.ask(("KEYS", f"proa.quota:{{{quota}}}:*"))
            assert isinstance(keys, list)
            assert len(keys) == (3 if algorithm == "FIXED_WINDOW" else 4)
            for key in keys:
                assert isinstance(key, bytes)
                left = await pool.ask(("PTTL", key.decode()))
                assert isinstance(left, int)
                assert left > 0

    asyncio.run(body())


def test_a_redis_that_forgot_the_script_is_given_it_again(redis: RedisProcess) -> None:
    shared = SharedLimit(limit=QuotaLimit(quota=f"script-{next(_names)}", max_amount=2, window_ms=600_000))

    async def body() -> None:
        async with pool_of(redis) as pool:
            quotas = RedisQuotas([shared], pool)
            amounts = []
            for _ in range(3):
                await pool.ask(("SCRIPT", "FLUSH"))
                amounts.append((await quotas.charge(Charge(quota=shared.limit.quota))).amount)
            assert amounts == [1, 1, 0]

    asyncio.run(body())


Life = Callable[[RedisProcess], None]


@pytest.mark.parametrize(
    ("end", "begin", "said"),
    [
        (RedisProcess.kill, RedisProcess.start, "cannot be reached|has not answered"),
        (RedisProcess.stop_answering, RedisProcess.answer_again, "has not answered within"),
    ],
)
def test_a_redis_that_is_away_is_named_and_met_again(
    redis: RedisProcess, end: Life, begin: Life, said: str
) -> None:
    """The fixture is asked for so that a host without Redis skips; this one is killed."""
    shared = SharedLimit(limit=QuotaLimit(quota="away", max_amount=1000, window_ms=600_000))

    async def body(process: RedisProcess) -> None:
        async with pool_of(process, size=2, deadline_s=1.0) as pool:
            quotas = RedisQuotas([shared], pool)
            while True:
                try:
                    assert (await quotas.charge(Charge(quota="away"))).amount == 1
                    break
                except HandlerFailure:
                    continue  # a second was too short for a busy machine
            end(process)
            with pytest.raises(HandlerFailure, match=f"Redis at {process.address} ({said})"):
                await quotas.charge(Charge(quota="away"))
            begin(process)
            while True:
                try:
                    await quotas.charge(Charge(quota="away"))
                    break
                except HandlerFailure:
                    continue

    with RedisProcess() as process:
        asyncio.run(body(process))
