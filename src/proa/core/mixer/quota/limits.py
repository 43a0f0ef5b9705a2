"""What handlers of quota adapters limit, and which limit a charge falls under. The adapters' windows ask.

Texts of dimensions are compared as texts: `"8080"` in an override fits the number 8080 of an instance.
"""

from collections.abc import Iterable, Mapping

import msgspec
from immutables import Map

from proa.core.model.digest import digest_of


class Charge(msgspec.Struct, frozen=True, kw_only=True):
    """What one request wants of one quota. `quota` is the instance's whole name, `dimensions` its values as texts.

    Less than zero gives back, zero only looks how much is left. `best_effort` takes what there is when it is less. A
    charge with the `deduplication_id` of an earlier one of the same limit is that one, told again; "" is never so.
    """

    quota: str
    dimensions: Map[str, str] = Map()
    amount: int = 1
    best_effort: bool = False
    deduplication_id: str = ""
    wanted: int = 0
    """Of one that only looks: what it is to be told about."""


class Left(msgspec.Struct, frozen=True, kw_only=True):
    """How a limit stands after a charge: of `maximum` in `window_ms` (0: for ever) there is `amount` left. There is
    room for what was asked after `wait_ms` at the latest if nobody else takes it; None: not by waiting."""

    maximum: int
    window_ms: int
    amount: int
    wait_ms: int | None


class Grant(msgspec.Struct, frozen=True, kw_only=True):
    """`amount` 0 is the refusal. What is granted holds for `valid_ms`; 0: until it is given back. `left` None: who
    granted it does not tell, or told it before."""

    amount: int
    valid_ms: int
    left: Left | None = None


class Override(msgspec.Struct, frozen=True, kw_only=True):
    """For instances that have all of `dimensions`, whatever else they have."""

    dimensions: Map[str, str] = Map()
    max_amount: int
    window_ms: int = 0


class QuotaLimit(msgspec.Struct, frozen=True, kw_only=True):
    """Of all instances named `quota`. `window_ms` 0: nothing comes back by itself."""

    quota: str
    max_amount: int
    window_ms: int = 0
    overrides: tuple[Override, ...] = ()


class Chosen(msgspec.Struct, frozen=True, kw_only=True):
    """The limit in force for a charge: the `rule`-th override, or with None the quota's own."""

    rule: int | None
    max_amount: int
    window_ms: int


def choose(limit: QuotaLimit, dimensions: Mapping[str, str]) -> Chosen:
    """The first override that fits counts; the others do not."""
    for index, override in enumerate(limit.overrides):
        if all(dimensions.get(name) == value for name, value in override.dimensions.items()):
            return Chosen(rule=index, max_amount=override.max_amount, window_ms=override.window_ms)
    return Chosen(rule=None, max_amount=limit.max_amount, window_ms=limit.window_ms)


def find_limit(limits: Iterable[QuotaLimit], quota: str) -> QuotaLimit | None:
    """The first of the name."""
    return next((limit for limit in limits if limit.quota == quota), None)


def cell_of_instance(charge: Charge) -> str:
    """memquota counts for each set of dimensions by itself."""
    return f"{charge.quota};{digest_of(charge.dimensions)}"


def cell_of_limit(limit: QuotaLimit, chosen: Chosen) -> str:
    """redisquota counts for each limit: the quota's own, and each override by what it asks for and not by its place, so
    that one more before it does not make it forget."""
    if chosen.rule is None:
        return limit.quota
    return f"{limit.quota};{digest_of(limit.overrides[chosen.rule].dimensions)}"
