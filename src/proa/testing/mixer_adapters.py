"""What every adapter of Mixer's must do, ours and those of packages. Needs no test runner of its own: pytest finds the
tests of a subclass that is named `Test...`.

    class TestGreylist(AdapterContract):
        adapter = Greylist()
        examples = (
            Example(
                parameters={"words": ["v1"]},
                instances={"listentry": {"value": 'source.labels["version"]'}},
                attributes={"source.labels": {"version": "v1"}},
            ),
        )

The examples have an instance of each template that the adapter takes. Handlers and instances are made of them as the
control plane makes them of objects: wrong parameters and wrong types are told. `opened` is for an adapter's own tests.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from typing import ClassVar, Final
from unittest import SkipTest

import msgspec
from immutables import Map

from proa.core.attributes.value_types import Value, has_type
from proa.core.config.config import Config
from proa.core.config.mixer.catalogue import AdapterKind, Catalogue
from proa.core.config.mixer.templates import TEMPLATES, Variety
from proa.core.mixer.plan.compiling import compile_plan
from proa.core.mixer.plan.values import HandlerPlan
from proa.core.mixer.plan.verdict import CheckAnswer
from proa.core.mixer.quota.limits import Charge, Grant
from proa.core.mixer.templates import Instance, build
from proa.ports.failures import HandlerFailure, HandlerPermanent, HandlerTemporary
from proa.ports.policy_adapter import PolicyAdapter, PolicyHandler
from proa.testing.mixer import mixer_config, rule

CALL_S: Final = 60.0
"""A call that takes longer hangs. Deadlines are the caller's, so an adapter may take what its own need."""
CLOSE_S: Final = 60.0
_OVERLAPPING: Final = 40
_TURNS: Final = 12
_LAST_CODE: Final = 16

Answer = CheckAnswer | Grant | Map[str, Value] | None


class Example(msgspec.Struct, frozen=True, kw_only=True):
    """A handler and what it is asked for one request with `attributes`. `parameters` as a handler's `params` are
    written; `instances` by template, as an instance's `params` are. Limits and metrics know them by the name
    `TEMPLATE.instance.default`. `objects` are those that the adapter reads."""

    parameters: Mapping[str, object] = Map()
    instances: Mapping[str, Mapping[str, object]]
    attributes: Mapping[str, Value] = Map()
    objects: tuple[Config, ...] = ()


class Prepared(msgspec.Struct, frozen=True, kw_only=True):
    """`instances` by template."""

    plan: HandlerPlan
    instances: Mapping[str, Instance]


def prepare(kind: AdapterKind, example: Example) -> Prepared:
    """AssertionError with what is wrong with the example, or with the kind."""
    catalogue = Catalogue(Map({kind.name: kind}))
    params = dict(example.parameters)
    handler = mixer_config(
        "handler", "example", {"compiledAdapter": kind.name, "params": params}, catalogue=catalogue
    )
    shapes = [
        mixer_config("instance", template, {"compiledTemplate": template, "params": dict(fields)})
        for template, fields in example.instances.items()
    ]
    asks = rule("example", "example", *example.instances)
    compiled = compile_plan([handler, *shapes, asks, *example.objects], catalogue)
    assert not compiled.messages, "\n".join(f"{each.code}: {each.text}" for each in compiled.messages)
    instances: dict[str, Instance] = {}
    for plan in compiled.plan.instances.values():
        built = build(plan, example.attributes)
        assert built.instance is not None, built.failure
        instances[plan.template] = built.instance
    return Prepared(plan=compiled.plan.handlers["example.handler.default"], instances=instances)


@asynccontextmanager
async def opened(
    adapter: PolicyAdapter, example: Example
) -> AsyncIterator[tuple[PolicyHandler, Mapping[str, Instance]]]:
    """The handler of an example, and its instances by template."""
    prepared = prepare(adapter.kind, example)
    async with adapter.open(prepared.plan) as handler:
        yield handler, prepared.instances


async def ask(handler: PolicyHandler, instance: Instance, deduplication_id: str = "") -> Answer:
    """What the template's variety is asked, one for one; the answer has what an answer must have."""
    async with asyncio.timeout(CALL_S):
        answer = await _CALLS[TEMPLATES[instance.template].variety](handler, instance, deduplication_id)
    _check_answer(instance, answer)
    return answer


async def _check(handler: PolicyHandler, instance: Instance, _: str) -> Answer:
    return await handler.check(instance)


async def _charge(handler: PolicyHandler, instance: Instance, deduplication_id: str) -> Answer:
    dimensions = instance.texts("dimensions")
    charge = Charge(quota=instance.name, dimensions=dimensions, deduplication_id=deduplication_id)
    return await handler.charge(instance, charge)


async def _report(handler: PolicyHandler, instance: Instance, _: str) -> Answer:
    await handler.report((instance, instance))
    return None


async def _generate(handler: PolicyHandler, instance: Instance, _: str) -> Answer:
    return await handler.generate(instance)


_CALLS: Final[Mapping[Variety, Callable[[PolicyHandler, Instance, str], Awaitable[Answer]]]] = {
    "check": _check,
    "quota": _charge,
    "report": _report,
    "generator": _generate,
}


def _check_answer(instance: Instance, answer: Answer) -> None:
    template = TEMPLATES[instance.template]
    match answer:
        case CheckAnswer():
            assert 0 <= answer.code <= _LAST_CODE, f"{answer.code} is no google.rpc.Code"
            assert answer.valid_ms >= 0, "an answer is not valid for less than nothing"
        case Grant():
            assert answer.amount in (0, 1), f"1 was asked for, {answer.amount} granted"
            assert answer.valid_ms >= 0, "a grant does not hold for less than nothing"
        case Map():
            for name, value in answer.items():
                assert name in template.outputs, f"{template.name} has no output {name}"
                assert has_type(value, template.outputs[name]), f"{name} is no {template.outputs[name]}"


async def _outcome(handler: PolicyHandler, instance: Instance) -> Answer | HandlerFailure:
    try:
        return await ask(handler, instance)
    except HandlerFailure as error:
        failure = error
    assert str(failure), "a failure says what failed"
    return failure


class AdapterContract:
    """Subclasses give `adapter` and `examples`; `unreachable` are those whose outside world is away, if it has one."""

    adapter: ClassVar[PolicyAdapter]
    examples: ClassVar[tuple[Example, ...]] = ()
    unreachable: ClassVar[tuple[Example, ...]] = ()

    @asynccontextmanager
    async def given(self) -> AsyncIterator[tuple[Example, ...]]:
        """Override it where handlers need something that a test starts, and yield the examples for that."""
        yield self.examples

    def test_it_says_what_it_is(self) -> None:
        kind = self.adapter.kind
        assert isinstance(kind, AdapterKind)
        assert kind.runs, f"it does not run: {kind.missing}"
        assert kind.name.isascii()
        assert kind.name.isalnum()
        assert kind.name == kind.name.lower()
        assert kind.templates
        assert set(kind.templates) <= set(TEMPLATES), "Mixer's templates are those of docs/mixer.md"
        assert len(set(kind.templates)) == len(kind.templates)

    def test_a_parameter_that_it_does_not_have_is_told(self) -> None:
        template = self.adapter.kind.templates[0]
        try:
            prepare(
                self.adapter.kind, Example(parameters={"noSuchParameter": 1}, instances={template: Map()})
            )
            told = ""
        except AssertionError as error:
            told = str(error)
        assert "noSuchParameter" in told, "parameters that nobody knows are not told"

    def test_it_answers_for_each_template_that_it_takes(self) -> None:
        async def body() -> None:
            async with self.given() as examples:
                asked: set[str] = set()
                for example in examples:
                    async with opened(self.adapter, example) as (handler, instances):
                        for template, instance in instances.items():
                            await ask(handler, instance)
                            asked.add(template)
                assert asked == set(self.adapter.kind.templates), "the examples ask of each template"

        asyncio.run(body())

    def test_what_it_does_not_take_is_refused_for_good(self) -> None:
        """A caller that gets this far has a plan of other templates than the adapter says."""

        async def body() -> None:
            takes = {TEMPLATES[template].variety for template in self.adapter.kind.templates}
            async with self.given() as examples, opened(self.adapter, examples[0]) as (handler, _):
                for template in TEMPLATES.values():
                    if template.variety not in takes:
                        stranger = Instance(name="s.instance.default", template=template.name, fields=Map())
                        failure = await _outcome(handler, stranger)
                        assert isinstance(failure, HandlerPermanent), f"{template.name}: {failure}"

        asyncio.run(body())

    def test_equal_instances_are_answered_alike(self) -> None:
        """By one handler, and by another with the same parameters: every control plane has its own."""

        async def body() -> None:
            async with self.given() as examples:
                for example in examples:
                    first, second = opened(self.adapter, example), opened(self.adapter, example)
                    async with first as (one, instances), second as (other, _):
                        for instance in instances.values():
                            answers = [await ask(handler, instance) for handler in (one, one, other)]
                            said = [_lasting(answer) for answer in answers]
                            assert said[0] == said[1] == said[2], f"{instance.name}: {answers}"

        asyncio.run(body())

    def test_a_charge_that_is_told_again_is_one(self) -> None:
        async def body() -> None:
            async with self.given() as examples:
                for example in examples:
                    async with opened(self.adapter, example) as (handler, instances):
                        for instance in instances.values():
                            if TEMPLATES[instance.template].variety == "quota":
                                told = [await ask(handler, instance, "one") for _ in range(3)]
                                amounts = {each.amount for each in told if isinstance(each, Grant)}
                                assert len(amounts) == 1, f"{instance.name}: {told}"

        asyncio.run(body())

    def test_calls_may_overlap(self) -> None:
        async def body() -> None:
            async with self.given() as examples:
                for example in examples:
                    async with opened(self.adapter, example) as (handler, instances):
                        for instance in instances.values():
                            alone = _lasting(await ask(handler, instance))
                            async with asyncio.TaskGroup() as group:
                                tasks = [
                                    group.create_task(ask(handler, instance)) for _ in range(_OVERLAPPING)
                                ]
                            assert {str(_lasting(task.result())) for task in tasks} == {str(alone)}

        asyncio.run(body())

    def test_a_call_that_is_cancelled_disturbs_no_other(self) -> None:
        """At each of its first steps. What a cancelled charge took may be gone, so those are only answered."""

        async def body() -> None:
            async with self.given() as examples:
                for example in examples:
                    async with opened(self.adapter, example) as (handler, instances):
                        for instance in instances.values():
                            before = _lasting(await ask(handler, instance))
                            for turns in range(_TURNS):
                                await _cancelled(handler, instance, turns)
                            assert _lasting(await ask(handler, instance)) == before

        asyncio.run(body())

    def test_closing_ends_what_runs(self) -> None:
        """Calls that are under way are answered, fail or are cancelled, and nothing of the handler stays."""

        async def body() -> None:
            async with self.given() as examples:
                around = asyncio.all_tasks()
                for example in examples:
                    prepared = prepare(self.adapter.kind, example)
                    opening = self.adapter.open(prepared.plan)
                    handler = await opening.__aenter__()
                    async with asyncio.TaskGroup() as group:
                        for instance in prepared.instances.values():
                            for _ in range(_OVERLAPPING):
                                group.create_task(_outcome(handler, instance))
                        await _some_turns(3)
                        async with asyncio.timeout(CLOSE_S):
                            await opening.__aexit__(None, None, None)
                    for instance in prepared.instances.values():
                        await _outcome(handler, instance)
                assert asyncio.all_tasks() <= around, "tasks of a closed handler still run"

        asyncio.run(body())

    def test_a_handler_that_closes_leaves_the_others(self) -> None:
        """When parameters change, the handler before and the one after are both open for a while."""

        async def body() -> None:
            async with self.given() as examples:
                for example in examples:
                    async with opened(self.adapter, example) as (kept, instances):
                        async with opened(self.adapter, example):
                            pass
                        for instance in instances.values():
                            await ask(kept, instance)

        asyncio.run(body())

    def test_an_opening_that_is_cancelled_leaves_nothing(self) -> None:
        async def body() -> None:
            async with self.given() as examples:
                around = asyncio.all_tasks()
                for turns in range(_TURNS):
                    async with asyncio.TaskGroup() as group, asyncio.timeout(CLOSE_S):
                        opening = group.create_task(self._open_and_close(examples[0]))
                        await _some_turns(turns)
                        opening.cancel()
                        await asyncio.wait([opening])
                assert asyncio.all_tasks() <= around, "tasks of an opening that was cancelled still run"

        asyncio.run(body())

    async def _open_and_close(self, example: Example) -> None:
        async with opened(self.adapter, example):
            pass

    def test_what_is_away_is_told_and_not_waited_for(self) -> None:
        """Opening may say so, or each call; in either case the same call may succeed later."""
        if not self.unreachable:
            raise SkipTest("it needs nothing outside of the process")

        async def body() -> None:
            for example in self.unreachable:
                failure: object = None
                try:
                    async with asyncio.timeout(CALL_S), opened(self.adapter, example) as (handler, instances):
                        for instance in instances.values():
                            failure = await _outcome(handler, instance)
                            assert isinstance(failure, HandlerTemporary), f"{instance.name}: {failure}"
                except HandlerTemporary as error:
                    failure = error
                assert str(failure), "a failure says what failed"

        asyncio.run(body())


def _lasting(answer: Answer) -> object:
    """The part of an answer that does not depend on when it was asked. A grant is that of a limit, which has an end."""
    match answer:
        case CheckAnswer():
            return answer.code, answer.message
        case Grant():
            return None
        case _:
            return answer


async def _cancelled(handler: PolicyHandler, instance: Instance, turns: int) -> None:
    async with asyncio.TaskGroup() as group:
        task = group.create_task(_outcome(handler, instance))
        await _some_turns(turns)
        task.cancel()


async def _some_turns(turns: int) -> None:
    for _ in range(turns):
        await asyncio.sleep(0)
