"""The life of one sidecar's Envoy as a table: which event in which state leads where, and what is to be done.

In a hot restart there are three roles. The *heir* is started beside the Envoy that serves and takes its listening
sockets; once it serves it is the Envoy, and the one before, now the *elder*, has a deadline of its own for its open
requests. An heir that ends too early costs nothing: the Envoy it was to replace goes on, and another heir is tried.

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
    ends because another is to serve in its place. `KILLED`: only the kernel can still help. `REPLACING`: it serves, its
    heir starts. `HOLDING`: it serves, its heir was lost, another is due; the heir may have closed its admin interface,
    so nobody asks how it is. `PARTING`: it serves, its elder ends open requests."""

    NEW = "new"
    SPAWNED = "spawned"
    WARMING = "warming"
    READY = "ready"
    REPLACING = "replacing"
    HOLDING = "holding"
    PARTING = "parting"
    SILENT = "silent"
    RESTING = "resting"
    DRAINING = "draining"
    DRAINED = "drained"
    RENEWING = "renewing"
    TERMINATING = "terminating"
    KILLED = "killed"
    GONE = "gone"


class Event(Enum):
    """`ADOPT` instead of START: it runs and serves, another agent has started it; `ADOPT_*`: so does an heir, so did
    one, or so does an elder. `SILENCE`: it has left several questions in a row unanswered; `VOICE`: it has answered one
    again. `RESUME`: a drain is taken back. `REPLACE`: a hot restart is wanted. `HEIR_LOST`: the heir has ended, the
    Envoy before it still listens; `PORTS_LOST`: it has given its listeners to an heir that is no more."""

    START = "start"
    ADOPT = "adopt"
    ADOPT_REPLACING = "adopt replacing"
    ADOPT_HOLDING = "adopt holding"
    ADOPT_PARTING = "adopt parting"
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
    REPLACE = "replace"
    HEIR_SERVES = "heir serves"
    HEIR_OVERDUE = "heir overdue"
    HEIR_LOST = "heir lost"
    PORTS_LOST = "ports lost"
    HOLD_OVER = "hold over"
    ELDER_ENDED = "elder ended"
    STOP = "stop"
    TERM_OVERDUE = "term overdue"


class Action(Enum):
    """`*_TIMER` starts a timer that ends in the event of that name; every change of state ends all timers. `PROMOTE`:
    the heir is the Envoy from here on, the one before its elder."""

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
    SPAWN_HEIR = "spawn heir"
    WATCH_HEIR = "watch heir"
    HEIR_TIMER = "heir timer"
    KILL_HEIR = "kill heir"
    HOLD_TIMER = "hold timer"
    PROMOTE = "promote"


class Supervision(msgspec.Struct, frozen=True, kw_only=True):
    """`failures` counts unasked ends since it was last stable: the rest before a restart grows with it.
    `restarts` counts them all. `lost_heirs` since the last one that came to serve: the pause before another grows with
    it. `replaced` counts hot restarts."""

    state: State = State.NEW
    failures: int = 0
    restarts: int = 0
    lost_heirs: int = 0
    replaced: int = 0


_SPAWN: Final = (Action.SPAWN, Action.ALIVE_TIMER, Action.WATCH_ALIVE)
_TERM: Final = (Action.TERMINATE, Action.TERM_TIMER)
_READY: Final = (Action.STABLE_TIMER, Action.WATCH_PULSE)
_SILENT: Final = (Action.SILENCE_TIMER, Action.WATCH_VOICE)
_HEIR: Final = (Action.SPAWN_HEIR, Action.HEIR_TIMER, Action.WATCH_HEIR)
_DRAIN: Final = (Action.ASK_DRAIN, Action.WATCH_QUIET, Action.DRAIN_TIMER)
_S, _E, _A = State, Event, Action

TABLE: Final[dict[tuple[State, Event], tuple[State, tuple[Action, ...]]]] = {
    (_S.NEW, _E.START): (_S.SPAWNED, _SPAWN),
    (_S.NEW, _E.ADOPT): (_S.READY, _READY),
    (_S.NEW, _E.ADOPT_REPLACING): (_S.REPLACING, (_A.HEIR_TIMER, _A.WATCH_HEIR)),
    (_S.NEW, _E.ADOPT_HOLDING): (_S.HOLDING, (_A.HOLD_TIMER,)),
    (_S.NEW, _E.ADOPT_PARTING): (_S.PARTING, _READY),
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
    (_S.READY, _E.REPLACE): (_S.REPLACING, _HEIR),
    (_S.REPLACING, _E.HEIR_SERVES): (_S.PARTING, (_A.PROMOTE, *_READY)),
    (_S.REPLACING, _E.HEIR_OVERDUE): (_S.REPLACING, (_A.KILL_HEIR,)),
    (_S.REPLACING, _E.HEIR_LOST): (_S.HOLDING, (_A.HOLD_TIMER,)),
    (_S.REPLACING, _E.PORTS_LOST): (_S.RENEWING, _TERM),
    # An heir in the middle of taking over waits for its parent's answers for ever.
    (_S.REPLACING, _E.EXITED): (_S.RESTING, (_A.KILL_HEIR, _A.REST_TIMER)),
    (_S.REPLACING, _E.DRAIN): (_S.DRAINING, (_A.KILL_HEIR, *_DRAIN)),
    (_S.REPLACING, _E.STOP): (_S.TERMINATING, (_A.KILL_HEIR, *_TERM)),
    (_S.HOLDING, _E.HOLD_OVER): (_S.REPLACING, _HEIR),
    (_S.HOLDING, _E.REPLACE): (_S.REPLACING, _HEIR),
    (_S.HOLDING, _E.EXITED): (_S.RESTING, (_A.REST_TIMER,)),
    (_S.HOLDING, _E.DRAIN): (_S.DRAINING, _DRAIN),
    (_S.HOLDING, _E.STOP): (_S.TERMINATING, _TERM),
    (_S.PARTING, _E.ELDER_ENDED): (_S.READY, _READY),
    (_S.PARTING, _E.STABLE): (_S.PARTING, ()),
    (_S.PARTING, _E.SILENCE): (_S.SILENT, _SILENT),
    (_S.PARTING, _E.EXITED): (_S.RESTING, (_A.REST_TIMER,)),
    (_S.PARTING, _E.DRAIN): (_S.DRAINING, _DRAIN),
    (_S.PARTING, _E.STOP): (_S.TERMINATING, _TERM),
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

SERVING: Final = frozenset((State.READY, State.REPLACING, State.HOLDING, State.PARTING))
"""In these it takes requests as far as one knows."""
_FIRST: Final = frozenset(
    (Event.START, Event.ADOPT, Event.ADOPT_REPLACING, Event.ADOPT_HOLDING, Event.ADOPT_PARTING)
)
LATE: Final = frozenset(Event) - _FIRST
"""Events that may come when they no longer matter: an observation and a change of mind can cross."""


class SupervisionError(Exception):
    """An event that its caller must not send in this state."""


def step(now: Supervision, event: Event) -> tuple[Supervision, tuple[Action, ...]]:
    """The next value and what to do, in order. Raises SupervisionError for a START or ADOPT* that is no first one."""
    found = TABLE.get((now.state, event))
    if found is None:
        if event in LATE:
            return now, ()
        raise SupervisionError(f"{event.value} while {now.state.value}")
    state, actions = found
    failures, restarts = now.failures, now.restarts
    lost, replaced = now.lost_heirs, now.replaced
    if state is State.RESTING:
        failures, restarts = failures + 1, restarts + 1
    if event is Event.PORTS_LOST:
        restarts += 1
    if event is Event.STABLE:
        failures = 0
    if event in (Event.HEIR_LOST, Event.ADOPT_HOLDING):
        lost += 1
    if event is Event.HEIR_SERVES:
        lost, replaced = 0, replaced + 1
    if state is State.SPAWNED:  # one that is started cold is made from what is wanted
        lost = 0
    following = Supervision(
        state=state, failures=failures, restarts=restarts, lost_heirs=lost, replaced=replaced
    )
    return following, actions
