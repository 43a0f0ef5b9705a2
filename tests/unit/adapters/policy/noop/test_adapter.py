import asyncio

import pytest
from immutables import Map

from proa.adapters.policy.noop.adapter import NoopAdapter
from proa.core.mixer.plan.compiling import compile_plan
from proa.core.mixer.plan.dispatch import checks
from proa.core.mixer.plan.verdict import Answered, Verdict, combine
from proa.core.mixer.quota.limits import Charge, Grant
from proa.core.mixer.templates import Instance
from proa.ports.failures import HandlerPermanent
from proa.testing.mixer import all_run, mixer_config, rule

OBJECTS = [
    mixer_config("noop", "all", {}),
    mixer_config("checknothing", "ask", {}),
    mixer_config("reportnothing", "tell", {}),
    rule("r", "all.noop", "ask.checknothing", "tell.reportnothing"),
]


def test_a_rule_with_it_is_like_none() -> None:
    plan = compile_plan(OBJECTS, all_run()).plan
    (asked,) = checks(plan, {"destination.namespace": "default"}).calls
    instance = asked.instance
    assert instance is not None
    quota = Instance(name="q.quota.default", template="quota", fields=Map())

    async def body() -> None:
        async with NoopAdapter().open(plan.handlers["all.noop.default"]) as handler:
            answer = await handler.check(instance)
            assert combine([Answered(call=asked.call, answer=answer)]) == Verdict()
            granted = await handler.charge(quota, Charge(quota=quota.name, amount=7))
            assert granted == Grant(amount=7, valid_ms=60_000)
            await handler.report((Instance(name="t", template="reportnothing", fields=Map()),) * 3)
            with pytest.raises(HandlerPermanent):
                await handler.generate(Instance(name="k", template="kubernetes", fields=Map()))

    asyncio.run(body())
