"""What every Quotas must do. An adapter's test subclasses QuotasContract and says how to make one."""

import asyncio
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager

import pytest
from immutables import Map

from proa.core.mixer.quota.limits import Charge, Grant, Override, QuotaLimit
from proa.ports.failures import HandlerPermanent
from proa.ports.quotas import Quotas

LIMIT = QuotaLimit(
    quota="requestcount.quota.istio-system",
    max_amount=10,
    window_ms=5000,
    overrides=(
        Override(dimensions=Map(destination="reviews"), max_amount=1, window_ms=5000),
        Override(
            dimensions=Map(destination="productpage", source="10.28.11.20"), max_amount=50, window_ms=5000
        ),
        Override(dimensions=Map(destination="productpage"), max_amount=2, window_ms=5000),
    ),
)


class Clock:
    """Milliseconds that go on when they are told to."""

    def __init__(self) -> None:
        self.now_ms = 1_000_000

    def __call__(self) -> int:
        return self.now_ms


OpenQuotas = Callable[[QuotaLimit, Clock], AbstractAsyncContextManager[Quotas]]


def charge(destination: str, amount: int = 1, source: str = "a", **more: object) -> Charge:
    dimensions = Map(destination=destination, source=source)
    return Charge(quota=LIMIT.quota, dimensions=dimensions, amount=amount, **more)  # type: ignore[arg-type]


class QuotasContract:
    """Subclasses give the fixture `open_quotas`; each opening begins with nothing charged."""

    def test_a_limit_is_all_or_nothing_unless_less_will_do(self, open_quotas: OpenQuotas) -> None:
        async def body() -> None:
            async with open_quotas(LIMIT, Clock()) as quotas:
                asked = [(7, False), (4, False), (4, True), (1, True), (0, True)]
                answers = [await quotas.charge(charge("a", each, best_effort=some)) for each, some in asked]
                assert [answer.amount for answer in answers] == [7, 0, 3, 0, 0]
                assert all(0 < answer.valid_ms <= 5000 for answer in answers[:4])

        asyncio.run(body())

    def test_what_was_granted_comes_back_after_its_window(self, open_quotas: OpenQuotas) -> None:
        async def body() -> None:
            clock = Clock()
            async with open_quotas(LIMIT, clock) as quotas:
                assert (await quotas.charge(charge("a", 10))).amount == 10
                for _ in range(4):
                    clock.now_ms += 999
                    assert (await quotas.charge(charge("a", 1))).amount == 0
                clock.now_ms += 1004
                assert (await quotas.charge(charge("a", 10))).amount == 10

        asyncio.run(body())

    def test_the_first_override_that_fits_counts(self, open_quotas: OpenQuotas) -> None:
        async def body() -> None:
            async with open_quotas(LIMIT, Clock()) as quotas:
                asked = [
                    charge("reviews", 9, best_effort=True),
                    charge("productpage", 9, best_effort=True),
                    charge("productpage", 90, "10.28.11.20", best_effort=True),
                    charge("ratings", 90, best_effort=True),
                ]
                assert [(await quotas.charge(each)).amount for each in asked] == [1, 2, 50, 10]

        asyncio.run(body())

    def test_a_charge_that_is_repeated_is_told_its_answer_again(self, open_quotas: OpenQuotas) -> None:
        async def body() -> None:
            clock = Clock()
            async with open_quotas(LIMIT, clock) as quotas:
                first = await quotas.charge(charge("a", 6, deduplication_id="one"))
                clock.now_ms += 300
                again = await quotas.charge(charge("a", 6, deduplication_id="one"))
                assert again == Grant(amount=6, valid_ms=first.valid_ms - 300)
                other = await quotas.charge(charge("a", 6, deduplication_id="two", best_effort=True))
                assert other.amount == 4

        asyncio.run(body())

    def test_a_refusal_is_told_again_too(self, open_quotas: OpenQuotas) -> None:
        async def body() -> None:
            async with open_quotas(LIMIT, Clock()) as quotas:
                answers = [await quotas.charge(charge("a", 11, deduplication_id="one")) for _ in range(2)]
                assert [answer.amount for answer in answers] == [0, 0]

        asyncio.run(body())

    def test_charges_that_meet_get_no_more_than_there_is(self, open_quotas: OpenQuotas) -> None:
        async def body() -> None:
            async with open_quotas(LIMIT, Clock()) as quotas, asyncio.TaskGroup() as tasks:
                asked = [tasks.create_task(quotas.charge(charge("a"))) for _ in range(40)]
                answers = [await each for each in asked]
                assert sum(answer.amount for answer in answers) == 10

        asyncio.run(body())

    def test_a_quota_that_nothing_limits_is_named(self, open_quotas: OpenQuotas) -> None:
        async def body() -> None:
            async with open_quotas(LIMIT, Clock()) as quotas:
                with pytest.raises(HandlerPermanent, match="nothing limits other"):
                    await quotas.charge(Charge(quota="other"))

        asyncio.run(body())
