"""What is going to break, when and for how long: a schedule drawn from a seed, and which failed requests it excuses.

Pure. `draw` is called by the kill list's test, `tests.endurance.arena` performs what it says. The laws are held by
`tests/properties/test_kill_list.py`: the same seed draws the same list, every fault ends, and at no time is the mesh
dead by right:

- at most one fault harms requests at a time, its recovery included, so one of two replicas always serves;
- no node is kept from the control plane for longer than CUT_OFF_MAX_S, breaths shorter than BREATH_S included, which is
  less than the half life of a certificate;
- a process or disk under one fault gets no second one.
"""

import random
import sys
from collections.abc import Collection, Iterable, Mapping, Sequence
from types import MappingProxyType
from typing import Final, Literal

import msgspec

from proa.testing.load import LoadPlan, Record

EVERY_S: Final = 10.0
"""A fault begins with every slot, a change of the configuration or of the workloads in the middle of it."""
IN_FLIGHT: Final = LoadPlan(shots=()).connections
RECOVERY_S: Final = 9.0
CUT_OFF_MAX_S: Final = 50.0
BREATH_S: Final = 8.0
LEAF_TTL_S: Final = 150
"""Renewed at half life: 75 s are left, more than a node is ever cut off."""

FaultKind = Literal[
    "kill control plane",
    "pause control plane",
    "part control plane",
    "fill disk of control plane",
    "slow disk of control plane",
    "kill agent",
    "pause agent",
    "part agent",
    "fill disk of agent",
    "slow disk of agent",
    "kill envoy",
    "pause envoy",
    "kill app",
]
ChangeKind = Literal["apply", "delete", "roll back", "join"]
NODES: Final = ("a", "b")
REPLICAS: Final = ("echo-a", "echo-b")
CALLER: Final = "caller"


class Rule(msgspec.Struct, frozen=True, kw_only=True):
    """What a kind of fault is. `lasts` is the range of its duration in seconds (until a killed program may be started).
    `cuts_off` keeps nodes from the control plane; `harms` may cost requests, and then excuses them; `weight` is how
    often it is drawn."""

    targets: tuple[str, ...]
    lasts: tuple[float, float]
    cuts_off: bool = False
    harms: bool = False
    needs: Literal["", "networks", "disks"] = ""
    weight: int = 2


CONTROL: Final = ("control",)
RULES: Final[Mapping[FaultKind, Rule]] = MappingProxyType(
    {
        "kill control plane": Rule(targets=CONTROL, lasts=(0, 20), cuts_off=True, weight=4),
        "pause control plane": Rule(targets=CONTROL, lasts=(1, 25), cuts_off=True),
        "part control plane": Rule(targets=CONTROL, lasts=(1, 25), cuts_off=True, needs="networks"),
        "fill disk of control plane": Rule(targets=CONTROL, lasts=(2, 15), needs="disks"),
        "slow disk of control plane": Rule(targets=CONTROL, lasts=(2, 15), needs="disks"),
        # The next agent adopts what it left, so it costs no request.
        "kill agent": Rule(targets=NODES, lasts=(0, 5), cuts_off=True, weight=4),
        "pause agent": Rule(targets=NODES, lasts=(1, 20), cuts_off=True),
        "part agent": Rule(targets=NODES, lasts=(1, 25), cuts_off=True, needs="networks"),
        "fill disk of agent": Rule(targets=("b",), lasts=(2, 15), needs="disks"),
        "slow disk of agent": Rule(targets=("b",), lasts=(2, 15), needs="disks"),
        "kill envoy": Rule(targets=(CALLER, *REPLICAS), lasts=(0, 0), harms=True, weight=6),
        # Longer than a request waits would be an outage by right.
        "pause envoy": Rule(targets=(CALLER, *REPLICAS), lasts=(0.5, 4)),
        "kill app": Rule(targets=REPLICAS, lasts=(0, 0), harms=True, weight=6),
    }
)
CHANGES: Final[tuple[ChangeKind, ...]] = ("apply", "apply", "delete", "roll back", "join")


class Fault(msgspec.Struct, frozen=True, kw_only=True):
    """Seconds from the start of the list. `target` is `control`, a node or a workload."""

    at: float
    lasts: float
    kind: FaultKind
    target: str

    @property
    def ends(self) -> float:
        return self.at + self.lasts

    def __str__(self) -> str:
        return f"{self.at:6.1f} s  {self.kind} ({self.target}) for {self.lasts:.1f} s"


class Change(msgspec.Struct, frozen=True, kw_only=True):
    """`choice` in [0, 1) picks among what there is: an object to apply, a version, a node to join for `lasts`."""

    at: float
    lasts: float
    kind: ChangeKind
    choice: float

    @property
    def ends(self) -> float:
        return self.at + self.lasts

    def __str__(self) -> str:
        return f"{self.at:6.1f} s  {self.kind} ({self.choice:.2f})"


class KillList(msgspec.Struct, frozen=True, kw_only=True):
    seed: int
    seconds: float
    faults: tuple[Fault, ...]
    changes: tuple[Change, ...]


def draw(seed: int, seconds: float, *, able: Collection[str] = ("networks", "disks")) -> KillList:
    """A fault for every slot of EVERY_S in which one is allowed; all have ended by `seconds`.

    `able` is what the machine can do: faults that need more are not drawn.
    """
    dice = random.Random(seed)
    kinds = [kind for kind, rule in RULES.items() if not rule.needs or rule.needs in able]
    kinds.sort()
    faults: list[Fault] = []
    changes: list[Change] = []
    for slot in range(int(seconds // EVERY_S)):
        at = slot * EVERY_S
        drawn = _drawn(dice, kinds, at)
        fault = next((each for each in drawn if each.ends <= seconds and allowed(each, faults)), None)
        if fault is not None:
            faults.append(fault)
        changes.append(
            Change(
                at=at + EVERY_S / 2,
                lasts=dice.uniform(2, 12),
                kind=dice.choice(CHANGES),
                choice=dice.random(),
            )
        )
    return KillList(
        seed=seed,
        seconds=seconds,
        faults=tuple(faults),
        changes=tuple(each for each in changes if each.ends <= seconds),
    )


def _drawn(dice: random.Random, kinds: Sequence[FaultKind], at: float) -> list[Fault]:
    """Candidates for a slot, best first. A fixed number: a slot's luck must not shift the dice of later ones."""
    weights = [RULES[kind].weight for kind in kinds]
    found = []
    for kind in dice.choices(kinds, weights, k=20):
        rule = RULES[kind]
        found.append(
            Fault(at=at, lasts=dice.uniform(*rule.lasts), kind=kind, target=dice.choice(rule.targets))
        )
    return found


def allowed(fault: Fault, before: Iterable[Fault]) -> bool:
    """Whether the mesh still has to serve when this fault comes after those, which began earlier."""
    before = tuple(before)
    rule, running = RULES[fault.kind], [each for each in before if each.ends + RECOVERY_S > fault.at]
    if any(place(each) == place(fault) for each in running):
        return False
    if rule.harms and any(RULES[each.kind].harms for each in running):
        return False
    return not rule.cuts_off or longest_cut_off((*before, fault)) <= CUT_OFF_MAX_S


def place(fault: Fault) -> str:
    """What breaks; two faults of one place do not meet. A node and its workloads are one: an agent that is stopped
    or gone starts no Envoy."""
    match fault.target:
        case "caller" | "echo-a":
            return "a"
        case "echo-b":
            return "b"
        case target:
            return target


def longest_cut_off(faults: Iterable[Fault]) -> float:
    """The seconds of the longest stretch in which nodes may be away from the control plane, with pauses that are
    shorter than BREATH_S counted in. A pause is long enough for every node to come back and renew."""
    longest, began, ended = 0.0, 0.0, -BREATH_S
    for fault in sorted((each for each in faults if RULES[each.kind].cuts_off), key=lambda each: each.at):
        if fault.at >= ended + BREATH_S:
            began = fault.at
        ended = max(ended, fault.ends)
        longest = max(longest, ended - began)
    return longest


# What is excused


class Window(msgspec.Struct, frozen=True, kw_only=True):
    """A fault as it happened, on the clock of the load's records; `ended` when what it broke was seen to be well.
    `not_adopted` are the workloads of a killed agent that have another app or Envoy since."""

    fault: Fault
    began: float
    ended: float
    not_adopted: tuple[str, ...] = ()

    def excuses(self, failure: Record) -> bool:
        """Only what was on its way while something that harms requests was broken."""
        return RULES[self.fault.kind].harms and failure.intended <= self.ended and failure.ended >= self.began


def unexcused(failures: Iterable[Record], windows: Iterable[Window]) -> tuple[Record, ...]:
    """The failed requests that no fault explains: a control plane's faults, stopped processes, disks, changes of the
    configuration and workloads that come and go explain none; the death of one of two replicas only those that were on
    their way to it, at most one on each connection of the load."""
    left = [(window, budget(window.fault)) for window in windows]
    bad = []
    for failure in failures:
        for number, (window, count) in enumerate(left):
            if count and window.excuses(failure):
                left[number] = (window, count - 1)
                break
        else:
            bad.append(failure)
    return tuple(bad)


def budget(fault: Fault) -> int:
    """How many requests a fault may cost: those in flight, when another replica goes on; any number, when the caller's
    own sidecar is gone."""
    if not RULES[fault.kind].harms:
        return 0
    return IN_FLIGHT if fault.target in REPLICAS else sys.maxsize
