"""Whether the contract finds what adapters do wrong. Those that do it right are in tests/contracts."""

import asyncio
import itertools
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import ClassVar
from unittest import SkipTest

import pytest

from proa.core.config.mixer.catalogue import AdapterKind
from proa.core.config.mixer.parameters import Adapter
from proa.core.mixer.plan.values import HandlerPlan
from proa.core.mixer.plan.verdict import CheckAnswer
from proa.core.mixer.quota.limits import Charge, Grant
from proa.core.mixer.templates import Instance
from proa.ports.failures import HandlerFailure, HandlerPermanent
from proa.ports.policy_adapter import PolicyHandler
from proa.testing.mixer_adapters import AdapterContract, Example, opened, prepare


class Parameters(Adapter, frozen=True, kw_only=True):
    words: tuple[str, ...] = ()


class Plain:
    """Its class is the adapter and its instances are handlers' makers; subclasses do one thing wrong."""

    kind: ClassVar[AdapterKind] = AdapterKind(
        name="plain", templates=("listentry", "quota"), parameters=Parameters
    )

    @asynccontextmanager
    async def open(self, handler: HandlerPlan) -> AsyncIterator[PolicyHandler]:
        yield PlainHandler()


class PlainHandler(PolicyHandler):
    async def check(self, instance: Instance) -> CheckAnswer:
        return CheckAnswer()

    async def charge(self, instance: Instance, charge: Charge) -> Grant:
        return Grant(amount=1, valid_ms=1000)


class WrongCode(PlainHandler):
    async def check(self, instance: Instance) -> CheckAnswer:
        return CheckAnswer(code=403)


class Generous(PlainHandler):
    async def charge(self, instance: Instance, charge: Charge) -> Grant:
        return Grant(amount=2, valid_ms=1000)


class Forgetful(PlainHandler):
    def __init__(self) -> None:
        self._granted = itertools.chain([1], itertools.repeat(0))

    async def charge(self, instance: Instance, charge: Charge) -> Grant:
        return Grant(amount=next(self._granted), valid_ms=1000)


class Swallowing(PlainHandler):
    async def report(self, instances: tuple[Instance, ...]) -> None:
        pass


class Moody(PlainHandler):
    def __init__(self) -> None:
        self._codes = itertools.count()

    async def check(self, instance: Instance) -> CheckAnswer:
        return CheckAnswer(code=next(self._codes) % 16)


class Lonely(PlainHandler):
    """One call at a time, and one that is cancelled keeps its place."""

    def __init__(self) -> None:
        self._busy = False

    async def check(self, instance: Instance) -> CheckAnswer:
        if self._busy:
            raise HandlerPermanent("one at a time")
        self._busy = True
        await asyncio.sleep(0)
        self._busy = False
        return CheckAnswer()


class Silent(PlainHandler):
    async def check(self, instance: Instance) -> CheckAnswer:
        raise HandlerPermanent("")


class Bug(PlainHandler):
    async def check(self, instance: Instance) -> CheckAnswer:
        return {"a": CheckAnswer()}[str(instance.fields["value"])]


def contract_of(handler: type[PlainHandler]) -> AdapterContract:
    class Opening(Plain):
        @asynccontextmanager
        async def open(self, handler_plan: HandlerPlan) -> AsyncIterator[PolicyHandler]:
            yield handler()

    return contract(Opening())


def contract(opening: Plain) -> AdapterContract:
    class Contract(AdapterContract):
        adapter = opening
        examples = (Example(instances={"listentry": {"value": '"v1"'}, "quota": {}}),)

    return Contract()


TESTS = tuple(name for name in vars(AdapterContract) if name.startswith("test_"))


def found_by(contract: AdapterContract) -> set[str]:
    """The tests that fail."""
    found: set[str] = set()
    for name in TESTS:
        try:
            getattr(contract, name)()
        except SkipTest:
            continue
        except (AssertionError, HandlerFailure, ExceptionGroup, KeyError):
            found.add(name)
    return found


@pytest.mark.parametrize(
    ("handler", "test"),
    [
        (WrongCode, "test_it_answers_for_each_template_that_it_takes"),
        (Generous, "test_it_answers_for_each_template_that_it_takes"),
        (Bug, "test_it_answers_for_each_template_that_it_takes"),
        (Forgetful, "test_a_charge_that_is_told_again_is_one"),
        (Swallowing, "test_what_it_does_not_take_is_refused_for_good"),
        (Moody, "test_equal_instances_are_answered_alike"),
        (Lonely, "test_calls_may_overlap"),
        (Lonely, "test_a_call_that_is_cancelled_disturbs_no_other"),
        (Silent, "test_closing_ends_what_runs"),
    ],
)
def test_what_a_handler_does_wrong_is_found(handler: type[PlainHandler], test: str) -> None:
    assert test in found_by(contract_of(handler))


def test_one_that_does_it_right_passes() -> None:
    assert found_by(contract_of(PlainHandler)) == set()


def test_a_task_that_outlives_its_handler_is_found() -> None:
    class Leaky(Plain):
        @asynccontextmanager
        async def open(self, handler: HandlerPlan) -> AsyncIterator[PolicyHandler]:
            self.task = asyncio.get_running_loop().create_task(asyncio.Event().wait())
            yield PlainHandler()

    assert found_by(contract(Leaky())) == {
        "test_closing_ends_what_runs",
        "test_an_opening_that_is_cancelled_leaves_nothing",
    }


def test_a_template_without_an_example_is_found() -> None:
    class More(Plain):
        kind = AdapterKind(
            name="more", templates=("listentry", "quota", "checknothing"), parameters=Parameters
        )

    assert found_by(contract(More())) == {"test_it_answers_for_each_template_that_it_takes"}


def test_wrong_examples_are_told() -> None:
    with pytest.raises(AssertionError, match="word"):
        prepare(
            Plain.kind, Example(parameters={"word": []}, instances={"listentry": {"value": "request.path"}})
        )
    with pytest.raises(AssertionError, match="is INT64 and must be STRING"):
        prepare(Plain.kind, Example(instances={"listentry": {"value": "destination.port"}}))
    with pytest.raises(AssertionError, match=r"request\.path"):
        prepare(Plain.kind, Example(instances={"listentry": {"value": "request.path"}}))


def test_instances_are_as_dispatch_makes_them() -> None:
    async def body() -> None:
        example = Example(
            instances={"listentry": {"value": 'source.labels["version"]'}},
            attributes={"source.labels": {"version": "v1"}},
        )
        async with opened(Plain(), example) as (handler, instances):
            assert instances["listentry"].name == "listentry.instance.default"
            assert instances["listentry"].fields["value"] == "v1"
            assert await handler.check(instances["listentry"]) == CheckAnswer()

    asyncio.run(body())
