"""What the answers of handlers come to: one verdict for a check, one grant for a quota.

The first denial in the order of the rules gives the status, and all denials are told. A verdict is believed no longer
and no more often than each answer, and depends on all that was read for any.
A call that failed counts for what its rule says, and a verdict with such a call in it is good for this one request.
"""

from collections.abc import Iterable, Sequence
from functools import lru_cache
from typing import Final

import msgspec

from proa.core.expression.tracing import Reference
from proa.core.mixer.plan.values import Call
from proa.core.mixer.quota.limits import Grant
from proa.core.model.names import ObjectRef

OK: Final = 0
RESOURCE_EXHAUSTED: Final = 8
INTERNAL: Final = 13
UNAVAILABLE: Final = 14

UNASKED_MS: Final = 60_000
UNASKED_USES: Final = 10_000
"""How long and for how many requests a verdict holds for which nobody was asked: Mixer's own figures."""


class CheckAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """What a handler says to a check. `code` is of google.rpc.Code. May be used again for `valid_ms` and `valid_uses`
    times, below zero: any number; zero of either: by nobody."""

    code: int = OK
    message: str = ""
    valid_ms: int = UNASKED_MS
    valid_uses: int = UNASKED_USES


class Failure(msgspec.Struct, frozen=True, kw_only=True):
    """There is no answer: the handler could not be reached in time, or what it was to be asked could not be made."""

    reason: str
    code: int = UNAVAILABLE


class Answered(msgspec.Struct, frozen=True, kw_only=True):
    """A call with what came of it."""

    call: Call
    answer: CheckAnswer | Failure


class Charged(msgspec.Struct, frozen=True, kw_only=True):
    """A call that charged a quota, with what came of it."""

    call: Call
    answer: Grant | Failure


class Verdict(msgspec.Struct, frozen=True, kw_only=True):
    """`code`, `valid_ms` and `valid_uses` as of a CheckAnswer. `rule`: of the first denial, who decided. `references`
    are all that it depends on. `failed`: calls that failed, whatever they came to. `rules`: the digest of the rules
    that could match at the place, whoever asked (`needs.Checked`)."""

    code: int = OK
    message: str = ""
    rule: ObjectRef | None = None
    rules: str = ""
    valid_ms: int = UNASKED_MS
    valid_uses: int = UNASKED_USES
    references: tuple[Reference, ...] = ()
    failed: tuple[tuple[Call, Failure], ...] = ()


class QuotaVerdict(msgspec.Struct, frozen=True, kw_only=True):
    """`amount` 0 refuses."""

    amount: int
    valid_ms: int
    references: tuple[Reference, ...] = ()
    failed: tuple[tuple[Call, Failure], ...] = ()


_SETS: Final = 1024
"""Of references, whose order is remembered."""


def united(*references: Iterable[Reference]) -> tuple[Reference, ...]:
    """Each once, in order. Of a map that is referred to as a whole its being there says nothing more."""
    return _in_order(frozenset(each for some in references for each in some))


@lru_cache(maxsize=_SETS)
def _in_order(found: frozenset[Reference]) -> tuple[Reference, ...]:
    """Most requests depend on what many before them did."""
    exact = {each.name for each in found if each.key is None and each.condition == "exact"}
    kept = (each for each in found if each.condition != "present" or each.name not in exact)
    return tuple(sorted(kept, key=lambda each: (each.name, each.key or "", each.condition)))


def combine(answered: Sequence[Answered], references: Iterable[Reference] = ()) -> Verdict:
    """`answered` in the order of their rules."""
    counted = [(each.call, _counted(each)) for each in answered]
    failed = tuple((each.call, each.answer) for each in answered if isinstance(each.answer, Failure))
    denials = [(call, answer) for call, answer in counted if answer.code != OK]
    return Verdict(
        code=denials[0][1].code if denials else OK,
        rule=denials[0][0].rule if denials else None,
        message=", ".join(f"{call.action.handler}:{answer.message}" for call, answer in denials),
        valid_ms=min((answer.valid_ms for _, answer in counted), default=UNASKED_MS),
        valid_uses=_fewest([answer.valid_uses for _, answer in counted]),
        references=united(references),
        failed=failed,
    )


def _fewest(uses: Sequence[int]) -> int:
    if not uses:
        return UNASKED_USES
    return min((each for each in uses if each >= 0), default=-1)


def _counted(answered: Answered) -> CheckAnswer:
    answer = answered.answer
    if isinstance(answer, CheckAnswer):
        return answer
    if answered.call.policy == "open":
        return CheckAnswer(valid_ms=0, valid_uses=0)
    return CheckAnswer(code=answer.code, message=answer.reason, valid_ms=0, valid_uses=0)


def combine_charges(
    charged: Sequence[Charged], asked: int, references: Iterable[Reference] = ()
) -> QuotaVerdict:
    """The least that any handler grants. Where nobody was asked, all of it."""
    grants = [_granted(each, asked) for each in charged]
    failed = tuple((each.call, each.answer) for each in charged if isinstance(each.answer, Failure))
    return QuotaVerdict(
        amount=min((grant.amount for grant in grants), default=asked),
        valid_ms=min((grant.valid_ms for grant in grants), default=UNASKED_MS),
        references=united(references),
        failed=failed,
    )


def _granted(charged: Charged, asked: int) -> Grant:
    answer = charged.answer
    if isinstance(answer, Grant):
        return answer
    return Grant(amount=asked if charged.call.policy == "open" else 0, valid_ms=0)
