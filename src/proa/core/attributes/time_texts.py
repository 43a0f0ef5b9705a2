"""Points in time and durations to the nanosecond, as Mixer writes them: RFC 3339 and Go's `1h2m3.5s`.

The durations of `core.config` are Envoy's, in whole milliseconds; these are values of attributes.
"""

import re
from datetime import UTC, datetime

from proa.core.attributes.value_types import INT64_MAX, Span, Timestamp

_UNITS = {
    "ns": 1,
    "us": 1000,
    "µs": 1000,
    "μs": 1000,
    "ms": 1_000_000,
    "s": 1_000_000_000,
    "m": 60_000_000_000,
    "h": 3_600_000_000_000,
}
_PART = r"([0-9]+)?(?:\.([0-9]*))?(ns|us|µs|μs|ms|s|m|h)"
_PARTS = re.compile(_PART)
_SPAN = re.compile(r"([-+]?)((?:(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:ns|us|µs|μs|ms|s|m|h))+)")
_TIMESTAMP = re.compile(
    r"([0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2})(?:\.([0-9]+))?(?:Z|([-+])([0-9]{2}):([0-9]{2}))"
)
# What is longer has digits that do not count.
_LONGEST = 200
_EPOCH = datetime(1970, 1, 1)


def parse_span(text: str) -> Span | None:
    """None when the text is no duration of Go; `0` is one, digits below a nanosecond are cut off."""
    if text in ("0", "+0", "-0"):
        return Span(0)
    whole = _SPAN.fullmatch(text) if len(text) <= _LONGEST else None
    if whole is None:
        return None
    total = 0
    for number, fraction, unit in _PARTS.findall(whole[2]):
        size = _UNITS[unit]
        total += int(number or "0") * size
        if fraction:
            total += int(fraction) * size // 10 ** len(fraction)
    if total > INT64_MAX:
        return None
    return Span(-total if whole[1] == "-" else total)


def span_text(span: Span) -> str:
    """Go's spelling: `0s`, `19ms`, `1.5µs`, `1m30s`, `1h0m0s`."""
    nanoseconds = abs(span.nanoseconds)
    sign = "-" if span.nanoseconds < 0 else ""
    if nanoseconds == 0:
        return "0s"
    for unit, size in (("ns", 1), ("µs", 1000), ("ms", 1_000_000)):
        if nanoseconds < size * 1000:
            return f"{sign}{_decimal(nanoseconds, size)}{unit}"
    minutes, rest = divmod(nanoseconds, _UNITS["m"])
    seconds = f"{_decimal(rest, _UNITS['s'])}s"
    if not minutes:
        return f"{sign}{seconds}"
    hours, minutes = divmod(minutes, 60)
    return f"{sign}{hours}h{minutes}m{seconds}" if hours else f"{sign}{minutes}m{seconds}"


def _decimal(nanoseconds: int, size: int) -> str:
    whole, rest = divmod(nanoseconds, size)
    digits = len(str(size)) - 1
    return f"{whole}.{rest:0{digits}d}".rstrip("0") if rest else str(whole)


def parse_timestamp(text: str) -> Timestamp | None:
    """None when the text is not RFC 3339. Digits below a nanosecond are cut off."""
    whole = _TIMESTAMP.fullmatch(text) if len(text) <= _LONGEST else None
    if whole is None:
        return None
    second, fraction, sign, hours, minutes = whole.groups()
    if hours is not None and (int(hours) > 24 or int(minutes) > 60):
        return None
    try:
        point = datetime.fromisoformat(second.replace("0000-", "0004-", 1) if _year_zero(second) else second)
    except ValueError:
        return None
    since = point - _EPOCH
    seconds = since.days * 86_400 + since.seconds
    if _year_zero(second):
        # Go has a year 0, a leap year like 4; Python begins with 1.
        seconds -= (4 * 365 + 1) * 86_400
    if sign is not None:
        offset = int(hours) * 3600 + int(minutes) * 60
        seconds += offset if sign == "-" else -offset
    return Timestamp(seconds * 1_000_000_000 + int((fraction or "")[:9].ljust(9, "0")))


def _year_zero(second: str) -> bool:
    return second.startswith("0000-")


def timestamp_text(timestamp: Timestamp) -> str:
    """RFC 3339 in UTC with `Z`, fractions only where there are some."""
    seconds, rest = divmod(timestamp.nanoseconds, 1_000_000_000)
    days, second = divmod(seconds, 86_400)
    fraction = f".{rest:09d}".rstrip("0") if rest else ""
    return f"{_date(days)}T{second // 3600:02d}:{second // 60 % 60:02d}:{second % 60:02d}{fraction}Z"


def _date(days: int) -> str:
    """Days since 1970; years beyond Python's are counted in spans of 400, after which the calendar repeats."""
    repeats, within = divmod(days, 146_097)
    point = datetime.fromtimestamp(within * 86_400, UTC)
    return f"{point.year + repeats * 400:04d}-{point.month:02d}-{point.day:02d}"
