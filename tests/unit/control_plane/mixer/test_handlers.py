"""How one plan follows another: by examples, and by what holds for any row of plans, calls and failures."""

import asyncio
from collections.abc import Mapping

from hypothesis import given, settings
from hypothesis import strategies as st
from immutables import Map

from proa.control_plane.mixer.handlers import NO_PLAN, Handlers, Standing
from proa.control_plane.mixer.running import Pace
from proa.core.config.mixer.annotations import Bounds
from proa.core.mixer.plan.verdict import CheckAnswer, Failure
from proa.core.mixer.quota.limits import Charge, Grant
from proa.ports.failures import HandlerTemporary
from tests.unit.control_plane.mixer.adapters import Scripted, handler, plan_of, prepared, seen

QUICK = Pace(shortest_pause_s=0.001, longest_pause_s=0.002)


async def ask(handlers: Handlers, name: str) -> CheckAnswer | Failure:
    with handlers.held() as standing:
        return await standing.check(prepared(name))


def test_what_could_not_be_prepared_is_asked_of_nobody() -> None:
    async def scene() -> None:
        adapter, unmade = Scripted(), Failure(reason="no attribute", code=13)
        async with Handlers({"it": adapter}) as handlers:
            await handlers.swap(plan_of(handler("h")))
            with handlers.held() as standing:
                assert await standing.check(prepared("h", unmade)) == unmade
                assert await standing.generate(prepared("h", unmade)) == unmade
                assert await standing.charge(prepared("h", unmade), Charge(quota="q")) == unmade
                assert await standing.charge(prepared("h"), Charge(quota="q")) == Grant(amount=1, valid_ms=0)
                assert await standing.generate(prepared("h")) == Map({"number": 0})
            assert handlers.tallies["h"].outcomes == {"answered": 2}

    asyncio.run(scene())


def test_counts_go_on_under_a_name_and_go_with_it() -> None:
    async def scene() -> None:
        adapter = Scripted()
        async with Handlers({"it": adapter}) as handlers:
            await handlers.swap(plan_of(handler("h"), handler("other")))
            await ask(handlers, "h")
            await handlers.swap(plan_of(handler("h", "2")))
            await ask(handlers, "h")
            assert handlers.tallies["h"].outcomes == {"answered": 2}
            assert [each.plan.name for each in handlers.running] == list(handlers.tallies) == ["h"]
            await handlers.swap(NO_PLAN)
            assert not handlers.tallies

    asyncio.run(scene())


def test_bounds_alone_open_nothing_anew() -> None:
    async def scene() -> None:
        adapter = Scripted()
        async with Handlers({"it": adapter}) as handlers:
            await handlers.swap(plan_of(handler("h")))
            await handlers.swap(plan_of(handler("h", bounds=Bounds(deadline_ms=20))))
            adapter.gate.clear()
            assert await ask(handlers, "h") == Failure(reason="no answer in 20 ms")
            assert (adapter.tries, adapter.closed) == (1, [])

    asyncio.run(scene())


def test_a_plan_comes_into_force_when_its_handlers_are_open() -> None:
    async def scene() -> None:
        adapter = Scripted()
        async with (
            Handlers({"it": adapter}, pace=Pace(settle_s=60.0)) as handlers,
            asyncio.TaskGroup() as tasks,
        ):
            await handlers.swap(plan_of(handler("h")))
            adapter.opening.clear()
            swap = tasks.create_task(handlers.swap(plan_of(handler("h", "2"))))
            await seen(lambda: adapter.tries == 2)
            assert await ask(handlers, "h") == CheckAnswer(message="0"), "the one before still answers"
            adapter.opening.set()
            await swap
            assert await ask(handlers, "h") == CheckAnswer(message="1")

    asyncio.run(scene())


def test_one_that_does_not_open_keeps_no_plan_from_coming_into_force() -> None:
    async def scene() -> None:
        adapter = Scripted()
        async with Handlers({"it": adapter}, pace=Pace(settle_s=0.01)) as handlers:
            adapter.opening.clear()
            await handlers.swap(plan_of(handler("h", bounds=Bounds(deadline_ms=10))))
            assert await ask(handlers, "h") == Failure(reason="no answer in 10 ms")
            adapter.opening.set()
            await adapter.until(lambda: bool(adapter.opened))
            await handlers.swap(plan_of(handler("h")))
            assert await ask(handlers, "h") == CheckAnswer(message="0")

    asyncio.run(scene())


def test_a_swap_that_is_given_up_leaves_nothing_open() -> None:
    async def scene() -> None:
        adapter = Scripted()
        pace = Pace(settle_s=60.0)
        async with Handlers({"it": adapter}, pace=pace) as handlers, asyncio.TaskGroup() as tasks:
            await handlers.swap(plan_of(handler("h")))
            adapter.opening.clear()
            swap = tasks.create_task(handlers.swap(plan_of(handler("h", "2"))))
            await seen(lambda: adapter.tries == 2)
            swap.cancel()
            await asyncio.wait([swap])
            adapter.opening.set()
            assert await ask(handlers, "h") == CheckAnswer(message="0")
        assert set(adapter.closed) == set(adapter.opened)

    asyncio.run(scene())


NAMES = ("a", "b", "c")
plans = st.dictionaries(st.sampled_from(NAMES), st.sampled_from("12"), max_size=3)
steps = st.lists(
    st.one_of(
        plans.map(lambda plan: ("swap", plan)),
        st.sampled_from(NAMES).map(lambda name: ("begin", name)),
        st.sampled_from([("finish", None), ("refuse", None)]),
    ),
    max_size=14,
)


class Scene:
    """Row by row, what a reader of the laws would expect, beside what is."""

    def __init__(self, handlers: Handlers, adapter: Scripted, tasks: asyncio.TaskGroup) -> None:
        self.handlers, self.adapter, self._tasks = handlers, adapter, tasks
        self.calls: list[tuple[Standing, int | None, asyncio.Task[CheckAnswer | Failure]]] = []

    def number_of(self, name: str) -> int | None:
        """Which of the openings is in force under a name; None: it is not open."""
        with self.handlers.held() as standing:
            opened = standing.handler(name)._handler
        return opened.number if opened is not None else None  # type: ignore[attr-defined]

    async def swap(self, wanted: Mapping[str, str]) -> None:
        plan = self.handlers.plan
        before = {
            name: self.number_of(name)
            for name, each in plan.handlers.items()
            if wanted.get(name) == each.identity
        }
        await self.handlers.swap(plan_of(*(handler(*each) for each in wanted.items())))
        for name, number in before.items():
            assert number is None or self.number_of(name) == number, "what is the same is kept"
            assert number not in [each.number for each in self.adapter.closed]

    async def begin(self, name: str) -> None:
        if name not in self.handlers.plan.handlers:
            return
        self.adapter.gate.clear()
        number = self.number_of(name)

        async def request() -> CheckAnswer | Failure:
            with self.handlers.held() as standing:
                entered.set()
                return await standing.check(prepared(name))

        entered = asyncio.Event()
        task = self._tasks.create_task(request())
        await entered.wait()
        self.calls.append((self.handlers._current, number, task))

    async def finish(self) -> None:
        self.adapter.gate.set()
        for _, number, task in self.calls:
            answer = await task
            if number is not None:
                assert answer == CheckAnswer(message=str(number)), "it ends on the handler it began with"
            else:
                assert isinstance(answer, Failure)
        self.calls.clear()
        kept = {self.number_of(name) for name in self.handlers.plan.handlers}
        adapter = self.adapter
        await adapter.until(
            lambda: all(each in adapter.closed for each in adapter.opened if each.number not in kept)
        )


@settings(max_examples=120, deadline=None)
@given(steps)
def test_laws_of_swapping(rows: list[tuple[str, object]]) -> None:
    """A handler whose identity is the same is never closed; a call ends on the handler it began with, or fails because
    that could not be opened; what is in no plan any more is closed once, after its last call."""

    async def body() -> None:
        adapter = Scripted()
        # Whoever could not be opened is not tried again here, so that each call's end can be told beforehand.
        pace = Pace(settle_s=3600.0, shortest_pause_s=3600.0, longest_pause_s=3600.0, drain_s=3600.0)
        async with Handlers({"it": adapter}, pace=pace) as handlers, asyncio.TaskGroup() as tasks:
            scene = Scene(handlers, adapter, tasks)
            for what, detail in rows:
                match what:
                    case "swap":
                        await scene.swap(detail)  # type: ignore[arg-type]
                    case "begin":
                        await scene.begin(str(detail))
                    case "finish":
                        await scene.finish()
                    case _:
                        adapter.refusals = [HandlerTemporary("not now")]
            await scene.finish()
        assert sorted(each.number for each in adapter.closed) == [each.number for each in adapter.opened]
        assert all(each.ended == [0] for each in adapter.closed)

    asyncio.run(body())
