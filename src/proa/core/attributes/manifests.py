"""How attributemanifests extend the vocabulary: their union, in which a name has one type."""

from collections.abc import Iterable, Mapping

import msgspec

from proa.core.attributes.value_types import ValueType
from proa.core.attributes.vocabulary import Vocabulary


class Manifest(msgspec.Struct, frozen=True):
    """`name` is for messages: the object's."""

    name: str
    types: Mapping[str, ValueType]


class TypeConflict(msgspec.Struct, frozen=True):
    """`manifest` gives `attribute` another type than `other` did before (empty: the standard vocabulary)."""

    manifest: str
    attribute: str
    type: ValueType
    other: str
    other_type: ValueType

    def __str__(self) -> str:
        known = f"by {self.other}" if self.other else "already"
        return f"{self.attribute} is {self.other_type} {known} and cannot be {self.type} as well"


class Extended(msgspec.Struct, frozen=True):
    """The union. Where types conflict, the first manifest's is kept."""

    vocabulary: Vocabulary
    conflicts: tuple[TypeConflict, ...]


def extend(vocabulary: Vocabulary, manifests: Iterable[Manifest]) -> Extended:
    """Manifests are taken by name, so that their order does not matter."""
    origins: dict[str, str] = {}
    conflicts: list[TypeConflict] = []
    with vocabulary.types.mutate() as types:
        for manifest in sorted(manifests, key=lambda each: each.name):
            for attribute, value_type in sorted(manifest.types.items()):
                known = types.get(attribute)
                if known is None:
                    types[attribute] = value_type
                    origins[attribute] = manifest.name
                elif known is not value_type:
                    other = origins.get(attribute, "")
                    conflicts.append(TypeConflict(manifest.name, attribute, value_type, other, known))
        merged = types.finish()
    return Extended(Vocabulary(merged), tuple(conflicts))
