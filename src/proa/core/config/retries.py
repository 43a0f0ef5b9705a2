"""How requests are tried again, as rules and the mesh's settings write it, and whether it makes sense."""

from collections.abc import Iterator

from proa.core.config.near_names import suggestion
from proa.core.config.path import Path
from proa.core.config.problem import Finding
from proa.core.config.record import Count, Duration, Record

RETRY_CONDITIONS = (
    "5xx",
    "gateway-error",
    "reset",
    "reset-before-request",
    "connect-failure",
    "retriable-4xx",
    "refused-stream",
    "retriable-status-codes",
    "retriable-headers",
    "envoy-ratelimited",
    "http3-post-connect-failure",
    "cancelled",
    "deadline-exceeded",
    "internal",
    "resource-exhausted",
    "unavailable",
)


class Retries(Record, frozen=True, kw_only=True):
    """`retry_on` is a comma list of Envoy's conditions and status codes. `attempts` 0 turns retries off. None: other
    localities are not tried, hosts already tried are passed over (unless requests are hashed), 25 ms base pause."""

    attempts: Count = 0
    per_try_timeout: Duration | None = None
    retry_on: str = ""
    retry_remote_localities: bool | None = None
    retry_ignore_previous_hosts: bool | None = None
    backoff: Duration | None = None


def check_retries(retries: Retries, at: Path) -> Iterator[Finding]:
    if not retries.attempts and retries != Retries():
        yield Finding(
            (*at, "attempts"), "conflict", "retries are off without attempts; set attempts or remove the rest"
        )
    for token in retries.retry_on.split(",") if retries.retry_on else ():
        if token not in RETRY_CONDITIONS and not _is_status(token):
            hint = (
                suggestion(token, RETRY_CONDITIONS)
                or f"; write a status or some of {', '.join(RETRY_CONDITIONS)}"
            )
            message = f'"{token[:40]}" is no retry condition{hint}'
            yield Finding((*at, "retryOn"), "bad-value", message)


def _is_status(token: str) -> bool:
    return len(token) == 3 and token.isascii() and token.isdecimal() and 100 <= int(token) <= 599
