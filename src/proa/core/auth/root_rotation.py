"""How the mesh comes from one root to the next without refusing a valid peer. Pure: time is an argument.

A root is first *prepared*: it is in every trust bundle, and nothing is signed under it. It becomes *active* when all
who check certificates have said that they trust it: from then on everything new is signed under it. The one before is
*retiring*: still trusted, until nobody uses a certificate under it. Then it is taken out of the bundles and forgotten.

Roots have generations. The newest that was ever activated is the active one, what is older retires, what is newer is
prepared. So each step changes one root alone: a crash between two steps, or two control planes that take the same
step, leave nothing that has to be repaired, and there are never two active ones.

Holders are the nodes. Each says which roots all of it trusts (its agent and every proxy on it) and under which roots
its certificates are. One that says nothing holds a step back for as long as a certificate that it was given is valid,
and no longer: after that nobody takes it for a peer anyway, and it takes nobody, until it has joined again.

The control plane's rotation asks `next_step` and carries out what it says; nothing here keeps a state.
"""

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Final, Literal

import msgspec

Phase = Literal["prepared", "active", "retiring"]

LONGEST_HOLD: Final = 60.0
SHORTEST_HOLD: Final = 1.0


class Root(msgspec.Struct, frozen=True, kw_only=True):
    """One trusted root. `digest` is the SHA-256 of its DER; times are unix seconds; generations count from 1."""

    generation: int
    digest: str
    prepared_at: float
    activated_at: float | None = None
    not_after: int


class Holder(msgspec.Struct, frozen=True, kw_only=True):
    """Somebody who holds certificates until `until` and checks those of others. Roots are digests; `uses` None: it has
    not said."""

    name: str
    until: float
    trusts: frozenset[str] = frozenset()
    uses: frozenset[str] | None = None


class Pace(msgspec.Struct, frozen=True, kw_only=True):
    """`hold_s`: the least time in each phase, within which every control plane has seen it and every answer that was
    under way has arrived. `skew_s`: by so much the clocks of hosts may differ."""

    hold_s: float
    skew_s: float


class Activate(msgspec.Struct, frozen=True, kw_only=True):
    """Sign under this root from now on."""

    root: Root


class Retire(msgspec.Struct, frozen=True, kw_only=True):
    """Take this root out of the bundles, and forget it."""

    root: Root


class Wait(msgspec.Struct, frozen=True, kw_only=True):
    """A step is due and cannot be taken; `reasons` are for the operator, and name who holds it back."""

    reasons: tuple[str, ...]


class Rest(msgspec.Struct, frozen=True):
    """There is one root, or none that could go on."""


Step = Activate | Retire | Wait | Rest


def pace_of(leaf_ttl: float, skew_s: float) -> Pace:
    """A tenth of a leaf's life, from one second to a minute."""
    return Pace(hold_s=min(LONGEST_HOLD, max(SHORTEST_HOLD, leaf_ttl / 10)), skew_s=skew_s)


def active_of(roots: Iterable[Root]) -> Root:
    """Raises ValueError when none was ever activated."""
    activated = [root for root in roots if root.activated_at is not None]
    if not activated:
        raise ValueError("no root is active")
    return max(activated, key=lambda root: root.generation)


def phase_of(root: Root, active: Root) -> Phase:
    if root.generation == active.generation:
        return "active"
    return "prepared" if root.generation > active.generation else "retiring"


def next_step(
    roots: Iterable[Root], holders: Iterable[Holder], own: frozenset[str], now: float, pace: Pace
) -> Step:
    """What to do now. `own` are the roots under which the control plane's own certificates are.

    A prepared root goes before one that retires: what was abandoned on the way leaves at the end.
    """
    known = sorted(roots, key=lambda root: root.generation)
    active = active_of(known)
    present = [each for each in holders if each.until + pace.skew_s > now]
    retiring = [root for root in known if phase_of(root, active) == "retiring"]
    prepared = [root for root in known if phase_of(root, active) == "prepared"]
    if prepared:
        newest = prepared[-1]
        reasons = (*_too_early(newest.prepared_at, now, pace), *_distrust(newest, present))
        return Wait(reasons=reasons) if reasons else Activate(root=newest)
    for root in retiring:
        # A root that came back under a new number stays trusted: nothing changes for anybody.
        if now > root.not_after + pace.skew_s or _is_back(root, known):
            return Retire(root=root)
    if not retiring:
        return Rest()
    oldest = retiring[0]
    reasons = (
        *_too_early(active.activated_at or now, now, pace),
        *_distrust(active, present),
        *_in_use(oldest, present, own),
    )
    return Wait(reasons=reasons) if reasons else Retire(root=oldest)


def _is_back(root: Root, known: Iterable[Root]) -> bool:
    return any(each.digest == root.digest and each.generation > root.generation for each in known)


def _too_early(since: float, now: float, pace: Pace) -> tuple[str, ...]:
    left = since + pace.hold_s - now
    return (f"{left:.0f} s of the least time are left",) if left > 0 else ()


def _distrust(root: Root, holders: Iterable[Holder]) -> tuple[str, ...]:
    return tuple(
        f"{each.name} has not said that all of it trusts the new root" + _bound(each)
        for each in sorted(holders, key=lambda holder: holder.name)
        if root.digest not in each.trusts
    )


def _in_use(root: Root, holders: Iterable[Holder], own: frozenset[str]) -> tuple[str, ...]:
    mine = ("the control plane's own certificate is under the old root",) if root.digest in own else ()
    others = (
        f"{each.name} {'has not said what it uses' if each.uses is None else 'uses a certificate under the old root'}"
        + _bound(each)
        for each in sorted(holders, key=lambda holder: holder.name)
        if each.uses is None or root.digest in each.uses
    )
    return (*mine, *others)


def _bound(holder: Holder) -> str:
    return f" (its certificates end at {datetime.fromtimestamp(holder.until, UTC):%Y-%m-%d %H:%M:%SZ})"
