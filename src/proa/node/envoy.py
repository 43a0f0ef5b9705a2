"""Runs one sidecar's Envoy: feeds the table of `core.sidecar.supervision` with what happens, performs what it decides.

The workload owns it. It starts the process as nobody's child, in a session of its own (neither a Ctrl-C in the terminal
nor the agent's death is for it), or adopts one that an earlier agent started, and watches it by pidfd. In a hot restart
there are two, the Envoy and its heir, then the Envoy and its elder. When `run` ends no process is left, unless the
agent itself fails: then they are let go, for the next agent to find.
"""

import asyncio
import contextlib
import logging
import random
import signal
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Final

import msgspec

from proa.core.sidecar.bootstrap import Descent, SidecarProcess
from proa.core.sidecar.record import EnvoyMark, HeirMark, ProcessMark, Stage
from proa.core.sidecar.supervision import Action, Event, State, Supervision, step
from proa.node.app_sockets import listens_on
from proa.node.envoy_admin import AdminUnavailable, EnvoyAdmin, listener_of
from proa.node.envoy_launch import Launch
from proa.node.hot_restart import why_not_hot
from proa.node.shared_memory import forget_heir, forget_shared_memory
from proa.runtime.adopted import Adopted, descends_from
from proa.runtime.backoff import step_delay
from proa.runtime.cell import Cell
from proa.runtime.polling import poll
from proa.runtime.supervise import Supervisor

log = logging.getLogger("proa.node.envoy")

POLL_S: Final = 0.03
QUIET_S: Final = 0.3
"""No open request and none begun for so long: peers have heard that we drain, and went elsewhere."""


WRITTEN_S: Final = 2.0
"""An heir is started once its record is on disk, or after so long: a disk that is full must not forbid it."""


class Patience(msgspec.Struct, frozen=True, kw_only=True):
    """Seconds. `pulse` lies between two questions to an Envoy that serves, `answer` is its time for each;
    `misses` unanswered ones in a row make it SILENT, `silence` later it is killed. `heir` is an heir's time to serve,
    `hold_*` bound the pause before another is tried."""

    alive: float = 20.0
    stable: float = 10.0
    pulse: float = 2.0
    answer: float = 2.0
    misses: int = 3
    silence: float = 6.0
    drain: float = 5.0
    term: float = 3.0
    rest_shortest: float = 0.1
    rest_longest: float = 15.0
    heir: float = 30.0
    hold_shortest: float = 1.0
    hold_longest: float = 300.0


class Family(msgspec.Struct, frozen=True, kw_only=True):
    """The running processes of one sidecar that an earlier agent started, and in which stage it left them."""

    stage: Stage
    envoy: Adopted
    mark: EnvoyMark
    heir: Adopted | None = None
    heir_mark: HeirMark | None = None
    elder: Adopted | None = None
    elder_mark: ProcessMark | None = None

    @property
    def processes(self) -> tuple[Adopted, ...]:
        return tuple(each for each in (self.envoy, self.heir, self.elder) if each is not None)

    def kill(self) -> None:
        """Nobody wants them."""
        for each in self.processes:
            each.send(signal.SIGKILL)
            each.close()


class Envoy:
    """`ports` says which ports must be listened on for READY. `state` and the marks are owned by `run`, like all else
    here; `marked` is called when a mark has changed, `written` returns when that is on disk. `left_open` is what was
    still open when the drain ended."""

    def __init__(
        self,
        process: SidecarProcess,
        *,
        log_file: Path,
        access_log: Path,
        ports: Callable[[], frozenset[int]],
        patience: Patience,
        marked: Callable[[], None],
        written: Callable[[], Awaitable[None]],
    ) -> None:
        self.state: Cell[Supervision] = Cell(Supervision())
        self.mark: EnvoyMark | None = None
        self.heir_mark: HeirMark | None = None
        self.elder_mark: ProcessMark | None = None
        self.left_open = 0
        self._process = process
        self._launch = Launch(process, log_file=log_file, access_log=access_log)
        self._ports = ports
        self._patience = patience
        self._marked = marked
        self._written = written
        self._drain_s = patience.drain
        self._events: asyncio.Queue[Event] = asyncio.Queue()
        self._child: Adopted | None = None
        self._heir: Adopted | None = None
        self._elder: Adopted | None = None
        self._is_spared = False
        self._waiting: tuple[Action, ...] = ()
        self._timers: list[asyncio.TimerHandle] = []
        self._watches: list[asyncio.Task[None]] = []

    @property
    def admin_socket(self) -> Path:
        return Path(self._process.admin_socket)

    @property
    def pid(self) -> int | None:
        return self.mark.process.pid if self.mark else None

    def owns(self, pid: int) -> bool:
        """Whether that process is this workload's Envoy, its heir or elder, or was started by one (a wrapper's)."""
        running = (self._child, self._heir, self._elder)
        return descends_from(pid, [each.pid for each in running if each is not None])

    def ask(self, event: Event) -> None:
        """START once, unless one was adopted; DRAIN, RESUME, REPLACE and STOP whenever."""
        self._events.put_nowait(event)

    def drain(self, within_s: float | None = None) -> None:
        """DRAIN, with another patience than usual."""
        if within_s is not None:
            self._drain_s = within_s
        self.ask(Event.DRAIN)

    def adopt(self, family: Family) -> None:
        """Takes over an Envoy that serves. Before `run`; from here on it is in the stage that it was left in."""
        self._child, self.mark = family.envoy, family.mark
        self._heir, self.heir_mark = family.heir, family.heir_mark
        self._elder, self.elder_mark = family.elder, family.elder_mark
        now, self._waiting = step(self.state.value, _ADOPTING[family.stage])
        self.state.set(now)

    @property
    def is_outdated(self) -> bool:
        """It, or the heir that is to replace it, was started from another bootstrap or binary than is wanted now."""
        newest = self.heir_mark if self._heir is not None and self.heir_mark else self.mark
        return newest is not None and newest.build != self._launch.build()

    async def why_not_hot(self) -> str | None:
        """Why it cannot hand over to one that is started now, None when it can."""
        return await why_not_hot(self.mark, self._process.binary)

    def spare(self) -> None:
        """The agent fails: whatever ends `run` now leaves the process to the next agent."""
        self._is_spared = True

    async def until(self, *states: State) -> State:
        return (await self.state.until(lambda now: now.state in states)).state

    async def run(self) -> None:
        """From START, or an adoption, until GONE. When cancelled the process is killed, unless spared."""
        self._launch.prepare()
        try:
            async with EnvoyAdmin(self.admin_socket) as admin, Supervisor() as tasks:
                for running in (self._child, self._heir):
                    if running is not None:
                        tasks.run(f"envoy {self._process.id}", self._watch_end(running))
                if self._elder is not None:
                    tasks.run(f"elder {self._process.id}", self._part(self._elder))
                for action in self._waiting:
                    self._perform(action, admin, tasks)
                while self.state.value.state is not State.GONE:
                    event = await self._events.get()
                    now, actions = step(self.state.value, event)
                    if now.state is not self.state.value.state:
                        self._end_timers()
                    self.state.set(now)
                    for action in actions:
                        self._perform(action, admin, tasks)
                tasks.stop()
        finally:
            self._end_timers()
            self._let_go()

    def _let_go(self) -> None:
        for running in (self._heir, self._child, self._elder):
            if running is not None:
                if not self._is_spared:
                    running.send(signal.SIGKILL)
                running.close()
        if not self._is_spared:
            self._launch.sweep()
            forget_shared_memory(self.mark)

    def _set_mark(self, mark: EnvoyMark | None) -> None:
        self.mark = mark
        self._marked()

    def _set_heir(self, heir: Adopted | None, mark: HeirMark | None) -> None:
        self._heir, self.heir_mark = heir, mark
        self._marked()

    def _set_elder(self, elder: Adopted | None, mark: ProcessMark | None) -> None:
        self._elder, self.elder_mark = elder, mark
        self._marked()

    def _perform(self, action: Action, admin: EnvoyAdmin, tasks: Supervisor) -> None:
        name = str(self._process.id)
        match action:
            case Action.SPAWN:
                tasks.run(f"spawn {name}", self._spawn(tasks))
            case Action.SPAWN_HEIR:
                tasks.run(f"spawn heir {name}", self._spawn_heir(tasks))
            case Action.WATCH_HEIR:
                self._watches.append(tasks.run(f"heir {name}", self._watch_heir(admin)))
            case Action.HEIR_TIMER:
                self._timer(self._patience.heir, Event.HEIR_OVERDUE)
            case Action.KILL_HEIR:
                self._kill_heir()
            case Action.HOLD_TIMER:
                self._timer(self._hold(), Event.HOLD_OVER)
            case Action.PROMOTE:
                self._promote(tasks)
            case Action.WATCH_ALIVE:
                self._watches.append(tasks.run(f"alive {name}", self._watch_alive(admin)))
            case Action.WATCH_LISTENERS:
                self._watches.append(tasks.run(f"listeners {name}", self._watch_listeners(admin)))
            case Action.WATCH_PULSE:
                self._watches.append(tasks.run(f"pulse {name}", self._watch_pulse(admin)))
            case Action.WATCH_VOICE:
                self._watches.append(tasks.run(f"voice {name}", self._watch_voice(admin)))
            case Action.WATCH_QUIET:
                self._watches.append(tasks.run(f"quiet {name}", self._watch_quiet(admin)))
            case Action.ASK_DRAIN:
                tasks.run(f"drain {name}", self._start_drain(admin))
            case Action.TERMINATE:
                self._send(signal.SIGTERM)
            case Action.KILL:
                self._send(signal.SIGKILL)
            case Action.ALIVE_TIMER:
                self._timer(self._patience.alive, Event.ALIVE_OVERDUE)
            case Action.STABLE_TIMER:
                self._timer(self._patience.stable, Event.STABLE)
            case Action.SILENCE_TIMER:
                log.error("%s: the Envoy does not answer any more", name)
                self._timer(self._patience.silence, Event.SILENCE_OVERDUE)
            case Action.REST_TIMER:
                self._timer(self._rest(), Event.REST_OVER)
            case Action.DRAIN_TIMER:
                self._timer(self._drain_s, Event.DRAIN_OVERDUE)
            case Action.TERM_TIMER:
                self._timer(self._patience.term, Event.TERM_OVERDUE)

    async def _spawn(self, tasks: Supervisor) -> None:
        build = self._launch.build()
        try:
            child, process = await self._launch.start()
        except OSError as error:  # tried again after the rest
            log.error("%s: the Envoy cannot be started: %s", self._process.id, error)
            self._events.put_nowait(Event.EXITED)
            return
        self._child = child
        self._set_mark(EnvoyMark(process=process, build=build))
        tasks.run(f"envoy {self._process.id}", self._watch_end(child))
        if self.state.value.state in _ENDING:  # asked to while it was being started
            self._send(signal.SIGTERM)

    async def _spawn_heir(self, tasks: Supervisor) -> None:
        """Known on disk before it is started: an agent that is killed now must find both."""
        mark, name = self.mark, self._process.id
        if mark is None or mark.base_id is None:
            self._events.put_nowait(Event.HEIR_LOST)
            return
        forget_heir(mark.base_id)
        heir = HeirMark(epoch=mark.epoch + 1, base_id=mark.base_id, build=self._launch.build())
        self._set_heir(None, heir)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(WRITTEN_S):
                await self._written()
        if self.state.value.state is not State.REPLACING:
            return
        log.info("%s: hot restart to epoch %d", name, heir.epoch)
        try:
            child, process = await self._launch.start(Descent(base_id=heir.base_id, epoch=heir.epoch))
        except OSError as error:
            log.error("%s: the Envoy's heir cannot be started: %s", name, error)
            self._events.put_nowait(Event.HEIR_LOST)
            return
        self._set_heir(child, msgspec.structs.replace(heir, process=process))
        tasks.run(f"envoy {name}", self._watch_end(child))
        if self.state.value.state is not State.REPLACING:  # the plan has changed while it was being started
            self._kill_heir()

    def _kill_heir(self) -> None:
        if self._heir is not None:
            log.warning("%s: the Envoy's heir (pid %d) is killed", self._process.id, self._heir.pid)
            self._heir.send(signal.SIGKILL)

    async def _watch_heir(self, admin: EnvoyAdmin) -> None:
        """The admin interface answers for the Envoy until the heir has taken it over."""

        if await poll(
            lambda: self._heir_serves(admin), POLL_S, lambda: self.state.value.state is State.REPLACING
        ):
            self._events.put_nowait(Event.HEIR_SERVES)

    async def _heir_serves(self, admin: EnvoyAdmin) -> bool:
        heir = self._heir
        return (
            heir is not None
            and listener_of(self.admin_socket) == heir.pid
            and await admin.is_listening(self._ports())
        )

    def _promote(self, tasks: Supervisor) -> None:
        elder, before = self._child, self.mark
        promoted = self.heir_mark.promoted() if self.heir_mark else None
        self._child, self._heir, self.heir_mark = self._heir, None, None
        if elder is not None and before is not None:
            self._elder, self.elder_mark = elder, before.process
            tasks.run(f"elder {self._process.id}", self._part(elder))
        self._set_mark(promoted)
        log.info("%s: the Envoy of epoch %d serves", self._process.id, promoted.epoch if promoted else 0)

    async def _part(self, elder: Adopted) -> None:
        """The Envoy ends its elder; where it cannot, because it died or an agent was killed between, we do."""
        waits = ((self._process.parting_s, signal.SIGTERM), (0, signal.SIGKILL))
        for parting_s, number in waits:
            try:
                async with asyncio.timeout(parting_s + self._patience.term):
                    await elder.wait()
            except TimeoutError:
                log.warning("%s: the Envoy before (pid %d) gets %s", self._process.id, elder.pid, number.name)
                elder.send(number)
        await elder.wait()
        elder.close()
        if self._elder is elder:
            self._set_elder(None, None)
        self._events.put_nowait(Event.ELDER_ENDED)

    async def _watch_end(self, child: Adopted) -> None:
        """Of the Envoy, or of an heir that is never promoted. As an elder it is `_part`'s."""
        await child.wait()
        if child is self._heir:
            child.close()
            self._heir_ended()
        elif child is self._child and not await self._is_relieved():
            self._ended(child)

    async def _is_relieved(self) -> bool:
        """The Envoy has ended. Its heir may have come to serve while we had no time to look, for seconds."""
        if self.state.value.state is not State.REPLACING:
            return False
        async with EnvoyAdmin(self.admin_socket) as admin:
            serves = await self._heir_serves(admin)
        if serves:
            self._events.put_nowait(Event.HEIR_SERVES)
        return serves

    def _heir_ended(self) -> None:
        """Its mark stays on record: the next agent must not take an Envoy whose admin interface it closed for dead."""
        epoch = self.heir_mark.epoch if self.heir_mark else 0
        self._heir = None
        listens = self._child is not None and listens_on(self._child.pid, self._ports())
        log.error(
            "%s: the Envoy's heir of epoch %d ended before it served, see %s; the Envoy before it %s",
            *(self._process.id, epoch, self._launch.log_file),
            "goes on" if listens else "has given its ports away and is started anew",
        )
        self._events.put_nowait(Event.HEIR_LOST if listens else Event.PORTS_LOST)
        if self._child is not None and self._child.is_ended:
            self._ended(self._child)

    def _ended(self, child: Adopted) -> None:
        child.close()
        forget_shared_memory(self.mark)
        self._child = self.heir_mark = None
        self._set_mark(None)
        if self.state.value.state not in _ENDING:
            log.error("%s: Envoy ended unasked, see %s", self._process.id, self._launch.log_file)
        self._events.put_nowait(Event.EXITED)

    async def _watch_alive(self, admin: EnvoyAdmin) -> None:
        if await poll(admin.answers, POLL_S, lambda: self.state.value.state is State.SPAWNED):
            base_id = self._launch.base_id()
            if self.mark is not None and base_id is not None:
                self._set_mark(msgspec.structs.replace(self.mark, base_id=base_id))
            self._events.put_nowait(Event.ALIVE)

    async def _watch_pulse(self, admin: EnvoyAdmin) -> None:
        """Envoy's main thread answers, the same that takes configuration: one that is stuck is not well, even while its
        workers still answer requests."""
        missed = 0
        while missed < self._patience.misses:
            await asyncio.sleep(self._patience.pulse)
            missed = 0 if await self._answers(admin) else missed + 1
        self._events.put_nowait(Event.SILENCE)

    async def _watch_voice(self, admin: EnvoyAdmin) -> None:
        if await poll(lambda: self._answers(admin), POLL_S, lambda: self.state.value.state is State.SILENT):
            self._events.put_nowait(Event.VOICE)

    async def _answers(self, admin: EnvoyAdmin) -> bool:
        try:
            async with asyncio.timeout(self._patience.answer):
                return await admin.answers()
        except TimeoutError:
            return False

    async def _watch_listeners(self, admin: EnvoyAdmin) -> None:
        async def listening() -> bool:
            return await admin.is_listening(self._ports())

        if await poll(listening, POLL_S, lambda: self.state.value.state is State.WARMING):
            self._events.put_nowait(Event.LISTENING)

    async def _start_drain(self, admin: EnvoyAdmin) -> None:
        try:
            await admin.start_drain()
        except AdminUnavailable as error:
            log.warning("%s: drain: %s", self._process.id, error)

    async def _watch_quiet(self, admin: EnvoyAdmin) -> None:
        loop = asyncio.get_running_loop()
        last_total, since = -1, loop.time()
        while self.state.value.state is State.DRAINING:
            try:
                now = await admin.activity()
            except AdminUnavailable:
                return
            self.left_open = now.open
            if now.open or now.total != last_total:
                last_total, since = now.total, loop.time()
            elif loop.time() - since >= QUIET_S:
                self._events.put_nowait(Event.QUIET)
                return
            await asyncio.sleep(POLL_S)

    def _send(self, number: signal.Signals) -> None:
        if self._child is not None:
            self._child.send(number)

    def _rest(self) -> float:
        """Jittered: many Envoys of one host can fall for one reason."""
        step_s = step_delay(
            self.state.value.failures - 1, self._patience.rest_shortest, self._patience.rest_longest
        )
        return step_s * (0.5 + 0.5 * random.random())

    def _hold(self) -> float:
        step_s = step_delay(
            self.state.value.lost_heirs - 1, self._patience.hold_shortest, self._patience.hold_longest
        )
        return step_s * (0.5 + 0.5 * random.random())

    def _timer(self, delay: float, event: Event) -> None:
        loop = asyncio.get_running_loop()
        self._timers.append(loop.call_later(delay, self._events.put_nowait, event))

    def _end_timers(self) -> None:
        for timer in self._timers:
            timer.cancel()
        self._timers.clear()
        for watch in self._watches:
            watch.cancel()
        self._watches.clear()


_ADOPTING: Final[dict[Stage, Event]] = {
    "ready": Event.ADOPT,
    "replacing": Event.ADOPT_REPLACING,
    "holding": Event.ADOPT_HOLDING,
    "parting": Event.ADOPT_PARTING,
    "promoted": Event.ADOPT_PARTING,
}
_ENDING: Final = (State.TERMINATING, State.KILLED, State.RENEWING)
