"""What becomes of instances on their way to a handler that is slow, that fails, and that goes away."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

from hypothesis import given, settings
from hypothesis import strategies as st
from immutables import Map

from proa.control_plane.mixer.report_queue import ReportQueue
from proa.control_plane.mixer.running import Pace, Running
from proa.control_plane.mixer.tally import Tally
from proa.core.config.mixer.annotations import Bounds
from proa.core.config.mixer.catalogue import BUILT_IN, AdapterKind
from proa.core.mixer.plan.values import HandlerPlan
from proa.core.mixer.reporting.backlog import Backlog, Counts
from proa.core.mixer.templates import Instance
from proa.ports.failures import HandlerPermanent, HandlerTemporary
from proa.ports.policy_adapter import PolicyHandler
from proa.runtime.supervise import Supervisor
from tests.unit.control_plane.mixer.adapters import handler


def instances(*names: object) -> list[Instance]:
    return [Instance(name=str(name), template="reportnothing", fields=Map()) for name in names]


class Recorder(PolicyHandler):
    """Does with each batch what the test says, and keeps what it took. An adapter, too, with one handler: itself."""

    kind: AdapterKind = BUILT_IN.adapters["noop"]

    def __init__(self, *does: Exception | asyncio.Event) -> None:
        self.batches: list[str] = []
        self.called = asyncio.Event()
        self.is_closed = False
        self._does = list(does)

    @asynccontextmanager
    async def open(self, plan: HandlerPlan) -> AsyncIterator[PolicyHandler]:
        yield self
        self.is_closed = True

    async def report(self, instances: tuple[Instance, ...]) -> None:
        assert not self.is_closed
        self.called.set()
        next_step = self._does.pop(0) if self._does else None
        if isinstance(next_step, Exception):
            raise next_step
        if next_step is not None:
            await next_step.wait()
        self.batches.append("".join(each.name for each in instances))


Scene = Callable[[ReportQueue, Recorder], Awaitable[None]]


def play(
    recorder: Callable[[], Recorder],
    scene: Scene,
    most: int = 100,
    deadline_ms: int = 60_000,
    drain_s: float = 60.0,
) -> ReportQueue:
    async def run() -> ReportQueue:
        found = recorder()
        plan = handler("h", bounds=Bounds(deadline_ms=deadline_ms))
        running = Running(plan, found, Tally(), lambda: 0.5, Pace(drain_s=drain_s))
        async with asyncio.TaskGroup() as life, Supervisor() as tasks:
            life.create_task(running.live())
            queue = ReportQueue(running, tasks, Backlog(most, 2))
            await scene(queue, found)
            await queue.emptied()
            running.retire()
        assert found.is_closed
        return queue

    return asyncio.run(run())


def test_all_arrives_in_order_and_in_batches() -> None:
    async def scene(queue: ReportQueue, handler: Recorder) -> None:
        queue.offer(instances("a", "b", "c"))
        await queue.emptied()
        queue.offer(instances("d"))
        await queue.emptied()
        assert handler.batches == ["ab", "c", "d"]

    queue = play(Recorder, scene)
    assert queue.counts == Counts(offered=4, delivered=4)
    assert queue.held == 0


def test_what_fails_is_counted_and_the_next_goes_on() -> None:
    flaws = (HandlerPermanent("no"), HandlerTemporary("not now"), RuntimeError("a flaw"))

    async def scene(queue: ReportQueue, handler: Recorder) -> None:
        queue.offer(instances(*"abcdefgh"))
        await queue.emptied()
        assert handler.batches == ["gh"]

    queue = play(lambda: Recorder(*flaws), scene)
    assert queue.counts == Counts(offered=8, delivered=2, failed=6)


def test_who_takes_too_long_is_not_waited_for() -> None:
    async def scene(queue: ReportQueue, handler: Recorder) -> None:
        queue.offer(instances("a"))
        await queue.emptied()
        assert handler.batches == []

    queue = play(lambda: Recorder(asyncio.Event()), scene, deadline_ms=10)
    assert queue.counts == Counts(offered=1, failed=1)


def test_what_finds_no_room_is_dropped_and_counted() -> None:
    release: list[asyncio.Event] = []

    def recorder() -> Recorder:
        release.append(asyncio.Event())
        return Recorder(release[0])

    async def scene(queue: ReportQueue, handler: Recorder) -> None:
        assert queue.offer(instances("a")) == 1
        await handler.called.wait()
        assert queue.offer(instances(*"bcdefg")) == 3
        assert queue.counts == Counts(offered=7, dropped=3)
        release[0].set()
        await queue.emptied()
        assert handler.batches == ["a", "bc", "d"]

    queue = play(recorder, scene, most=4)
    assert queue.counts == Counts(offered=7, delivered=4, dropped=3)


def test_a_handler_that_has_left_the_plan_gets_what_was_meant_for_it() -> None:
    release: list[asyncio.Event] = []

    def recorder() -> Recorder:
        release.append(asyncio.Event())
        return Recorder(release[0])

    async def scene(queue: ReportQueue, handler: Recorder) -> None:
        queue.offer(instances(*"abcde"))
        await handler.called.wait()
        queue.running.retire()
        release[0].set()
        await queue.emptied()
        assert handler.batches == ["ab", "cd", "e"]

    queue = play(recorder, scene)
    assert queue.counts == Counts(offered=5, delivered=5)


def test_who_is_closed_before_it_took_all_has_the_rest_counted() -> None:
    async def scene(queue: ReportQueue, handler: Recorder) -> None:
        queue.offer(instances(*"abcde"))
        await handler.called.wait()
        queue.running.retire()
        await queue.emptied()
        assert queue.offer(instances("f")) == 0

    queue = play(lambda: Recorder(asyncio.Event()), scene, drain_s=0.01)
    assert queue.counts == Counts(offered=6, failed=2, dropped=4)
    assert queue.held == 0


def test_at_the_end_of_the_program_nobody_waits() -> None:
    """Whether the worker had begun or not."""

    async def run(begins: bool) -> Counts:
        found = Recorder(asyncio.Event())
        running = Running(handler("h"), found, Tally(), lambda: 0.5)
        async with asyncio.TaskGroup() as life:
            life.create_task(running.live())
            async with Supervisor() as tasks:
                queue = ReportQueue(running, tasks, Backlog(10, 2))
                queue.offer(instances(*"abc"))
                if begins:
                    await found.called.wait()
                tasks.stop()
            running.retire()
        return queue.counts

    assert asyncio.run(run(begins=True)) == Counts(offered=3, failed=2, dropped=1)
    assert asyncio.run(run(begins=False)) == Counts(offered=3, dropped=3)


@settings(max_examples=60, deadline=None)
@given(
    script=st.lists(
        st.one_of(
            st.tuples(st.just("offer"), st.integers(1, 7)),
            st.just(("turn", 0)),
        ),
        max_size=25,
    ),
    does=st.lists(st.sampled_from(["take", "fail"]), max_size=12),
    most=st.integers(1, 10),
    is_retired=st.booleans(),
)
def test_nothing_is_lost_or_told_twice(
    script: list[tuple[str, int]], does: list[str], most: int, is_retired: bool
) -> None:
    """Whenever instances come, whatever the handler does with its batches, and however it goes."""
    taken: list[str] = []
    refused: list[str] = []
    answers = list(does)

    class Fickle(Recorder):
        async def report(self, instances: tuple[Instance, ...]) -> None:
            await asyncio.sleep(0)
            names = [each.name for each in instances]
            if answers and answers.pop(0) == "fail":
                refused.extend(names)
                raise HandlerPermanent("no")
            taken.extend(names)

    async def run() -> tuple[int, Counts]:
        number = 0
        running = Running(handler("h"), Fickle(), Tally(), lambda: 0.5, Pace(drain_s=0.0))
        async with asyncio.TaskGroup() as life, Supervisor() as tasks:
            life.create_task(running.live())
            queue = ReportQueue(running, tasks, Backlog(most, 3))
            for step, count in script:
                if step == "offer":
                    queue.offer(instances(*range(number, number + count)))
                    number += count
                else:
                    await asyncio.sleep(0)
            if is_retired:
                running.retire()
            await queue.emptied()
            running.retire()
            return number, queue.counts

    offered, counts = asyncio.run(run())
    assert counts.offered == offered == counts.delivered + counts.failed + counts.dropped
    assert counts.delivered == len(taken) == len(set(taken))
    assert not set(taken) & set(refused)
    assert counts.failed >= len(refused)
    assert taken == sorted(taken, key=int)
