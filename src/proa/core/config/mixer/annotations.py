"""What annotations say of Mixer's rules and handlers, for which their specs of 2018 have no field. Validators and plans
ask.

| annotation | on | value |
|---|---|---|
| `proa.dev/failure-policy` | rule | `closed` (a call that fails refuses) or `open` (it counts for nothing) |
| `proa.dev/deadline` | handler | how long a call may take, like `250ms` |
| `proa.dev/concurrency` | handler | how many calls may be under way at once |
| `proa.dev/dry-run` | rule, handler | `true`: its quotas are charged, and what they refuse is told and not refused |
| `proa.dev/limit` | handler | `per-instance`: its limits are of each instance of a server; else `shared` by all |
"""

from collections.abc import Iterator, Mapping
from typing import Final, Literal, cast

import msgspec

from proa.core.config.durations import duration_text, parse_duration
from proa.core.config.problem import Finding
from proa.core.config.tree import shorten

FAILURE_POLICY: Final = "proa.dev/failure-policy"
DEADLINE: Final = "proa.dev/deadline"
CONCURRENCY: Final = "proa.dev/concurrency"
DRY_RUN: Final = "proa.dev/dry-run"
LIMIT: Final = "proa.dev/limit"
PER_INSTANCE: Final = "per-instance"

FailurePolicy = Literal["open", "closed"]
DEADLINE_MS: Final = 500
CONCURRENT: Final = 100
_LONGEST_MS: Final = 60_000
_MOST: Final = 10_000


class Bounds(msgspec.Struct, frozen=True, kw_only=True):
    """Of the calls to one handler."""

    deadline_ms: int = DEADLINE_MS
    concurrency: int = CONCURRENT


def failure_policy_of(annotations: Mapping[str, str]) -> FailurePolicy | None:
    """None: the default of each variety. Of annotations without faults."""
    return cast(FailurePolicy | None, annotations.get(FAILURE_POLICY))


def bounds_of(annotations: Mapping[str, str]) -> Bounds:
    """Of annotations without faults."""
    deadline, concurrency = annotations.get(DEADLINE), annotations.get(CONCURRENCY)
    return Bounds(
        deadline_ms=DEADLINE_MS if deadline is None else parse_duration(deadline),
        concurrency=CONCURRENT if concurrency is None else int(concurrency),
    )


def is_dry_run(annotations: Mapping[str, str]) -> bool:
    """Of a rule or handler: whether its quotas only try."""
    return annotations.get(DRY_RUN) == "true"


def is_per_instance(annotations: Mapping[str, str]) -> bool:
    """Of a handler: whether each instance of a server has its limits for itself."""
    return annotations.get(LIMIT) == PER_INSTANCE


def rule_annotation_faults(annotations: Mapping[str, str]) -> Iterator[Finding]:
    policy = annotations.get(FAILURE_POLICY)
    if policy not in (None, "open", "closed"):
        at = ("metadata", "annotations", FAILURE_POLICY)
        yield Finding(at, "bad-value", f'"{shorten(policy)}" is no policy; write open or closed')
    yield from _one_of(annotations, DRY_RUN, ("true", "false"))


def _one_of(annotations: Mapping[str, str], name: str, words: tuple[str, str]) -> Iterator[Finding]:
    said = annotations.get(name)
    if said is not None and said not in words:
        text = f'"{shorten(said)}" is neither; write {" or ".join(words)}'
        yield Finding(("metadata", "annotations", name), "bad-value", text)


def handler_annotation_faults(annotations: Mapping[str, str]) -> Iterator[Finding]:
    at = ("metadata", "annotations")
    deadline = annotations.get(DEADLINE)
    if deadline is not None:
        try:
            if not 1 <= parse_duration(deadline) <= _LONGEST_MS:
                message = f"a deadline is between 1ms and {duration_text(_LONGEST_MS)}; write one"
                yield Finding((*at, DEADLINE), "out-of-range", message)
        except ValueError as error:
            yield Finding((*at, DEADLINE), "bad-value", f'"{shorten(deadline)}": {error}')
    yield from _one_of(annotations, DRY_RUN, ("true", "false"))
    yield from _one_of(annotations, LIMIT, (PER_INSTANCE, "shared"))
    number = annotations.get(CONCURRENCY)
    if number is not None:
        is_number = number.isascii() and number.isdecimal() and len(number) <= 6
        if not is_number or not 1 <= int(number) <= _MOST:
            message = f'"{shorten(number)}" is no number of calls; write one from 1 to {_MOST}'
            yield Finding((*at, CONCURRENCY), "out-of-range" if is_number else "bad-value", message)
