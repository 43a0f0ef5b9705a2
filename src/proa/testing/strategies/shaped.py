"""Documents made from the schemas themselves: every field of every kind in the table, filled by its type, its name
(`vocabulary`) and what its struct asks of its fields together (a `Recipe`).

A field that is added to a schema is drawn from then on without anybody's doing. What a recipe does not know may come
out wrong; `mending` takes that out again.
"""

from collections.abc import Callable, Iterable, Mapping
from typing import Final

import msgspec
from hypothesis import strategies as st

from proa.core.config import Json
from proa.core.config.fields import Field, Fields, Items, Pairs, shape_of
from proa.core.config.record import Record
from proa.core.config.shapes import Flag, Free, Integer, Number, Shape, Text, Timespan, Word
from proa.testing.strategies import vocabulary
from proa.testing.strategies.vocabulary import Values

Object = dict[str, Json]


def _as_it_is(value: Object) -> Object:
    return value


class Recipe(msgspec.Struct, frozen=True, kw_only=True):
    """What holds for the fields of one struct together. Fields are named as in Python.

    `values`: in place of what type and name give; `texts`: of every text that has no values of its own. `always`:
    written though it need not be. `one_of`: exactly one of each group, the empty name for none of it. `some`: at least
    one. `filled`: lists with at least one item. `never`: not drawn. `fit`: the last touch, on the object as a document
    has it, which makes its fields agree.
    """

    values: Mapping[str, Values] = {}
    texts: Values | None = None
    always: tuple[str, ...] = ()
    one_of: tuple[tuple[str, ...], ...] = ()
    some: tuple[str, ...] = ()
    filled: tuple[str, ...] = ()
    never: tuple[str, ...] = ()
    fit: Callable[[Object], Object] = _as_it_is


Recipes = Mapping[type[Record], Recipe]
PLAIN: Final = Recipe()


class Shaped:
    """Strategies by shape; one for each set of recipes."""

    def __init__(self, recipes: Recipes) -> None:
        self._recipes = recipes
        self._known: dict[type[Record], Values] = {}

    def objects_of(self, struct: type[Record]) -> Values:
        """Objects of a schema's struct."""
        known = self._known.get(struct)
        if known is None:
            known = self._known[struct] = self._object(shape_of(struct))
        return known

    def _object(self, shape: Fields) -> Values:
        recipe = self._recipe(shape.type)
        grouped = {name for group in recipe.one_of for name in group}
        by_name = {field.attribute: field for field in shape.fields.values()}
        always = {*recipe.always, *(name for name, field in by_name.items() if field.required)} - grouped
        free = [name for name in by_name if name not in {*always, *grouped, *recipe.never}]
        # A bit for each: half of them on average, none when it is shrunk. Of large numbers hypothesis draws more small
        # ones, and those behind would never come: so a number for every eight.
        optional = [
            (free[start : start + 8], st.integers(0, (1 << len(free[start : start + 8])) - 1))
            for start in range(0, len(free), 8)
        ]

        @st.composite
        def draw_object(draw: st.DrawFn) -> Json:
            chosen = set(always)
            for names, numbers in optional:
                bits = draw(numbers)
                chosen.update(name for place, name in enumerate(names) if bits >> place & 1)
            for group in recipe.one_of:
                chosen.add(draw(st.sampled_from(group)))
            if recipe.some and not chosen & set(recipe.some):
                chosen.add(draw(st.sampled_from(recipe.some)))
            # In the order of the schema, so that equal choices are equal objects.
            drawn = {
                field.name: draw(self._field(recipe, field))
                for name, field in by_name.items()
                if name in chosen
            }
            return recipe.fit(drawn)

        return draw_object()

    def _recipe(self, struct: type[Record]) -> Recipe:
        """Its own, or its base's."""
        return next((self._recipes[each] for each in struct.__mro__ if each in self._recipes), PLAIN)

    def _field(self, recipe: Recipe, field: Field) -> Values:
        name, shape = field.attribute, field.shape
        if name in recipe.values:
            return recipe.values[name]
        if recipe.texts is not None and _is_plain(shape) and not isinstance(shape, Integer):
            return _filled_with(shape, recipe.texts)
        if name in vocabulary.FIELDS and _is_plain(shape):
            return vocabulary.FIELDS[name]
        return self.of(shape, least=int(name in recipe.filled))

    def of(self, shape: Shape, least: int = 0) -> Values:
        match shape:
            case Text(may_be_empty=may_be_empty):
                return vocabulary.text if may_be_empty else vocabulary.text.filter(bool)
            case Flag():
                return st.booleans()
            case Integer(lowest=lowest, highest=highest):
                return _integers(lowest, highest)
            case Number(lowest=lowest, highest=highest):
                return st.floats(max(lowest, -1e6), min(highest, 1e6))
            case Timespan(lowest=lowest):
                return st.sampled_from(
                    [each for each in vocabulary.DURATIONS if lowest < 1000 or "ms" not in each]
                )
            case Word(words=words):
                return st.sampled_from(words)
            case Free():
                return st.dictionaries(
                    st.sampled_from("ab"), st.integers(0, 9) | st.text(max_size=3), max_size=2
                )
            case Items(item=item, may_be_empty=may_be_empty):
                filled = vocabulary.listed(self.of(item), 1)
                return filled if least or not may_be_empty else st.one_of(filled, filled, filled, st.just([]))
            case Pairs(key=key, value=value, may_be_empty=may_be_empty):
                names = st.sampled_from(vocabulary.PORTS) if key else st.sampled_from(vocabulary.HEADERS)
                return vocabulary.mapped(names, self.of(value), max(least, int(not may_be_empty)))
            case Fields():
                return st.deferred(lambda: self.objects_of(shape.type))
            case _:
                raise TypeError(f"no strategy for {shape!r}")


def _is_plain(shape: Shape) -> bool:
    """Whether a value's name may say more of it than its type does."""
    match shape:
        case Text() | Integer():
            return True
        case Items(item=item) | Pairs(value=item):
            return isinstance(item, Text)
        case _:
            return False


def _filled_with(shape: Shape, texts: Values) -> Values:
    match shape:
        case Items():
            return vocabulary.listed(texts, 1)
        case Pairs():
            return vocabulary.mapped(st.sampled_from(("a", "b_c")), texts, 1)
        case _:
            return texts


def _integers(lowest: int, highest: int) -> Values:
    """Mostly small, and both bounds."""
    near = st.integers(max(lowest, 0), min(highest, max(lowest, 0) + 9))
    return (
        near
        | near
        | st.sampled_from((max(lowest, -(2**31)), highest, min(highest, 300), min(highest, 70_000)))
    )


def without(value: Object, names: Iterable[str]) -> Object:
    gone = set(names)
    return {name: content for name, content in value.items() if name not in gone}
