import asyncio

from immutables import Map

from proa.adapters.policy.denier.adapter import DenierAdapter
from proa.core.mixer.plan.compiling import compile_plan
from proa.core.mixer.plan.dispatch import checks
from proa.core.mixer.plan.verdict import Answered, CheckAnswer, combine
from proa.core.mixer.quota.limits import Charge, Grant
from proa.core.mixer.templates import Instance
from proa.testing.mixer import all_run, mixer_config, rule


def test_the_task_of_2018_denies() -> None:
    """From the objects of `mixer-rule-deny-label` to what its caller is told."""
    objects = [
        mixer_config("denier", "denyreviewsv3handler", {"status": {"code": 7, "message": "Not allowed"}}),
        mixer_config("checknothing", "denyreviewsv3request", {}),
        rule(
            "denyreviewsv3",
            "denyreviewsv3handler.denier",
            "denyreviewsv3request.checknothing",
            match='destination.labels["app"] == "ratings" && source.labels["version"] == "v3"',
        ),
    ]
    plan = compile_plan(objects, all_run()).plan
    (asked,) = checks(
        plan,
        {
            "destination.namespace": "default",
            "destination.labels": {"app": "ratings"},
            "source.labels": {"version": "v3"},
        },
    ).calls
    instance = asked.instance
    assert instance is not None

    async def body() -> CheckAnswer:
        async with DenierAdapter().open(plan.handlers[asked.call.action.handler]) as handler:
            return await handler.check(instance)

    verdict = combine([Answered(call=asked.call, answer=asyncio.run(body()))])
    assert (verdict.code, verdict.message) == (7, "denyreviewsv3handler.denier.default:Not allowed")
    assert (verdict.valid_ms, verdict.valid_uses) == (5000, 1000)


def test_nothing_is_granted() -> None:
    objects = [
        mixer_config("denier", "none", {"validDuration": "2s"}),
        mixer_config("quota", "requests", {}),
        rule("r", "none.denier", "requests.quota"),
    ]
    plan = compile_plan(objects, all_run()).plan

    async def body() -> Grant:
        async with DenierAdapter().open(plan.handlers["none.denier.default"]) as handler:
            instance = Instance(name="requests.quota.default", template="quota", fields=Map())
            return await handler.charge(instance, Charge(quota=instance.name, amount=5, best_effort=True))

    assert asyncio.run(body()) == Grant(amount=0, valid_ms=2000)
