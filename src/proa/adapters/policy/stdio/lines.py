"""Instances as lines of a log: what each says, at which level, and what is left out.

    {"level":"warn","time":"2018-09-15T20:46:36.009801Z","instance":"newlog.logentry.istio-system","latency":"13.6ms"}

Variables and dimensions stand in order of their names, durations in Go's spelling, times to the microsecond. Of a
metric its `value` comes first.
"""

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Final

import orjson
from immutables import Map

from proa.core.attributes.time_texts import timestamp_text
from proa.core.attributes.value_texts import written_value
from proa.core.attributes.value_types import Timestamp
from proa.core.config.mixer.parameters import Level, Stdio
from proa.core.mixer.templates import Field, Instance

_LEVELS: Final[tuple[tuple[Level, str], ...]] = (("INFO", "info"), ("WARNING", "warn"), ("ERROR", "error"))
_NAMES: Final = dict(_LEVELS)
_RANKS: Final = {level: rank for rank, (level, _) in enumerate(_LEVELS)}
_SEVERITIES: Final[Iterable[tuple[Level, str]]] = (
    ("INFO", "informational info"),
    ("WARNING", "warning warn"),
    ("ERROR", "error err fatal"),
)
SEVERITY_LEVELS: Final[Mapping[str, Level]] = Map(
    {
        spelling: level
        for level, words in _SEVERITIES
        for word in words.split()
        for spelling in (word, word.upper())
    }
)
"""What the texts of `severity` mean unless the parameters say otherwise. All others are INFO."""
_OURS: Final = frozenset(("level", "time", "instance", "value"))


class Lines:
    """Of one handler. `now` tells the time of what has none of its own."""

    def __init__(self, parameters: Stdio, now: Callable[[], Timestamp]) -> None:
        self._levels = {**SEVERITY_LEVELS, **parameters.severity_levels}
        self._metric_level: Level = parameters.metric_level
        self._lowest = _RANKS[parameters.output_level]
        self._is_json = parameters.output_as_json is not False
        self._now = now

    def of(self, instances: Iterable[Instance]) -> bytes:
        """Whole lines, in order."""
        return b"".join(self._written(instances))

    def _written(self, instances: Iterable[Instance]) -> Iterator[bytes]:
        for instance in instances:
            level = self._level(instance)
            if _RANKS[level] < self._lowest:
                continue
            said = instance.fields.get("timestamp")
            time = _micro(said if isinstance(said, Timestamp) else self._now())
            told = dict(_told(instance))
            if self._is_json:
                line = {"level": _NAMES[level], "time": time, "instance": instance.name, **told}
                yield _json(line) + b"\n"
            else:
                words = (time, _NAMES[level], instance.name, *((_json(told).decode(),) if told else ()))
                yield "\t".join(words).encode(errors="replace") + b"\n"

    def _level(self, instance: Instance) -> Level:
        if instance.template == "metric":
            return self._metric_level
        severity = instance.fields.get("severity")
        return self._levels.get(severity, "INFO") if isinstance(severity, str) else "INFO"


def _told(instance: Instance) -> Iterator[tuple[str, object]]:
    if instance.template == "metric":
        if "value" in instance.fields:
            yield "value", _shown(instance.fields["value"])
        named = instance.fields.get("dimensions")
    else:
        named = instance.fields.get("variables")
    if isinstance(named, Map):
        for name in sorted(named):
            yield (f"{name}_" if name in _OURS else name), _shown(named[name])


def _shown(value: Field) -> object:
    if isinstance(value, str):  # nearly all are
        return value
    if isinstance(value, Map):
        return {str(key): _shown(each) for key, each in sorted(value.items())}
    return _micro(value) if isinstance(value, Timestamp) else written_value(value)


def _micro(timestamp: Timestamp) -> str:
    """RFC 3339 in UTC with six digits of a second, so that lines of text are in order of time."""
    seconds, rest = divmod(timestamp.nanoseconds, 1_000_000_000)
    return f"{timestamp_text(Timestamp(seconds * 1_000_000_000))[:-1]}.{rest // 1000:06d}Z"


def _json(line: Mapping[str, object]) -> bytes:
    try:
        return orjson.dumps(line)
    except orjson.JSONEncodeError:  # half a character of two, which UTF-8 cannot say: escaped
        return json.dumps(line, separators=(",", ":")).encode()
