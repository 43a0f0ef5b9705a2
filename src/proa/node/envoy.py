"""Runs one Envoy: feeds the machine of `core.sidecar.supervision` with what happens, performs what it decides.

The workload owns it. It starts the process as nobody's child, in a session of its own (neither a Ctrl-C in the terminal
nor the agent's death is for it), or adopts one that an earlier agent started, and watches it by pidfd. When `run` ends
no process is left, unless the agent itself fails: then it is let go, for the next agent to find.
"""

import asyncio
import logging
import os
import random
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Final

import msgspec

from proa.core.model.digest import digest_bytes
from proa.core.sidecar.bootstrap import SidecarProcess, bootstrap_json, command_line
from proa.core.sidecar.record import EnvoyMark, ProcessMark
from proa.core.sidecar.supervision import Action, Event, State, Supervision, step
from proa.home import write_private
from proa.node.envoy_admin import AdminUnavailable, EnvoyAdmin
from proa.node.shared_memory import forget_shared_memory
from proa.runtime.adopted import Adopted, start_detached
from proa.runtime.backoff import step_delay
from proa.runtime.cell import Cell
from proa.runtime.polling import poll
from proa.runtime.supervise import Supervisor

log = logging.getLogger("proa.node.envoy")

ACCESS_LOG_FILE: Final = "access.log"
"""What Pilot writes into every listener: relative, so that one resource serves all. The Envoy's working directory
is the workload's own, where a link of this name leads to its real log."""
POLL_S: Final = 0.03
QUIET_S: Final = 0.3
"""No open request and none begun for so long: peers have heard that we drain, and went elsewhere."""


class Patience(msgspec.Struct, frozen=True, kw_only=True):
    """Seconds. `pulse` lies between two questions to an Envoy that serves, `answer` is its time for each;
    `misses` unanswered ones in a row make it SILENT, `silence` later it is killed."""

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


class Envoy:
    """`ports` says which ports must be listened on for READY. `state` and `mark` are owned by `run`, like all else
    here; `marked` is called when `mark` has changed. `left_open` is what was still open when the drain ended."""

    def __init__(
        self,
        process: SidecarProcess,
        *,
        log_file: Path,
        access_log: Path,
        ports: Callable[[], frozenset[int]],
        patience: Patience,
        marked: Callable[[], None],
    ) -> None:
        self.state: Cell[Supervision] = Cell(Supervision())
        self.mark: EnvoyMark | None = None
        self.left_open = 0
        self._process = process
        self._log_file = log_file
        self._access_log = access_log
        self._ports = ports
        self._patience = patience
        self._marked = marked
        self._bootstrap = bootstrap_json(process)
        self._drain_s = patience.drain
        self._events: asyncio.Queue[Event] = asyncio.Queue()
        self._child: Adopted | None = None
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

    def ask(self, event: Event) -> None:
        """START once, unless one was adopted; DRAIN, RESUME and STOP whenever."""
        self._events.put_nowait(event)

    def drain(self, within_s: float | None = None) -> None:
        """DRAIN, with another patience than usual."""
        if within_s is not None:
            self._drain_s = within_s
        self.ask(Event.DRAIN)

    def adopt(self, running: Adopted, mark: EnvoyMark) -> None:
        """Takes over an Envoy that serves. Before `run`; from here on it is READY."""
        self._child, self.mark = running, mark
        now, self._waiting = step(self.state.value, Event.ADOPT)
        self.state.set(now)
        if mark.build != self._build():
            log.warning("%s: its Envoy goes on with the bootstrap or binary of its start", self._process.id)

    def spare(self) -> None:
        """The agent fails: whatever ends `run` now leaves the process to the next agent."""
        self._is_spared = True

    async def until(self, *states: State) -> State:
        return (await self.state.until(lambda now: now.state in states)).state

    async def run(self) -> None:
        """From START, or an adoption, until GONE. When cancelled the process is killed, unless spared."""
        _prepare(Path(self._process.bootstrap_file), self._bootstrap)
        try:
            async with EnvoyAdmin(self.admin_socket) as admin, Supervisor() as tasks:
                if self._child is not None:
                    tasks.run(f"envoy {self._process.id}", self._watch_end(self._child))
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
        if self._child is not None:
            if not self._is_spared:
                self._child.send(signal.SIGKILL)
            self._child.close()
        if not self._is_spared:
            self._sweep()

    def _sweep(self) -> None:
        process = self._process
        for leftover in (process.admin_socket, process.bootstrap_file, process.base_id_file):
            Path(leftover).unlink(missing_ok=True)
        forget_shared_memory(self.mark)

    def _set_mark(self, mark: EnvoyMark | None) -> None:
        self.mark = mark
        self._marked()

    def _build(self) -> str:
        try:
            facts = os.stat(self._process.binary)
        except OSError:
            return ""
        text = f"{self._bootstrap}\n{self._process.binary} {facts.st_size} {facts.st_mtime_ns}"
        return digest_bytes(text.encode())

    def _perform(self, action: Action, admin: EnvoyAdmin, tasks: Supervisor) -> None:
        name = str(self._process.id)
        match action:
            case Action.SPAWN:
                tasks.run(f"spawn {name}", self._spawn(tasks))
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
        folder = Path(self._process.bootstrap_file).parent
        try:
            with _log(self._log_file) as errors, _log(self._access_log) as accesses:
                _point(folder / ACCESS_LOG_FILE, self._access_log)
                child, started = await start_detached(
                    command_line(self._process), cwd=folder, stdout=accesses, stderr=errors
                )
        except OSError as error:  # a full disk, a binary that is being replaced: tried again after the rest
            log.error("%s: the Envoy cannot be started: %s", self._process.id, error)
            self._events.put_nowait(Event.EXITED)
            return
        self._child = child
        process = ProcessMark(pid=child.pid, started=started)
        self._set_mark(EnvoyMark(process=process, build=self._build()))
        tasks.run(f"envoy {self._process.id}", self._watch_end(child))
        if self.state.value.state in _ENDING:  # asked to while it was being started
            self._send(signal.SIGTERM)

    async def _watch_end(self, child: Adopted) -> None:
        await child.wait()
        child.close()
        forget_shared_memory(self.mark)
        self._child = None
        self._set_mark(None)
        if self.state.value.state not in _ENDING:
            log.error("%s: Envoy ended unasked, see %s", self._process.id, self._log_file)
        self._events.put_nowait(Event.EXITED)

    async def _watch_alive(self, admin: EnvoyAdmin) -> None:
        if await poll(admin.answers, POLL_S, lambda: self.state.value.state is State.SPAWNED):
            base_id = _read_base_id(Path(self._process.base_id_file))
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


_ENDING: Final = (State.TERMINATING, State.KILLED, State.RENEWING)


def _read_base_id(path: Path) -> int | None:
    try:
        return int(path.read_text())
    except (OSError, ValueError):
        return None


def _prepare(bootstrap: Path, text: str) -> None:
    bootstrap.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    write_private(bootstrap, text)


def _point(link: Path, target: Path) -> None:
    link.unlink(missing_ok=True)
    link.symlink_to(target)


class _log:
    """An append-only log, 0600, open for as long as a child needs to inherit it."""

    def __init__(self, path: Path) -> None:
        path.touch(mode=0o600)
        self._stream = path.open("ab")

    def __enter__(self) -> int:
        return self._stream.fileno()

    def __exit__(self, *_: object) -> None:
        self._stream.close()
