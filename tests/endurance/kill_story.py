"""A kill list from the first fault to the verdict: under load, with changes, and with everything looked at afterwards.

Called by the long test here and a short one in `tests/mesh`. It prints what it does as it does it.
"""

import asyncio
import time
from collections import Counter
from collections.abc import Callable, Collection, Iterable

import msgspec

from proa.testing.load import LoadResult, Record, acceptance_plan, offer_load
from tests.endurance.aftermath import (
    Watch,
    configuration_problems,
    endpoint_problems,
    file_problems,
    files,
    process_problems,
    size_problems,
)
from tests.endurance.arena import OBJECTS, Answered, Arena, Played, arena, guest_of
from tests.endurance.kill_list import CALLER, RULES, Change, KillList, Window, unexcused
from tests.mesh.load import ECHO
from tests.mesh.outages import pass_time

BEFORE_S = 3.0
WARM_GUEST_S = 6.0
LATE_S = 120.0
"""A list may end that much later than drawn, when what it broke was slow to come back."""


class Verdict(msgspec.Struct, frozen=True, kw_only=True):
    """`told` is for the reader, `problems` are why the test fails."""

    told: tuple[str, ...]
    problems: tuple[str, ...]


def play(choose: Callable[[Collection[str]], KillList], *, after_s: float = 10.0) -> Verdict:
    """The whole of it, in an arena of its own, with load for `after_s` after the last fault. Leaving the arena proves
    besides that every process ends when asked. `choose` is told what the machine is able to break."""
    with arena(say) as field:
        drawn = choose(field.able)
        title = f"kill list: --seed {drawn.seed} --minutes {drawn.seconds / 60:g}: {len(drawn.faults)} faults"
        say(title)
        _warm_up(field, drawn)
        before, watch = files(field), Watch(field)
        field.keep_all()
        with field.keeper, watch:
            start = watch.look()
            load, played = _under_load(field, drawn, after_s)
            field.until_well()
            end = watch.look()
            problems = [*_request_problems(load, played.windows), *_answer_problems(played)]
            problems += [
                f"{name} was not adopted after: {each.fault}"
                for each in played.windows
                for name in each.not_adopted
            ]
            problems += endpoint_problems(field)
            problems += process_problems(field)
            problems += file_problems(field, before)
            problems += configuration_problems(field)
            problems += size_problems(start, end, watch)
            problems += watch.shared_memory_problems()
        told = (
            title,
            f"  {load.summary()}",
            _excused(load, played.windows),
            *_told(played, field),
            *watch.told(start, end),
        )
        return Verdict(told=told, problems=tuple(problems))


def say(text: str) -> None:
    print(f"{time.strftime('%H:%M:%S')} {text}", flush=True)


def _warm_up(field: Arena, drawn: KillList) -> None:
    """Everything that the list will do to files has been done once: its guests were there, and a change."""
    guests = {guest_of(change): change for change in drawn.changes if change.kind == "join"}
    for change in guests.values():
        answer = field.change(msgspec.structs.replace(change, lasts=WARM_GUEST_S))
        assert answer.code == 0, answer
    for kind in ("apply", "delete"):
        for number in range(len(OBJECTS)):
            choice = number / len(OBJECTS)
            answer = field.change(Change(at=0, lasts=0, kind=kind, choice=choice))
            assert answer.code == 0, answer
    field.until_well()


def _under_load(field: Arena, drawn: KillList, after_s: float) -> tuple[LoadResult, Played]:
    url = f"{ECHO}/there"
    plan = acceptance_plan(
        url,
        url,
        b'{"stars": 5}',
        seconds=BEFORE_S + drawn.seconds + LATE_S + after_s,
        proxy=field.nodes["a"].proxy(CALLER),
    )

    async def scene() -> tuple[LoadResult, Played]:
        stop = asyncio.Event()
        async with asyncio.TaskGroup() as tasks:
            load = tasks.create_task(offer_load(plan, stop=stop))
            try:
                await asyncio.to_thread(pass_time, BEFORE_S)
                played = await asyncio.to_thread(field.play, drawn, say)
                await asyncio.to_thread(pass_time, after_s)
            finally:
                stop.set()
        return load.result(), played

    load, played = field.where("a", lambda: asyncio.run(scene()))
    assert load.sent < plan.rate * plan.seconds, "the list was longer than its load"
    return load, played


def _request_problems(load: LoadResult, windows: Iterable[Window]) -> list[str]:
    bad = unexcused(load.failures, windows)
    return [f"{len(bad)} requests failed without excuse, as {_spelled(each, load)}" for each in bad[:5]]


def _excused(load: LoadResult, windows: Iterable[Window]) -> str:
    """Which faults cost requests, and how many each at most."""
    costs = [
        (window.fault, count)
        for window in windows
        if (count := sum(window.excuses(each) for each in load.failures))
    ]
    told = "; ".join(f"{count} by {fault.kind} ({fault.target}) at {fault.at:g} s" for fault, count in costs)
    return f"  failed requests with an excuse: {told or 'none'}"


def _spelled(record: Record, load: LoadResult) -> str:
    at = record.intended - load.started - BEFORE_S
    return f"{record.shot.method} at {at:.2f} s of the list: {record.failure} {record.detail}"


def _answer_problems(played: Played) -> list[str]:
    """A change of the configuration may fail only when the control plane or its disk was broken meanwhile; who joins
    needs an agent besides."""
    problems = []
    for answer in played.answers:
        excused = any(
            window.began <= answer.ended and answer.began <= window.ended + LATE_S / 4
            for window in played.windows
            if _hinders(window, answer)
        )
        if answer.code != 0 and not excused:
            problems.append(f"exit code {answer.code} of {answer.change}: {answer.said.strip()[-300:]}")
    return problems


def _hinders(window: Window, answer: Answered) -> bool:
    if answer.change.kind == "join":
        return True
    kind = window.fault.kind
    return window.fault.target == "control" and not kind.startswith(("part", "slow"))


def _told(played: Played, field: Arena) -> list[str]:
    """How often each fault came, and how long what it killed was away."""
    lines = []
    for kind, rule in RULES.items():
        windows = [each for each in played.windows if each.fault.kind == kind]
        if windows:
            away = sorted(each.ended - each.began - each.fault.lasts for each in windows)
            waited = rule.harms or kind == "kill agent"
            back = f", well again after {' '.join(f'{each:.1f}' for each in away)} s" if waited else ""
            lines.append(f"  {len(windows):3} x {kind}{back}")
    changes = Counter((each.change.kind, "done" if each.code == 0 else "refused") for each in played.answers)
    lines += [f"  {count:3} x {kind}, {outcome}" for (kind, outcome), count in sorted(changes.items())]
    starts = ", ".join(f"{name} {count}" for name, count in sorted(field.keeper.starts.items()))
    return [*lines, f"  started again: {starts or 'nobody'}"]
