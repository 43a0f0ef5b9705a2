"""What a request changes about a proxy's wishes: wildcards, names, and what it says it already holds.

Called by `DeltaServer.receive` alone; it changes the `TypeState` and returns what to look at and what to report.
The rules are those of envoy's `api-docs/xds_protocol.rst`, "How the client specifies what resources to return".
"""

from collections.abc import Iterator

import msgspec

from proa.core.pilot.resource import ResourceType
from proa.core.pilot.xds.actions import Acked, Subscribed
from proa.core.pilot.xds.delta_state import TypeState
from proa.core.pilot.xds.source import ResourceSource
from proa.core.pilot.xds.wire import Request


class Touch(msgspec.Struct, frozen=True, kw_only=True):
    """Make cells for these names; `first` when they belong to an earlier change."""

    names: list[str]
    first: int | None = None


def subscribe(
    state: TypeState, request: Request, source: ResourceSource, warming: dict[str, int], *, resend: bool
) -> Iterator[Touch | Acked | Subscribed]:
    """Apply the request. `warming`: clusters that wait for a first look at their endpoints; `resend`: the proxy's
    clusters are warming, so what it holds is sent again."""
    is_first, had_wildcard = not state.asked, state.wildcard
    state.asked = True
    wanted = [name for name in request.subscribe if name != "*"]
    if state.can_be_wildcard and ("*" in request.subscribe or (is_first and not request.subscribe)):
        state.wildcard = True
    if "*" in request.unsubscribe:
        state.wildcard = False
    added = tuple(dict.fromkeys(name for name in wanted if name not in state.names))
    state.names.update(wanted)
    if is_first:
        yield from _hold(state, request)
    late: dict[int, list[str]] = {}
    for name in wanted:
        first = warming.pop(name, None) if state.kind is ResourceType.ENDPOINT else None
        if first is not None:
            late.setdefault(first, []).append(name)
        if first is not None or resend or not (is_first and name in state.held):
            state.forced.add(name)
    if state.wildcard and not had_wildcard:
        state.greeting = not state.held
        # What is on its way was wanted by a name that may be dropped since: its answer will count again.
        coming = (name for flight in state.flights.values() for name in flight.versions)
        yield Touch(names=list({*source.names(state.kind), *state.held, *wanted, *coming}))
    elif wanted:
        yield Touch(names=list(dict.fromkeys(wanted)))
    for first, names in late.items():
        yield Touch(names=names, first=first)
    removed = tuple(name for name in dict.fromkeys(request.unsubscribe) if name in state.names)
    yield from _drop(state, removed, lost_wildcard=had_wildcard and not state.wildcard)
    if added or removed or had_wildcard != state.wildcard:
        yield Subscribed(type=state.kind, added=added, removed=removed, wildcard=state.wildcard)


def _hold(state: TypeState, request: Request) -> Iterator[Acked]:
    for name, version in request.initial.items():
        if state.wants(name):
            state.held[name] = version
            if version:  # the empty one: "I know the name, but judge by none of its versions"
                yield Acked(type=state.kind, name=name, version=version)


def _drop(state: TypeState, removed: tuple[str, ...], *, lost_wildcard: bool) -> Iterator[Touch]:
    state.names.difference_update(removed)
    if state.wildcard:
        # The spec wants an answer: the name is either part of the wildcard's set or gone.
        state.forced.update(removed)
        if removed:
            yield Touch(names=list(removed))
        return
    for name in removed:
        state.forget(name)
    if lost_wildcard:
        state.greeting = False
        for name in [*state.held, *state.updates, *state.removals, *state.rejected, *state.unanswered]:
            if name not in state.names:
                state.forget(name)
