"""The series of one metric, and how they are written in Prometheus' text format.

The client library is not used: it gives every counter a name that ends in `_total`, and those of 2018 need not.
"""

import math
from bisect import bisect_left
from collections.abc import Iterator, Sequence
from typing import Final, Protocol

from proa.adapters.policy.prometheus.definitions import Definition

MOST_LINES: Final = 50_000
"""Of one metric: a histogram's series has as many as buckets, and three."""
_PIECE: Final = 500


class _Series(Protocol):
    seen: float

    def add(self, value: float) -> None: ...

    def lines(self) -> Iterator[str]: ...


class _Number:
    def __init__(self, prefix: str, *, adds: bool) -> None:
        self.seen = 0.0
        self._prefix, self._adds, self._value = prefix, adds, 0.0

    def add(self, value: float) -> None:
        self._value = self._value + value if self._adds else value

    def lines(self) -> Iterator[str]:
        yield f"{self._prefix} {number_text(self._value)}\n"


class _Histogram:
    """`prefixes`: of each bucket, the infinite one too, then of sum and count."""

    def __init__(self, prefixes: Sequence[str], bounds: tuple[float, ...]) -> None:
        self.seen = 0.0
        self._prefixes, self._bounds = prefixes, bounds
        self._counts = [0] * (len(bounds) + 1)
        self._sum = 0.0

    def add(self, value: float) -> None:
        self._counts[bisect_left(self._bounds, value)] += 1
        self._sum += value

    def lines(self) -> Iterator[str]:
        so_far = 0
        for prefix, count in zip(self._prefixes, self._counts, strict=False):
            so_far += count
            yield f"{prefix} {so_far}\n"
        yield f"{self._prefixes[-2]} {number_text(self._sum)}\n"
        yield f"{self._prefixes[-1]} {so_far}\n"


class Family:
    """`expiry_s`: series that nobody has added to for so long go when `expire` is called; None: they stay."""

    def __init__(self, definition: Definition, *, most_lines: int = MOST_LINES) -> None:
        self.definition = definition
        self.expiry_s: float | None = None
        lines = len(definition.bounds) + 3 if definition.type == "histogram" else 1
        self._most_series = max(1, most_lines // lines)
        self._series: dict[tuple[str, ...], _Series] = {}

    def __len__(self) -> int:
        return len(self._series)

    def add(self, labels: tuple[str, ...], value: float, now: float) -> str:
        """`labels`: a value for each of the definition's, in its order. Why it was not taken, "" when it was."""
        if not math.isfinite(value) or (value < 0 and self.definition.type == "counter"):
            return "value"
        series = self._series.get(labels)
        if series is None:
            if len(self._series) >= self._most_series:
                return "series"
            series = self._series[labels] = self._begun(labels)
        series.add(float(value))
        series.seen = now
        return ""

    def expire(self, now: float) -> None:
        if self.expiry_s is not None:
            oldest = now - self.expiry_s
            self._series = {labels: each for labels, each in self._series.items() if each.seen > oldest}

    def text(self) -> Iterator[str]:
        """In pieces of whole series; between two of them series may be added to. "" of a metric that has none."""
        if not self._series:
            return
        name = self.definition.name
        yield f"# HELP {name} {_escaped(self.definition.help)}\n# TYPE {name} {self.definition.type}\n"
        series = list(self._series.values())
        for start in range(0, len(series), _PIECE):
            yield "".join(line for each in series[start : start + _PIECE] for line in each.lines())

    def _begun(self, labels: tuple[str, ...]) -> _Series:
        name = self.definition.name
        pairs = [(label, text) for label, text in zip(self.definition.labels, labels, strict=True)]
        if self.definition.type != "histogram":
            return _Number(_prefix(name, pairs), adds=self.definition.type == "counter")
        bounds = (*map(number_text, self.definition.bounds), "+Inf")
        prefixes = [_prefix(f"{name}_bucket", [*pairs, ("le", bound)]) for bound in bounds]
        prefixes += (_prefix(f"{name}_{ending}", pairs) for ending in ("sum", "count"))
        return _Histogram(prefixes, self.definition.bounds)


def _prefix(name: str, pairs: Sequence[tuple[str, str]]) -> str:
    """A label without a value is as good as absent, and is left out."""
    inside = ",".join(f'{label}="{_quoted(text)}"' for label, text in pairs if text)
    return f"{name}{{{inside}}}" if inside else name


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace("\n", "\\n")


def _quoted(text: str) -> str:
    """Half a character of two, which UTF-8 cannot say, becomes a question mark."""
    clean = text.encode(errors="replace").decode()
    return _escaped(clean).replace('"', '\\"')


def number_text(value: float) -> str:
    if math.isinf(value):
        return "+Inf" if value > 0 else "-Inf"
    return str(int(value)) if value.is_integer() and abs(value) < 1e15 else repr(value)
