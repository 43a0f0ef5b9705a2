"""What comes of a check, and how long that may be believed."""

from collections.abc import Iterable
from typing import Final

import msgspec

from proa.core.expression.tracing import Reference

OK: Final = 0
PERMISSION_DENIED: Final = 7
RESOURCE_EXHAUSTED: Final = 8
INTERNAL: Final = 13

HTTP_STATUS: Final = {
    0: 200,
    1: 499,
    2: 500,
    3: 400,
    4: 504,
    5: 404,
    6: 409,
    7: 403,
    8: 429,
    9: 400,
    10: 409,
    11: 400,
    12: 501,
    13: 500,
    14: 503,
    15: 500,
    16: 401,
}
"""google.rpc.Code to the status of an answer, as Istio's proxies of 2018 had it."""


class Decision(msgspec.Struct, frozen=True, kw_only=True):
    """`status` is a google.rpc.Code. May be used again for `valid_ms` and `uses` times (below zero: any number) by
    whoever agrees in `references`; zero of either: by nobody. `rule`: who decided, `namespace/name`."""

    status: int = OK
    message: str = ""
    valid_ms: int = 60_000
    uses: int = 10_000
    references: tuple[Reference, ...] = ()
    rule: str = ""

    @property
    def http_status(self) -> int:
        return HTTP_STATUS.get(self.status, 500)


def combined(decisions: Iterable[Decision]) -> Decision:
    """Of several adapters about one request, in the order of their rules: refused when any refuses, with the first
    one's status and everybody's reasons; believed no longer and no more often than each; dependent on all that any
    looked at. Without decisions: allowed, for a minute and 10,000 uses, as Mixer of 2018 said it."""
    found = tuple(decisions)
    if not found:
        return Decision()
    refusals = [each for each in found if each.status != OK]
    references = {
        (each.name, each.key or "", each.key is None): each for one in found for each in one.references
    }
    return Decision(
        status=refusals[0].status if refusals else OK,
        message=", ".join(each.message for each in refusals if each.message),
        valid_ms=min(each.valid_ms for each in found),
        uses=_fewest(each.uses for each in found),
        references=tuple(references[key] for key in sorted(references)),
        rule=refusals[0].rule if refusals else "",
    )


def _fewest(uses: Iterable[int]) -> int:
    counted = [each for each in uses if each >= 0]
    return min(counted) if counted else -1
