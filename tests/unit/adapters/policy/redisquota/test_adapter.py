import asyncio

from immutables import Map

from proa.adapters.policy.redisquota.adapter import RedisQuotaAdapter, limits_of
from proa.core.config.mixer.annotations import Bounds
from proa.core.config.mixer.parameters import RedisQuota
from proa.core.mixer.plan.values import HandlerPlan
from proa.core.mixer.quota.limits import Charge, Override, QuotaLimit
from proa.core.mixer.quota.shared import SharedLimit
from proa.core.mixer.templates import Instance
from proa.testing.mixer import mixer_config
from tests.redis_process import RedisProcess


def parameters_of(name: str, address: str) -> RedisQuota:
    spec = {
        "redisServerUrl": address,
        "connectionPoolSize": 2,
        "quotas": [
            {
                "name": name,
                "maxAmount": 5,
                "validDuration": "600s",
                "bucketDuration": "1s",
                "rateLimitAlgorithm": "ROLLING_WINDOW",
                "overrides": [{"dimensions": {"a": "b"}, "maxAmount": 2}],
            }
        ],
    }
    parameters = mixer_config("redisquota", "r", spec).spec
    assert isinstance(parameters, RedisQuota)
    return parameters


def test_parameters_are_limits_and_overrides_have_their_window() -> None:
    limit = QuotaLimit(
        quota="q",
        max_amount=5,
        window_ms=600_000,
        overrides=(Override(dimensions=Map(a="b"), max_amount=2, window_ms=600_000),),
    )
    assert limits_of(parameters_of("q", "")) == (
        SharedLimit(limit=limit, algorithm="ROLLING_WINDOW", bucket_ms=1000),
    )


def test_a_handler_charges_its_redis(redis: RedisProcess) -> None:
    plan = HandlerPlan(
        name="r.redisquota.default",
        adapter="redisquota",
        parameters=parameters_of("adapter-test", redis.address),
        instances=Map(),
        identity="",
        bounds=Bounds(deadline_ms=20_000),
    )

    async def body() -> list[int]:
        async with RedisQuotaAdapter().open(plan) as handler:
            instance = Instance(name="adapter-test", template="quota", fields=Map())
            charge = Charge(quota="adapter-test", dimensions=Map(a="b"))
            return [(await handler.charge(instance, charge)).amount for _ in range(3)]

    assert asyncio.run(body()) == [1, 1, 0]
