"""What charging came to, as Envoy's filter hears it: pass, or 429 with headers that say when to come again.

A refused caller is told, of each quota that is exhausted, the limit and when there will be room: `retry-after`, the
`ratelimit` fields of the IETF's draft, and the `x-ratelimit` fields that Envoy writes for limits of its own. Who passes
is told nothing: limits are nobody's business but theirs who meet them.
"""

from collections.abc import Iterable
from typing import Final

import msgspec
from envoy.service.ratelimit.v3.rls_pb2 import RateLimitResponse

from proa.core.mixer.plan.verdict import RESOURCE_EXHAUSTED
from proa.core.mixer.quota.limits import Left
from proa.core.mixer.refusals import refusal_text

NAMESPACE: Final = "envoy.filters.http.ratelimit"
"""Where Envoy puts the metadata that comes with an answer."""
EXHAUSTED: Final = "exhausted"
DRY_RUN: Final = "dry_run"
"""Names of quotas in the metadata: that refuse, and that would refuse if they were in earnest."""


class Spent(msgspec.Struct, frozen=True, kw_only=True):
    """What came of one quota, by its short name. `left` is of the handler that granted least, None where it is not
    known. `is_dry`: whoever refused only tries."""

    quota: str
    asked: int
    granted: int
    left: Left | None = None
    is_dry: bool = False

    @property
    def is_exhausted(self) -> bool:
        return self.granted < self.asked


def answer(spent: Iterable[Spent]) -> RateLimitResponse:
    """Of all quotas of a request, in the order in which they were charged."""
    known = tuple(spent)
    refusing = tuple(each for each in known if each.is_exhausted and not each.is_dry)
    response = RateLimitResponse(
        overall_code=RateLimitResponse.OVER_LIMIT if refusing else RateLimitResponse.OK
    )
    for name, value in _headers(refusing):
        response.response_headers_to_add.add(key=name, value=value)
    if refusing:
        response.raw_body = message_of(refusing).encode()
        response.dynamic_metadata.update({EXHAUSTED: _names(refusing)})
    dry = tuple(each for each in known if each.is_exhausted and each.is_dry)
    if dry:
        response.dynamic_metadata.update({DRY_RUN: _names(dry)})
    return response


def message_of(refusing: Iterable[Spent]) -> str:
    return refusal_text(RESOURCE_EXHAUSTED, f"Quota is exhausted for: {_names(refusing)}")


def _names(spent: Iterable[Spent]) -> str:
    return ",".join(each.quota for each in spent)


def _headers(refusing: tuple[Spent, ...]) -> Iterable[tuple[str, str]]:
    told = [(each, each.left) for each in refusing if each.left is not None]
    waits = [left.wait_ms for _, left in told]
    if waits and None not in waits:
        yield "retry-after", str(max(_seconds(each or 0) for each in waits))
    if told:
        yield (
            "ratelimit-policy",
            ", ".join(f'"{each.quota}";q={left.maximum}{_window(left)}' for each, left in told),
        )
        yield (
            "ratelimit",
            ", ".join(f'"{each.quota}";r={left.amount}{_reset(left, ";t=")}' for each, left in told),
        )
        each, left = told[0]
        yield "x-ratelimit-limit", f'{left.maximum}, {left.maximum}{_window(left)};name="{each.quota}"'
        yield "x-ratelimit-remaining", str(left.amount)
        if reset := _reset(left, ""):
            yield "x-ratelimit-reset", reset


def _window(left: Left) -> str:
    """Nothing for what never comes back by itself."""
    return f";w={_seconds(left.window_ms)}" if left.window_ms else ""


def _reset(left: Left, prefix: str) -> str:
    return "" if left.wait_ms is None else f"{prefix}{_seconds(left.wait_ms)}"


def _seconds(millis: int) -> int:
    """Whole ones, never too early."""
    return max(-(-millis // 1000), 1)
