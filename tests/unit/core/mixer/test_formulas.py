from immutables import Map

from proa.core.attributes.value_types import ValueType
from proa.core.attributes.vocabulary import STANDARD
from proa.core.mixer.formulas import Formula, Formulas, Layered


def test_formulas_are_equal_by_what_they_say() -> None:
    one, other = (Formulas(STANDARD).get("request.size", ValueType.INT64) for _ in range(2))
    assert isinstance(one, Formula)
    assert isinstance(other, Formula)
    assert one == other
    assert one.program is not other.program
    assert hash(one) == hash(other)
    assert one != "request.size"
    for bag in ({"request.size": 5}, {}):
        traced, plain = one.trace(bag), one.evaluate(bag)
        assert (traced.value, str(traced.error)) == (plain.value, str(plain.error))
        assert (len(traced.references), plain.references) == (1, ())


def test_each_is_compiled_once_and_forgotten_when_nobody_asks() -> None:
    formulas = Formulas(STANDARD)
    first = formulas.get("request.size", None)
    assert formulas.get("request.size", None) is first
    assert isinstance(formulas.get("request.sise", None), tuple)
    assert formulas.compiled == 2
    formulas.forget_unused()
    formulas.get("request.size", None)
    formulas.forget_unused()
    assert formulas.compiled == 2
    formulas.get("request.sise", None)
    assert formulas.compiled == 3


def test_what_a_generator_gives_is_an_attribute_where_it_is_bound() -> None:
    formulas = Formulas(STANDARD)
    outputs = Map({"source_pod_name": ValueType.STRING})
    found = formulas.get('$out.source_pod_name | "none"', ValueType.STRING, outputs)
    assert isinstance(found, Formula)
    assert found.trace({"$out.source_pod_name": "a"}).value == "a"
    assert isinstance(formulas.get("$out.source_pod_nam", ValueType.STRING, outputs), tuple)
    assert isinstance(formulas.get("$out.source_pod_name", ValueType.STRING), tuple)


def test_what_was_learned_comes_first() -> None:
    bag = Layered({"a": 1, "b": 2}, Map({"b": 3}))
    assert [bag.get(name) for name in "abc"] == [1, 3, None]
