"""The life of one Envoy as a table: which event in which state leads where, and what is to be done.

`proa.node.envoy` feeds events and performs actions; nothing here waits or knows a process. The table is the
drawing: what is not in it is ignored when it is a timer or an observation that came late, and refused when it
would be a mistake of the caller.
"""

from enum import Enum
from typing import Final

import msgspec


class State(Enum):
    """`SPAWNED`: its admin interface does not answer yet. `WARMING`: it answers, its listeners are not there
    yet. `SILENT`: it served and has stopped answering. `RESTING`: it ended unasked, a restart is due. `RENEWING`: it
    ends because a drained one is to serve again. `KILLED`: only the kernel can still help."""

    NEW = "new"
    SPAWNED = "spawned"
    WARMING = "warming"
    READY = "ready"
    SILENT = "silent"
    RESTING = "resting"
    DRAINING = "draining"
    DRAINED = "drained"
    RENEWING = "renewing"
    TERMINATING = "terminating"
    KILLED = "killed"
    GONE = "gone"


class Event(Enum):
    """`ADOPT` instead of START: it runs and serves, another agent has started it. `SILENCE`: it has left several
    questions in a row unanswered; `VOICE`: it has answered one again. `RESUME`: a drain is taken back."""

    START = "start"
    ADOPT = "adopt"
    ALIVE = "alive"
    LISTENING = "listening"
    ALIVE_OVERDUE = "alive overdue"
    STABLE = "stable"
    SILENCE = "silence"
    VOICE = "voice"
    SILENCE_OVERDUE = "silence overdue"
    REST_OVER = "rest over"
    EXITED = "exited"
    DRAIN = "drain"
    QUIET = "quiet"
    DRAIN_OVERDUE = "drain overdue"
    RESUME = "resume"
    STOP = "stop"
    TERM_OVERDUE = "term overdue"


class Action(Enum):
    """`*_TIMER` starts a timer that ends in the event of that name; every change of state ends all timers."""

    SPAWN = "spawn"
    ALIVE_TIMER = "alive timer"
    WATCH_ALIVE = "watch alive"
    WATCH_LISTENERS = "watch listeners"
    STABLE_TIMER = "stable timer"
    WATCH_PULSE = "watch pulse"
    WATCH_VOICE = "watch voice"
    SILENCE_TIMER = "silence timer"
    REST_TIMER = "rest timer"
    ASK_DRAIN = "ask drain"
    WATCH_QUIET = "watch quiet"
    DRAIN_TIMER = "drain timer"
    TERMINATE = "terminate"
    TERM_TIMER = "term timer"
    KILL = "kill"


class Supervision(msgspec.Struct, frozen=True, kw_only=True):
    """`failures` counts unasked ends since it was last stable: the rest before a restart grows with it.
    `restarts` counts them all."""

    state: State = State.NEW
    failures: int = 0
    restarts: int = 0


_SPAWN: Final = (Action.SPAWN, Action.ALIVE_TIMER, Action.WATCH_ALIVE)
_TERM: Final = (Action.TERMINATE, Action.TERM_TIMER)
_READY: Final = (Action.STABLE_TIMER, Action.WATCH_PULSE)
_SILENT: Final = (Action.SILENCE_TIMER, Action.WATCH_VOICE)
_DRAIN: Final = (Action.ASK_DRAIN, Action.WATCH_QUIET, Action.DRAIN_TIMER)
_S, _E, _A = State, Event, Action

TABLE: Final[dict[tuple[State, Event], tuple[State, tuple[Action, ...]]]] = {
    (_S.NEW, _E.START): (_S.SPAWNED, _SPAWN),
    (_S.NEW, _E.ADOPT): (_S.READY, _READY),
    (_S.NEW, _E.STOP): (_S.GONE, ()),
    (_S.NEW, _E.DRAIN): (_S.GONE, ()),
    (_S.SPAWNED, _E.ALIVE): (_S.WARMING, (_A.WATCH_LISTENERS, _A.WATCH_PULSE)),
    (_S.SPAWNED, _E.ALIVE_OVERDUE): (_S.SPAWNED, (_A.KILL,)),
    (_S.SPAWNED, _E.EXITED): (_S.RESTING, (_A.REST_TIMER,)),
    (_S.SPAWNED, _E.DRAIN): (_S.DRAINED, ()),
    (_S.SPAWNED, _E.STOP): (_S.TERMINATING, _TERM),
    (_S.WARMING, _E.LISTENING): (_S.READY, _READY),
    (_S.WARMING, _E.SILENCE): (_S.SPAWNED, (_A.ALIVE_TIMER, _A.WATCH_ALIVE)),
    (_S.WARMING, _E.EXITED): (_S.RESTING, (_A.REST_TIMER,)),
    (_S.WARMING, _E.DRAIN): (_S.DRAINED, ()),
    (_S.WARMING, _E.STOP): (_S.TERMINATING, _TERM),
    (_S.READY, _E.STABLE): (_S.READY, ()),
    (_S.READY, _E.SILENCE): (_S.SILENT, _SILENT),
    (_S.READY, _E.EXITED): (_S.RESTING, (_A.REST_TIMER,)),
    (_S.READY, _E.DRAIN): (_S.DRAINING, _DRAIN),
    (_S.READY, _E.STOP): (_S.TERMINATING, _TERM),
    (_S.SILENT, _E.VOICE): (_S.READY, _READY),
    (_S.SILENT, _E.SILENCE_OVERDUE): (_S.SILENT, (_A.KILL,)),
    (_S.SILENT, _E.EXITED): (_S.RESTING, (_A.REST_TIMER,)),
    (_S.SILENT, _E.DRAIN): (_S.DRAINED, ()),
    (_S.SILENT, _E.STOP): (_S.TERMINATING, _TERM),
    (_S.RESTING, _E.REST_OVER): (_S.SPAWNED, _SPAWN),
    (_S.RESTING, _E.DRAIN): (_S.GONE, ()),
    (_S.RESTING, _E.STOP): (_S.GONE, ()),
    (_S.DRAINING, _E.QUIET): (_S.DRAINED, ()),
    (_S.DRAINING, _E.DRAIN_OVERDUE): (_S.DRAINED, ()),
    (_S.DRAINING, _E.EXITED): (_S.GONE, ()),
    (_S.DRAINING, _E.STOP): (_S.TERMINATING, _TERM),
    (_S.DRAINED, _E.EXITED): (_S.GONE, ()),
    (_S.DRAINED, _E.RESUME): (_S.RENEWING, _TERM),
    (_S.DRAINED, _E.STOP): (_S.TERMINATING, _TERM),
    (_S.RENEWING, _E.EXITED): (_S.SPAWNED, _SPAWN),
    (_S.RENEWING, _E.TERM_OVERDUE): (_S.RENEWING, (_A.KILL,)),
    (_S.RENEWING, _E.DRAIN): (_S.DRAINED, ()),
    (_S.RENEWING, _E.STOP): (_S.TERMINATING, _TERM),
    (_S.TERMINATING, _E.EXITED): (_S.GONE, ()),
    (_S.TERMINATING, _E.TERM_OVERDUE): (_S.KILLED, (_A.KILL,)),
    (_S.KILLED, _E.EXITED): (_S.GONE, ()),
}
"""(state, event) -> (next state, what to do)."""

LATE: Final = frozenset(Event) - {Event.START, Event.ADOPT}
"""Events that may come when they no longer matter: an observation and a change of mind can cross."""


class SupervisionError(Exception):
    """An event that its caller must not send in this state."""


def step(now: Supervision, event: Event) -> tuple[Supervision, tuple[Action, ...]]:
    """The next value and what to do, in order. Raises SupervisionError for a START or ADOPT that is no first one."""
    found = TABLE.get((now.state, event))
    if found is None:
        if event in LATE:
            return now, ()
        raise SupervisionError(f"{event.value} while {now.state.value}")
    state, actions = found
    failures, restarts = now.failures, now.restarts
    if state is State.RESTING:
        failures, restarts = failures + 1, restarts + 1
    if event is Event.STABLE:
        failures = 0
    return Supervision(state=state, failures=failures, restarts=restarts), actions
