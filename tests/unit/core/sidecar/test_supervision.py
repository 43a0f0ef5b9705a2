"""Stories of an Envoy's life, and laws of the table."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proa.core.sidecar.supervision import (
    LATE,
    SERVING,
    TABLE,
    Action,
    Event,
    State,
    Supervision,
    SupervisionError,
    step,
)
from proa.testing.playbook import Playbook

SPAWNING = (Action.SPAWN, Action.ALIVE_TIMER, Action.WATCH_ALIVE)


class Life:
    def __init__(self) -> None:
        self.now = Supervision()

    def hears(self, event: Event) -> tuple[Action, ...]:
        self.now, actions = step(self.now, event)
        return actions


def ready() -> Life:
    life = Life()
    for event in (Event.START, Event.ALIVE, Event.LISTENING):
        life.hears(event)
    return life


def test_it_comes_serves_drains_and_goes() -> None:
    life, story = Life(), Playbook[Action]()
    story >> life.hears(Event.START) << Action.SPAWN << Action.ALIVE_TIMER << Action.WATCH_ALIVE
    story >> life.hears(Event.ALIVE) << Action.WATCH_LISTENERS << Action.WATCH_PULSE
    story >> life.hears(Event.LISTENING) << Action.STABLE_TIMER << Action.WATCH_PULSE
    story >> life.hears(Event.STABLE)
    story >> life.hears(Event.DRAIN) << Action.ASK_DRAIN << Action.WATCH_QUIET << Action.DRAIN_TIMER
    story >> life.hears(Event.QUIET)
    story >> life.hears(Event.STOP) << Action.TERMINATE << Action.TERM_TIMER
    story >> life.hears(Event.EXITED)
    story.ends()
    assert life.now == Supervision(state=State.GONE)


def test_it_is_started_again_after_a_growing_rest_until_it_is_stable() -> None:
    life, story = ready(), Playbook[Action]()
    story >> life.hears(Event.EXITED) << Action.REST_TIMER
    story >> life.hears(Event.REST_OVER) << SPAWNING[0] << SPAWNING[1] << SPAWNING[2]
    story >> life.hears(Event.EXITED) << Action.REST_TIMER
    story.ends()
    assert (life.now.failures, life.now.restarts) == (2, 2)
    for event in (Event.REST_OVER, Event.ALIVE, Event.LISTENING, Event.STABLE):
        life.hears(event)
    assert (life.now.state, life.now.failures, life.now.restarts) == (State.READY, 0, 2)


def test_one_that_does_not_answer_is_killed_and_started_again() -> None:
    life, story = Life(), Playbook[Action]()
    life.hears(Event.START)
    story >> life.hears(Event.ALIVE_OVERDUE) << Action.KILL
    story >> life.hears(Event.EXITED) << Action.REST_TIMER
    story.ends()


def test_one_that_does_not_end_is_killed() -> None:
    life, story = ready(), Playbook[Action]()
    story >> life.hears(Event.STOP) << Action.TERMINATE << Action.TERM_TIMER
    story >> life.hears(Event.TERM_OVERDUE) << Action.KILL
    story >> life.hears(Event.EXITED)
    story.ends()
    assert life.now.state is State.GONE


def test_an_end_while_draining_is_no_reason_to_start_again() -> None:
    life = ready()
    life.hears(Event.DRAIN)
    assert life.hears(Event.EXITED) == ()
    assert life.now.state is State.GONE


@pytest.mark.parametrize("state", [State.NEW, State.RESTING])
def test_drained_without_a_process_it_is_gone(state: State) -> None:
    """Nothing would ever tell that it has ended."""
    life = Life()
    life.now = Supervision(state=state)
    assert life.hears(Event.DRAIN) == ()
    assert life.now.state is State.GONE


def test_an_adopted_one_is_ready_at_once() -> None:
    life, story = Life(), Playbook[Action]()
    story >> life.hears(Event.ADOPT) << Action.STABLE_TIMER << Action.WATCH_PULSE
    story >> life.hears(Event.STABLE)
    story >> life.hears(Event.EXITED) << Action.REST_TIMER
    story.ends()
    assert life.now.restarts == 1


def test_one_that_falls_silent_is_not_ready_and_may_find_its_voice() -> None:
    life, story = ready(), Playbook[Action]()
    story >> life.hears(Event.SILENCE) << Action.SILENCE_TIMER << Action.WATCH_VOICE
    assert life.now.state is State.SILENT
    story >> life.hears(Event.VOICE) << Action.STABLE_TIMER << Action.WATCH_PULSE
    story.ends()
    assert (life.now.state, life.now.restarts) == (State.READY, 0)


def test_one_that_stays_silent_is_killed_and_started_again() -> None:
    life, story = ready(), Playbook[Action]()
    life.hears(Event.SILENCE)
    story >> life.hears(Event.SILENCE_OVERDUE) << Action.KILL
    story >> life.hears(Event.EXITED) << Action.REST_TIMER
    story >> life.hears(Event.REST_OVER) << SPAWNING[0] << SPAWNING[1] << SPAWNING[2]
    story.ends()


def test_silence_while_it_warms_counts_as_not_alive() -> None:
    life, story = Life(), Playbook[Action]()
    for event in (Event.START, Event.ALIVE):
        life.hears(event)
    story >> life.hears(Event.SILENCE) << Action.ALIVE_TIMER << Action.WATCH_ALIVE
    story >> life.hears(Event.ALIVE_OVERDUE) << Action.KILL
    story.ends()


def test_a_drain_that_is_taken_back_is_a_new_process() -> None:
    life, story = ready(), Playbook[Action]()
    for event in (Event.DRAIN, Event.QUIET):
        life.hears(event)
    story >> life.hears(Event.RESUME) << Action.TERMINATE << Action.TERM_TIMER
    story >> life.hears(Event.EXITED) << SPAWNING[0] << SPAWNING[1] << SPAWNING[2]
    story.ends()
    assert life.now == Supervision(state=State.SPAWNED)


HEIR = (Action.SPAWN_HEIR, Action.HEIR_TIMER, Action.WATCH_HEIR)
READY = (Action.STABLE_TIMER, Action.WATCH_PULSE)


def replacing() -> Life:
    life = ready()
    assert life.hears(Event.REPLACE) == HEIR
    return life


def test_an_heir_takes_over_and_its_elder_ends() -> None:
    life = replacing()
    assert life.hears(Event.HEIR_SERVES) == (Action.PROMOTE, *READY)
    assert life.now == Supervision(state=State.PARTING, replaced=1)
    assert life.hears(Event.REPLACE) == (), "one at a time"
    assert life.hears(Event.ELDER_ENDED) == READY
    assert life.now.state is State.READY
    assert life.hears(Event.REPLACE) == HEIR


def test_an_heir_that_ends_early_is_tried_again_and_the_envoy_before_goes_on() -> None:
    life = replacing()
    for number in (1, 2):
        assert life.hears(Event.HEIR_OVERDUE) == (Action.KILL_HEIR,)
        assert life.hears(Event.HEIR_LOST) == (Action.HOLD_TIMER,)
        assert life.now == Supervision(state=State.HOLDING, lost_heirs=number)
        assert life.hears(Event.HOLD_OVER) == HEIR
    life.hears(Event.HEIR_SERVES)
    assert (life.now.lost_heirs, life.now.replaced, life.now.restarts) == (0, 1, 0)


def test_an_heir_that_ends_with_the_ports_in_its_hands_leaves_a_cold_start() -> None:
    life = replacing()
    assert life.hears(Event.PORTS_LOST) == (Action.TERMINATE, Action.TERM_TIMER)
    assert life.hears(Event.EXITED) == SPAWNING
    assert life.now == Supervision(state=State.SPAWNED, restarts=1)


def test_an_envoy_that_ends_before_its_heir_serves_takes_it_along() -> None:
    life = replacing()
    assert life.hears(Event.EXITED) == (Action.KILL_HEIR, Action.REST_TIMER)
    assert life.hears(Event.HEIR_LOST) == ()
    assert life.hears(Event.REST_OVER) == SPAWNING
    assert life.now == Supervision(state=State.SPAWNED, failures=1, restarts=1)


@pytest.mark.parametrize("event", [Event.DRAIN, Event.STOP])
def test_an_heir_is_not_waited_for_when_the_sidecar_goes(event: Event) -> None:
    life = replacing()
    assert life.hears(event)[0] is Action.KILL_HEIR
    assert life.hears(Event.HEIR_SERVES) == ()


def test_one_that_was_replaced_and_ends_is_started_cold() -> None:
    life = replacing()
    life.hears(Event.HEIR_SERVES)
    assert life.hears(Event.EXITED) == (Action.REST_TIMER,)
    assert life.hears(Event.ELDER_ENDED) == ()
    assert life.hears(Event.REST_OVER) == SPAWNING


@pytest.mark.parametrize(
    ("event", "state", "actions"),
    [
        (Event.ADOPT_REPLACING, State.REPLACING, (Action.HEIR_TIMER, Action.WATCH_HEIR)),
        (Event.ADOPT_HOLDING, State.HOLDING, (Action.HOLD_TIMER,)),
        (Event.ADOPT_PARTING, State.PARTING, READY),
    ],
)
def test_a_hot_restart_is_taken_over_where_it_stands(
    event: Event, state: State, actions: tuple[Action, ...]
) -> None:
    life = Life()
    assert life.hears(event) == actions
    assert life.now.state is state
    assert state in SERVING


def test_stopped_while_it_rests_nothing_is_left_to_do() -> None:
    life = ready()
    life.hears(Event.EXITED)
    assert life.hears(Event.STOP) == ()
    assert life.now.state is State.GONE


def test_starting_twice_is_a_mistake() -> None:
    with pytest.raises(SupervisionError, match="start while ready"):
        ready().hears(Event.START)
    with pytest.raises(SupervisionError, match="adopt while ready"):
        ready().hears(Event.ADOPT)


@given(st.lists(st.sampled_from(sorted(LATE, key=lambda event: event.value))))
def test_whatever_happens_stop_and_the_end_of_the_process_lead_to_gone(events: list[Event]) -> None:
    life = Life()
    life.hears(Event.START)
    for event in events:
        life.hears(event)
    for event in (Event.STOP, Event.TERM_OVERDUE, Event.EXITED):
        life.hears(event)
    assert life.now.state is State.GONE


@given(st.lists(st.sampled_from(list(Event))))
def test_at_most_one_process_lives(events: list[Event]) -> None:
    now, lives = Supervision(), 0
    for event in events:
        if event is Event.EXITED:
            lives = 0
        try:
            now, actions = step(now, event)
        except SupervisionError:
            continue
        lives += actions.count(Action.SPAWN)
        if event is Event.EXITED and not lives:
            continue
        assert lives <= 1 or event is Event.EXITED


class Processes:
    """The Envoys of one sidecar, of which those may end that one lets end."""

    def __init__(self) -> None:
        self.life = Life()
        self.envoy = self.heir = False

    def hears(self, event: Event) -> None:
        if event in (Event.HEIR_LOST, Event.PORTS_LOST):
            if not self.heir:
                return
            self.heir = False
        if event is Event.EXITED:
            if not self.envoy:
                return
            self.envoy = False
        if event is Event.HEIR_SERVES and not self.heir:
            return
        for action in self.life.hears(event):
            match action:
                case Action.SPAWN:
                    assert not self.envoy
                    self.envoy = True
                case Action.SPAWN_HEIR:
                    assert not self.heir, "never two heirs"
                    assert self.envoy
                    self.heir = True
                case Action.PROMOTE:
                    assert self.heir
                    self.envoy, self.heir = True, False
                case Action.KILL_HEIR:
                    self.hears(Event.HEIR_LOST)
                case Action.TERMINATE | Action.KILL:
                    assert self.life.now.state not in SERVING


@given(st.lists(st.sampled_from(sorted(LATE, key=lambda event: event.value)), max_size=60))
def test_while_it_serves_an_envoy_lives_and_none_is_ended_for_its_heir(events: list[Event]) -> None:
    sidecar = Processes()
    for event in (Event.START, Event.ALIVE, Event.LISTENING, *events):
        sidecar.hears(event)
        if sidecar.life.now.state in SERVING:
            assert sidecar.envoy
        if sidecar.life.now.state is not State.REPLACING:
            assert not sidecar.heir


def test_every_state_but_the_last_can_be_left() -> None:
    assert {state for state, _ in TABLE} == set(State) - {State.GONE}
