from itertools import permutations

from proa.core.attributes.manifests import Manifest, TypeConflict, extend
from proa.core.attributes.value_types import ValueType
from proa.core.attributes.vocabulary import vocabulary_of

KNOWN = vocabulary_of({"a": ValueType.STRING})


def test_union() -> None:
    manifest = Manifest("m", {"b": ValueType.INT64, "a": ValueType.STRING})
    found = extend(KNOWN, [manifest])
    assert dict(found.vocabulary.types) == {"a": ValueType.STRING, "b": ValueType.INT64}
    assert found.conflicts == ()
    assert KNOWN.type_of("b") is None


def test_a_name_has_one_type_whatever_the_order() -> None:
    manifests = (
        Manifest("one", {"b": ValueType.INT64}),
        Manifest("two", {"b": ValueType.DOUBLE, "a": ValueType.BOOL}),
    )
    conflicts = (
        TypeConflict("two", "a", ValueType.BOOL, "", ValueType.STRING),
        TypeConflict("two", "b", ValueType.DOUBLE, "one", ValueType.INT64),
    )
    for order in permutations(manifests):
        found = extend(KNOWN, order)
        assert found.conflicts == conflicts
        assert found.vocabulary.type_of("b") is ValueType.INT64
    assert str(conflicts[0]) == "a is STRING already and cannot be BOOL as well"
    assert str(conflicts[1]) == "b is INT64 by one and cannot be DOUBLE as well"
