"""Runs one Envoy: feeds the machine of `core.sidecar.supervision` with what happens, performs what it decides.

The workload owns it. It starts the process in a session of its own (a Ctrl-C in the terminal is not for it),
watches it by pidfd, and leaves no process behind when `run` ends, however it ends.
"""

import asyncio
import logging
import random
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Final

import msgspec

from proa.core.sidecar.bootstrap import SidecarProcess, bootstrap_json, command_line
from proa.core.sidecar.supervision import Action, Event, State, Supervision, step
from proa.home import write_private
from proa.node.envoy_admin import AdminUnavailable, EnvoyAdmin
from proa.runtime.backoff import step_delay
from proa.runtime.cell import Cell
from proa.runtime.polling import poll
from proa.runtime.processes import Child, start_child
from proa.runtime.supervise import Supervisor

log = logging.getLogger("proa.node.envoy")

ACCESS_LOG_FILE: Final = "access.log"
"""What Pilot writes into every listener: relative, so that one resource serves all. The Envoy's working directory
is the workload's own, where a link of this name leads to its real log."""
POLL_S: Final = 0.03
QUIET_S: Final = 0.3
"""No open request and none begun for so long: peers have heard that we drain, and went elsewhere."""


class Patience(msgspec.Struct, frozen=True, kw_only=True):
    """Seconds."""

    alive: float = 20.0
    stable: float = 10.0
    drain: float = 5.0
    term: float = 3.0
    rest_shortest: float = 0.1
    rest_longest: float = 15.0


class Envoy:
    """`ports` says which ports must be listened on for READY. `state` is owned by `run`, like all else here;
    `left_open` is how many requests were open when the drain ended."""

    def __init__(
        self,
        process: SidecarProcess,
        *,
        log_file: Path,
        access_log: Path,
        ports: Callable[[], frozenset[int]],
        patience: Patience,
        dies_with_us: bool,
    ) -> None:
        self.state: Cell[Supervision] = Cell(Supervision())
        self.pid: int | None = None
        self.left_open = 0
        self._process = process
        self._log_file = log_file
        self._access_log = access_log
        self._ports = ports
        self._patience = patience
        self._dies_with_us = dies_with_us
        self._events: asyncio.Queue[Event] = asyncio.Queue()
        self._child: Child | None = None
        self._timers: list[asyncio.TimerHandle] = []

    @property
    def admin_socket(self) -> Path:
        return Path(self._process.admin_socket)

    def ask(self, event: Event) -> None:
        """START once; DRAIN and STOP whenever."""
        self._events.put_nowait(event)

    async def until(self, *states: State) -> State:
        return (await self.state.until(lambda now: now.state in states)).state

    async def run(self) -> None:
        """From START until GONE. When cancelled the process is killed."""
        _prepare(Path(self._process.bootstrap_file), bootstrap_json(self._process))
        try:
            async with EnvoyAdmin(self.admin_socket) as admin, Supervisor() as tasks:
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
            if self._child is not None:
                self._child.close()
            self._sweep()

    def _sweep(self) -> None:
        for leftover in (self._process.admin_socket, self._process.bootstrap_file):
            Path(leftover).unlink(missing_ok=True)

    def _perform(self, action: Action, admin: EnvoyAdmin, tasks: Supervisor) -> None:
        name = str(self._process.id)
        match action:
            case Action.SPAWN:
                self._spawn(tasks)
            case Action.WATCH_ALIVE:
                tasks.run(f"alive {name}", self._watch_alive(admin))
            case Action.WATCH_LISTENERS:
                tasks.run(f"listeners {name}", self._watch_listeners(admin))
            case Action.WATCH_QUIET:
                tasks.run(f"quiet {name}", self._watch_quiet(admin))
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
            case Action.REST_TIMER:
                self._timer(self._rest(), Event.REST_OVER)
            case Action.DRAIN_TIMER:
                self._timer(self._patience.drain, Event.DRAIN_OVERDUE)
            case Action.TERM_TIMER:
                self._timer(self._patience.term, Event.TERM_OVERDUE)

    def _spawn(self, tasks: Supervisor) -> None:
        folder = Path(self._process.bootstrap_file).parent
        with _log(self._log_file) as errors, _log(self._access_log) as accesses:
            _point(folder / ACCESS_LOG_FILE, self._access_log)
            self._child = start_child(
                command_line(self._process),
                cwd=folder,
                stdout=accesses,
                stderr=errors,
                own_session=True,
                dies_with_us=signal.SIGTERM if self._dies_with_us else None,
            )
        self.pid = self._child.pid
        tasks.run(f"envoy {self._process.id}", self._watch_end(self._child))

    async def _watch_end(self, child: Child) -> None:
        code = await child.wait()
        child.close()
        self.pid = None
        if self.state.value.state not in (State.TERMINATING, State.KILLED):
            log.error("%s: Envoy ended unasked with %s, see %s", self._process.id, code, self._log_file)
        self._events.put_nowait(Event.EXITED)

    async def _watch_alive(self, admin: EnvoyAdmin) -> None:
        if await poll(admin.answers, POLL_S, lambda: self.state.value.state is State.SPAWNED):
            self._events.put_nowait(Event.ALIVE)

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
