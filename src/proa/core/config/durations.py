"""Durations as users write them (Go's syntax: `1h2m3.5s`, `250ms`) to whole milliseconds and back.

Callers are `fields` and the renderer. Envoy's timers count milliseconds, so a finer duration is refused.
"""

import re
from fractions import Fraction

_UNITS = {
    "h": Fraction(3_600_000),
    "m": Fraction(60_000),
    "s": Fraction(1000),
    "ms": Fraction(1),
    "us": Fraction(1, 1000),
    "µs": Fraction(1, 1000),
    "μs": Fraction(1, 1000),
    "ns": Fraction(1, 1_000_000),
}
_PART = r"([0-9]+\.?[0-9]*|\.[0-9]+)(h|ms|us|µs|μs|ns|m|s)"
_PARTS = re.compile(_PART)
_DURATION = re.compile(f"([-+]?)((?:{_PART})+)")
# Seconds that fit into an int64 of nanoseconds; Envoy refuses the last of them.
_LONGEST_MS = (2**63 // 1_000_000_000 - 1) * 1000
_LONGEST_TEXT = 64


def parse_duration(text: str) -> int:
    """Milliseconds, negative ones too. Raises ValueError, its text telling a user what to write."""
    if text in ("0", "+0", "-0"):
        return 0
    whole = _DURATION.fullmatch(text) if len(text) <= _LONGEST_TEXT else None
    if whole is None:
        raise ValueError("a duration is numbers with the units h, m, s, ms, like 1m30s or 0.5s")
    total = sum(
        (Fraction(number.rstrip(".")) * _UNITS[unit] for number, unit in _PARTS.findall(whole[2])),
        Fraction(0),
    )
    if total.denominator != 1:
        raise ValueError("a duration must be a whole number of milliseconds")
    if total > _LONGEST_MS:
        raise ValueError("a duration must be shorter than 292 years")
    return -int(total) if whole[1] == "-" else int(total)


def duration_text(milliseconds: int) -> str:
    """The shortest usual spelling: `7s`, `1.5s`, `250ms`, `0s`. parse_duration reads it back."""
    if milliseconds and abs(milliseconds) < 1000:
        return f"{milliseconds}ms"
    seconds, rest = divmod(abs(milliseconds), 1000)
    fraction = f".{rest:03d}".rstrip("0") if rest else ""
    return f"{'-' if milliseconds < 0 else ''}{seconds}{fraction}s"
