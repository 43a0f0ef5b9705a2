import asyncio

import pytest
from immutables import Map

from proa.adapters.policy.memquota.adapter import MemQuotaAdapter
from proa.core.attributes.value_types import Value
from proa.core.mixer.plan.compiling import compile_plan
from proa.core.mixer.plan.dispatch import NOTHING, charges
from proa.core.mixer.quota.limits import Charge
from proa.core.mixer.templates import Instance
from proa.ports.failures import HandlerPermanent
from proa.testing.mixer import all_run, mixer_config, rule

HANDLER = mixer_config(
    "memquota",
    "handler",
    {
        "quotas": [
            {
                "name": "requests.quota.default",
                "maxAmount": 500,
                "validDuration": "1s",
                "overrides": [
                    {"dimensions": {"destination": "productpage"}, "maxAmount": 2, "validDuration": "600s"},
                    {"dimensions": {"destination": "ratings"}, "maxAmount": 3},
                ],
            }
        ]
    },
)
REQUESTS = mixer_config("quota", "requests", {"dimensions": {"destination": 'destination.labels["app"]'}})


def test_the_third_request_of_the_task_is_refused() -> None:
    """From the objects to the grant: the plan's calls, made to the adapter's handler."""
    plan = compile_plan([HANDLER, REQUESTS, rule("r", "handler", "requests")], all_run()).plan
    bag: dict[str, Value] = {"destination.namespace": "default", "destination.labels": {"app": "productpage"}}

    async def body() -> list[int]:
        granted = []
        async with MemQuotaAdapter().open(plan.handlers["handler.memquota.default"]) as handler:
            for _ in range(3):
                (asked,) = charges(plan, bag, NOTHING, "requests").calls
                instance = asked.instance
                assert instance is not None
                charge = Charge(quota=instance.name, dimensions=instance.texts("dimensions"))
                granted.append((await handler.charge(instance, charge)).amount)
            with pytest.raises(HandlerPermanent, match="nothing limits b"):
                await handler.charge(Instance(name="b", template="quota", fields=Map()), Charge(quota="b"))
        return granted

    assert asyncio.run(body()) == [1, 1, 0]
