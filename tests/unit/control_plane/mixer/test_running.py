"""One handler: calls that end in every way they can, and its life."""

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager

import pytest
from immutables import Map

from proa.control_plane.mixer.running import PACE, Pace, Running
from proa.control_plane.mixer.tally import Tally
from proa.core.config.mixer.annotations import Bounds
from proa.core.mixer.plan.verdict import CheckAnswer, Failure
from proa.core.mixer.quota.limits import Charge, Grant
from proa.core.mixer.templates import Instance
from proa.ports.failures import HandlerPermanent, HandlerTemporary
from tests.unit.control_plane.mixer.adapters import Scripted, handler, seen

ANY = Instance(name="i", template="checknothing", fields=Map())
QUICK = Pace(shortest_pause_s=0.001, longest_pause_s=0.002)
Scene = Callable[[Scripted, Running, asyncio.TaskGroup], Coroutine[None, None, None]]


@asynccontextmanager
async def running(
    adapter: Scripted | None, bounds: Bounds | None = None, pace: Pace = QUICK
) -> AsyncIterator[tuple[Running, asyncio.TaskGroup]]:
    found = Running(handler("h", bounds=bounds), adapter, Tally(), lambda: 0.5, pace)
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(found.live())
        try:
            yield found, tasks
        finally:
            found.retire()


def of_scene(scene: Scene, bounds: Bounds | None = None, pace: Pace = QUICK) -> Scripted:
    async def body() -> Scripted:
        adapter = Scripted()
        async with running(adapter, bounds, pace) as (found, tasks):
            await scene(adapter, found, tasks)
        return adapter

    return asyncio.run(body())


def test_it_is_opened_asked_and_closed() -> None:
    async def scene(adapter: Scripted, found: Running, tasks: asyncio.TaskGroup) -> None:
        assert await found.check(ANY) == CheckAnswer(message="0")
        assert await found.charge(ANY, Charge(quota="q", amount=5)) == Grant(amount=5, valid_ms=0)
        assert await found.generate(ANY) == Map({"number": 0})
        assert await found.report((ANY, ANY)) is None
        assert (found.is_open, found.problem, found.under_way) == (True, "", 0)
        assert dict(found.tally.outcomes) == {"answered": 4}

    adapter = of_scene(scene)
    assert (len(adapter.opened), adapter.closed) == (1, adapter.opened)


def raised(error: BaseException) -> Callable[[], object]:
    def say() -> object:
        raise error

    return say


@pytest.mark.parametrize(
    ("says", "outcome", "reason"),
    [
        (raised(HandlerTemporary("Redis is away")), "failed", "Redis is away"),
        (raised(HandlerPermanent("nothing limits it")), "failed", "nothing limits it"),
        (raised(ZeroDivisionError("by zero")), "broken", "ZeroDivisionError: by zero"),
        (raised(TimeoutError("of its own")), "broken", "TimeoutError: of its own"),
        (raised(asyncio.CancelledError()), "broken", "it gave up by itself"),
        (lambda: "yes", "broken", "it answered with str"),
    ],
)
def test_what_is_no_answer_is_a_failure(says: Callable[[], object], outcome: str, reason: str) -> None:
    async def scene(adapter: Scripted, found: Running, tasks: asyncio.TaskGroup) -> None:
        adapter.says = says
        assert await found.check(ANY) == Failure(reason=reason)
        adapter.says = lambda: None
        assert isinstance(await found.check(ANY), CheckAnswer), "and the next one is answered"
        assert dict(found.tally.outcomes) == {outcome: 1, "answered": 1}

    of_scene(scene)


def test_a_call_ends_at_its_deadline_also_when_it_waits_for_its_turn() -> None:
    async def scene(adapter: Scripted, found: Running, tasks: asyncio.TaskGroup) -> None:
        adapter.gate.clear()
        calls = [tasks.create_task(found.check(ANY)) for _ in range(2)]
        assert [await call for call in calls] == [Failure(reason="no answer in 20 ms")] * 2
        adapter.gate.set()
        found.rebound(handler("h", bounds=Bounds(deadline_ms=60_000, concurrency=1)))
        assert isinstance(await found.check(ANY), CheckAnswer), "turns are given back"
        assert (found.tally.outcomes["late"], found.under_way, found.waiting) == (2, 0, 0)

    of_scene(scene, Bounds(deadline_ms=20, concurrency=1))


def test_as_many_wait_as_may_be_under_way_and_one_more_fails_at_once() -> None:
    async def scene(adapter: Scripted, found: Running, tasks: asyncio.TaskGroup) -> None:
        adapter.gate.clear()
        calls = [tasks.create_task(found.check(ANY)) for _ in range(4)]
        await adapter.until(lambda: bool(adapter.opened))
        await seen(lambda: found.waiting == 2)
        assert adapter.opened[0].under_way == 2
        assert await found.check(ANY) == Failure(reason="2 calls are under way and as many wait")
        adapter.gate.set()
        assert [await call for call in calls] == [CheckAnswer(message="0")] * 4
        assert dict(found.tally.outcomes) == {"answered": 4, "full": 1}

    of_scene(scene, Bounds(deadline_ms=60_000, concurrency=2))


def test_new_bounds_hold_for_the_calls_that_come_after() -> None:
    async def scene(adapter: Scripted, found: Running, tasks: asyncio.TaskGroup) -> None:
        adapter.gate.clear()
        begun = tasks.create_task(found.check(ANY))
        await seen(lambda: found.under_way == 1)
        found.rebound(handler("h", bounds=Bounds(deadline_ms=20, concurrency=1)))
        assert await found.check(ANY) == Failure(reason="no answer in 20 ms")
        adapter.gate.set()
        assert isinstance(await begun, CheckAnswer)

    of_scene(scene)


def test_whoever_asked_may_go_and_that_is_counted() -> None:
    async def scene(adapter: Scripted, found: Running, tasks: asyncio.TaskGroup) -> None:
        adapter.gate.clear()
        call = tasks.create_task(found.check(ANY))
        await seen(lambda: found.under_way == 1)
        call.cancel()
        with pytest.raises(asyncio.CancelledError):
            await call
        assert dict(found.tally.outcomes) == {"cancelled": 1}

    of_scene(scene)


def test_a_handler_that_cannot_be_opened_fails_calls_at_once_and_is_tried_again() -> None:
    async def scene(adapter: Scripted, found: Running, tasks: asyncio.TaskGroup) -> None:
        adapter.refusals = [HandlerTemporary("not now"), OSError("no route"), HandlerPermanent("no right")]
        assert await found.check(ANY) == Failure(reason="not now")
        assert not found.is_open
        await adapter.until(lambda: bool(adapter.opened))
        assert isinstance(await found.check(ANY), CheckAnswer)
        assert (adapter.tries, found.problem) == (4, "")
        assert found.tally.outcomes["unopened"] >= 1

    of_scene(scene)


def test_an_opening_that_takes_too_long_is_tried_again_and_calls_wait_for_the_first_try() -> None:
    async def scene(adapter: Scripted, found: Running, tasks: asyncio.TaskGroup) -> None:
        adapter.opening.clear()
        call = tasks.create_task(found.check(ANY))
        assert await call == Failure(reason="that took too long")
        adapter.opening.set()
        await adapter.until(lambda: bool(adapter.opened))
        assert isinstance(await found.check(ANY), CheckAnswer)

    of_scene(scene, pace=Pace(open_s=0.02, shortest_pause_s=0.001, longest_pause_s=0.002))


def test_a_call_waits_for_a_handler_that_is_being_opened() -> None:
    async def scene(adapter: Scripted, found: Running, tasks: asyncio.TaskGroup) -> None:
        adapter.opening.clear()
        call = tasks.create_task(found.check(ANY))
        await seen(lambda: bool(adapter.tries))
        adapter.opening.set()
        assert await call == CheckAnswer(message="0")

    of_scene(scene)


def test_a_handler_that_dies_is_opened_again() -> None:
    async def scene(adapter: Scripted, found: Running, tasks: asyncio.TaskGroup) -> None:
        assert await found.check(ANY) == CheckAnswer(message="0")
        adapter.dying.set()
        await adapter.until(lambda: len(adapter.opened) == 2)
        assert await found.check(ANY) == CheckAnswer(message="1")

    adapter = of_scene(scene)
    assert adapter.closed == adapter.opened


def test_an_adapter_that_is_not_here_is_a_failure() -> None:
    async def scene() -> None:
        async with running(None) as (found, _):
            assert await found.check(ANY) == Failure(reason="there is no adapter it here")

    asyncio.run(scene())


def test_one_that_is_held_is_closed_when_its_calls_are_over() -> None:
    async def scene(adapter: Scripted, found: Running, tasks: asyncio.TaskGroup) -> None:
        adapter.gate.clear()
        with found.held():
            call = tasks.create_task(found.check(ANY))
            await seen(lambda: found.under_way == 1)
            found.retire()
            adapter.gate.set()
            assert await call == CheckAnswer(message="0")
            assert isinstance(await found.check(ANY), CheckAnswer), "as long as it is held"
        await adapter.until(lambda: bool(adapter.closed))
        assert await found.check(ANY) == Failure(reason="it is no longer in force")

    adapter = of_scene(scene)
    assert adapter.closed[0].ended == [0]


def test_calls_that_outlast_the_time_of_a_retired_handler_end_before_it_is_closed() -> None:
    async def scene(adapter: Scripted, found: Running, tasks: asyncio.TaskGroup) -> None:
        adapter.gate.clear()
        with found.held():
            call = tasks.create_task(found.check(ANY))
            await seen(lambda: found.under_way == 1)
            found.retire()
            assert await call == Failure(reason="it is no longer in force")
            await adapter.until(lambda: bool(adapter.closed))

    adapter = of_scene(scene, pace=Pace(drain_s=0.02))
    assert adapter.closed[0].ended == [0], "nobody is under way in what is closed"
    assert PACE.drain_s == 10.0
