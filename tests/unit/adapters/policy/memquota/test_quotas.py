import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from immutables import Map

from proa.adapters.policy.memquota import MemQuotas
from proa.adapters.policy.memquota.quotas import monotonic_ms
from proa.core.mixer.quota.limits import Charge, Grant, QuotaLimit
from proa.ports.failures import HandlerTemporary
from proa.ports.quotas import Quotas
from tests.contracts.quotas import LIMIT, Clock, OpenQuotas, QuotasContract, charge


class TestMemQuotas(QuotasContract):
    @pytest.fixture
    def open_quotas(self) -> OpenQuotas:
        @asynccontextmanager
        async def open_quotas(limit: QuotaLimit, clock: Clock) -> AsyncIterator[Quotas]:
            yield MemQuotas([limit], clock=clock)

        return open_quotas


def test_what_is_given_back_can_be_taken_again() -> None:
    async def body() -> None:
        quotas = MemQuotas([LIMIT], clock=Clock())
        await quotas.charge(charge("a", 10))
        assert await quotas.charge(charge("a", -4)) == Grant(amount=-4, valid_ms=0)
        assert (await quotas.charge(charge("a", 9, best_effort=True))).amount == 4

    asyncio.run(body())


def test_too_many_sets_of_dimensions_are_a_failure_and_no_refusal() -> None:
    async def body() -> None:
        quotas = MemQuotas([LIMIT], most_cells=1, clock=Clock())
        await quotas.charge(charge("a"))
        with pytest.raises(HandlerTemporary, match="1 sets of dimensions are counted"):
            await quotas.charge(Charge(quota=LIMIT.quota, dimensions=Map(x="1")))

    asyncio.run(body())


def test_its_own_clock_counts_milliseconds() -> None:
    async def body() -> None:
        quotas = MemQuotas([LIMIT])
        assert [(await quotas.charge(charge("reviews"))).amount for _ in range(2)] == [1, 0]

    before = monotonic_ms()
    asyncio.run(body())
    assert before <= monotonic_ms()
