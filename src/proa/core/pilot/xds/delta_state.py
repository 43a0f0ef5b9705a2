"""What one stream knows about one resource type: the cells of a `DeltaServer`, no decisions about order.

A cell says "look at this name again"; its value is read from the source when it is sent, so however often a name
changes it costs one cell. Only `DeltaServer` and `Subscriptions` touch these.
"""

from collections import deque
from typing import Final

import msgspec

from proa.core.pilot.resource import ResourceType
from proa.core.pilot.xds.order import WILDCARD_TYPES

NEVER = 1 << 62

MAX_STALLED: Final = 4
"""Responses of one type whose late answer is still understood. Of a peer that reads on and never answers only the names
are kept beyond that."""


class Cell(msgspec.Struct, frozen=True):
    """Sequence numbers of the first unsent and of the last change. Others wait for `first`; it waits by `last`."""

    first: int
    last: int


class Flight(msgspec.Struct, frozen=True, kw_only=True):
    """A response that is sent and not answered. `versions`: name -> version, empty for a removal."""

    versions: dict[str, str]
    first: int
    stalled: bool = False

    @property
    def has_updates(self) -> bool:
        return any(self.versions.values())


class Suspects(msgspec.Struct, frozen=True, kw_only=True):
    """A part of a refused response, to be sent by itself to find who is to blame."""

    versions: dict[str, str]
    first: int


class TypeState:
    """Cells are ordered by `first`, so that the oldest is found in O(1)."""

    __slots__ = (
        "asked",
        "flights",
        "forced",
        "greeting",
        "held",
        "kind",
        "names",
        "rejected",
        "removals",
        "suspects",
        "unanswered",
        "updates",
        "wildcard",
    )

    def __init__(self, kind: ResourceType) -> None:
        self.kind = kind
        self.asked = False
        self.wildcard = False
        self.greeting = False  # a wildcard is owed its first response, even an empty one: Envoy starts by it
        self.names: set[str] = set()
        self.held: dict[str, str] = {}
        self.updates: dict[str, Cell] = {}
        self.removals: dict[str, Cell] = {}
        self.forced: set[str] = set()  # to be answered even when the proxy seems to hold the same version
        self.flights: dict[str, Flight] = {}
        self.unanswered: set[str] = set()  # sent so long ago that the response is forgotten, and taken or not
        self.suspects: deque[Suspects] = deque()
        self.rejected: dict[str, tuple[str, str]] = {}

    @property
    def can_be_wildcard(self) -> bool:
        return self.kind in WILDCARD_TYPES

    @property
    def is_busy(self) -> bool:
        """A response is un-ACKed and not given up: the next one must wait."""
        return bool(self.flights) and any(not flight.stalled for flight in self.flights.values())

    @property
    def has_work(self) -> bool:
        return bool(self.updates or self.removals or self.suspects or self.greeting)

    @property
    def is_idle(self) -> bool:
        """Nothing is pending: so it is for all types but one or two, whenever anything happens."""
        return not (self.updates or self.flights or self.removals or self.suspects or self.unanswered)

    def wants(self, name: str) -> bool:
        return self.wildcard or name in self.names

    def touch(self, names: list[str], seq: int, *, first: int, absent: set[str]) -> None:
        """Make cells; those in `absent` are removals. `first` may lie before `seq`."""
        is_late = first < seq and bool(names)
        for name in names:
            here, there = (self.removals, self.updates) if name in absent else (self.updates, self.removals)
            moved = there.pop(name, None)
            known = here.get(name, moved)
            here[name] = Cell(min(first, known.first) if known else first, seq)
            is_late = is_late or moved is not None
        if is_late:
            self.updates = dict(sorted(self.updates.items(), key=lambda item: item[1].first))
            self.removals = dict(sorted(self.removals.items(), key=lambda item: item[1].first))

    def forget(self, name: str) -> None:
        """The proxy no longer wants this name."""
        for table in (self.held, self.updates, self.removals, self.rejected):
            table.pop(name, None)
        self.forced.discard(name)
        self.unanswered.discard(name)

    def stall(self) -> None:
        """Nobody waits any more for the responses that are on their way."""
        for nonce, flight in self.flights.items():
            self.flights[nonce] = Flight(versions=flight.versions, first=flight.first, stalled=True)
        while len(self.flights) > MAX_STALLED:
            oldest = self.flights.pop(next(iter(self.flights)))
            self.unanswered.update(name for name in oldest.versions if self.wants(name))

    def oldest(self, *, with_removals: bool) -> int:
        """The sequence number of the oldest change that the proxy has not answered; NEVER when there is none."""
        found = NEVER
        for flight in self.flights.values():
            if not flight.stalled and (with_removals or flight.has_updates):
                found = min(found, flight.first)
        for group in self.suspects:
            found = min(found, group.first)
        if self.updates:
            found = min(found, next(iter(self.updates.values())).first)
        if with_removals and self.removals:
            found = min(found, next(iter(self.removals.values())).first)
        return found

    def pending(self) -> set[str]:
        names = {*self.updates, *self.removals, *self.unanswered}
        for flight in self.flights.values():
            names.update(flight.versions)
        for group in self.suspects:
            names.update(group.versions)
        return names


def split(versions: dict[str, str], error: str) -> list[dict[str, str]]:
    """Parts of a refused response, innocent-looking ones first. Names that the error mentions go alone when they
    are few; otherwise halves, so that k bad resources of n are found in about k log n responses."""
    accused = [name for name in versions if name in error]
    if accused and 2 * len(accused) <= len(versions):
        rest = {name: version for name, version in versions.items() if name not in accused}
        return [rest, *({name: versions[name]} for name in accused)]
    items = list(versions.items())
    half = len(items) // 2
    return [dict(items[:half]), dict(items[half:])]
