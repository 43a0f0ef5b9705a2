"""Expressions that are ready to be evaluated, equal when they mean the same; and a stock of them that outlives a plan.

Compiling takes long beside everything else that a new plan needs, and most of its expressions were in the one before.
"""

from typing import TypeAlias

import msgspec
from immutables import Map

from proa.core.attributes.value_types import Bag, Value, ValueType
from proa.core.attributes.vocabulary import Vocabulary
from proa.core.expression.program import Program, compile_expression
from proa.core.expression.semantics import EvaluationError
from proa.core.expression.syntax import Fault
from proa.core.expression.tracing import Evaluation
from proa.core.expression.typed import Language

_Key: TypeAlias = tuple[str, ValueType | None, Map[str, ValueType], Language]


class Formula(msgspec.Struct, frozen=True, eq=False):
    """Equal by text, language and type: so plans can be compared, whose code cannot."""

    text: str
    type: ValueType
    program: Program
    language: Language = "MIXER"

    def trace(self, bag: Bag) -> Evaluation:
        return self.program.trace(bag)

    def evaluate(self, bag: Bag) -> Evaluation:
        """The same without references, in a fraction of the time: for what nobody keeps."""
        try:
            return Evaluation(self.program.evaluate(bag), None, ())
        except EvaluationError as error:
            return Evaluation(None, error, ())

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Formula) and self._meaning == other._meaning

    def __hash__(self) -> int:
        return hash(self._meaning)

    @property
    def _meaning(self) -> tuple[str, ValueType, Language]:
        return self.text, self.type, self.language


class Formulas:
    """Of one vocabulary. Owned by whoever compiles plans; `forget_unused` after each keeps it as small as the plan."""

    def __init__(self, vocabulary: Vocabulary) -> None:
        self.vocabulary = vocabulary
        self._known: dict[_Key, Formula | tuple[Fault, ...]] = {}
        self._used: set[_Key] = set()
        self.compiled = 0
        """How many have been compiled since it was made."""

    def get(
        self,
        text: str,
        expected: ValueType | None,
        outputs: Map[str, ValueType] = Map(),
        language: Language = "MIXER",
    ) -> Formula | tuple[Fault, ...]:
        """`outputs`: what `$out.name` is, for bindings of attributes."""
        key = (text, expected, outputs, language)
        self._used.add(key)
        if key not in self._known:
            self.compiled += 1
            self._known[key] = self._compile(*key)
        return self._known[key]

    def _compile(
        self, text: str, expected: ValueType | None, outputs: Map[str, ValueType], language: Language
    ) -> Formula | tuple[Fault, ...]:
        vocabulary = self.vocabulary
        if outputs:
            named = {f"$out.{name}": value_type for name, value_type in outputs.items()}
            vocabulary = Vocabulary(vocabulary.types.update(named))
        found = compile_expression(text, vocabulary, expected, outputs=bool(outputs), language=language)
        return Formula(text, found.type, found, language) if isinstance(found, Program) else found

    def forget_unused(self) -> None:
        self._known = {key: found for key, found in self._known.items() if key in self._used}
        self._used = set()


class Layered:
    """A bag with what was learned on top: generated attributes come first."""

    def __init__(self, below: Bag, above: Map[str, Value]) -> None:
        self._below, self._above = below, above

    def get(self, name: str, /) -> Value | None:
        value = self._above.get(name)
        return self._below.get(name) if value is None else value
