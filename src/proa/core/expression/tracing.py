"""What the result of an evaluation depends on: every attribute that was asked for, present or not, and keys of maps.

Verdicts are cached by it: two bags that agree on an evaluation's references have the same result.
"""

from collections.abc import Callable
from typing import Literal, TypeAlias

import msgspec
from immutables import Map

from proa.core.attributes.value_types import Bag, StringMap, Value
from proa.core.expression.semantics import EvaluationError

Condition = Literal["absent", "present", "exact"]
# By name alone, or by name and key.
_Seen: TypeAlias = dict[tuple[str] | tuple[str, str], Condition]


class Reference(msgspec.Struct, frozen=True):
    """`key` is None for the attribute itself. `absent`: it is not there; `exact`: its value counts; `present`, of maps:
    that it is there counts, and of its content the keys that are references of their own."""

    name: str
    key: str | None
    condition: Condition

    def __str__(self) -> str:
        return self.name if self.key is None else f"{self.name}[{self.key}]"


class Evaluation(msgspec.Struct, frozen=True):
    """A value or an error. References come sorted by name and key, each once."""

    value: Value | None
    error: EvaluationError | None
    references: tuple[Reference, ...]


class TracedMap:
    """A map of which is written down what is asked. Lives within one evaluation."""

    def __init__(self, name: str, content: StringMap, seen: _Seen) -> None:
        self.name = name
        self.content = content
        self._seen = seen

    def get(self, key: str, default: str | None = None) -> str | None:
        value = self.content.get(key)
        self._seen[self.name, key] = "absent" if value is None else "exact"
        return default if value is None else value


class _TracedBag:
    def __init__(self, bag: Bag) -> None:
        self._bag = bag
        self.seen: _Seen = {}

    def get(self, name: str, /) -> Value | None:
        value = self._bag.get(name)
        if isinstance(value, (dict, Map)):
            self.seen[name,] = "present"
            # In compiled code a map is only indexed or handed on: this has what it needs of one.
            return TracedMap(name, value, self.seen)  # type: ignore[return-value]
        self.seen[name,] = "absent" if value is None else "exact"
        return value


def traced(evaluate: Callable[[Bag], Value], bag: Bag) -> Evaluation:
    recording = _TracedBag(bag)
    value: Value | TracedMap | None
    error = None
    try:
        value = evaluate(recording)
    except EvaluationError as failed:
        value, error = None, failed
    if isinstance(value, TracedMap):
        recording.seen[value.name,] = "exact"
        value = value.content
    references = tuple(
        Reference(place[0], place[1] if len(place) > 1 else None, condition)
        for place, condition in sorted(recording.seen.items())
    )
    return Evaluation(value, error, references)
