import math

import pytest
from immutables import Map

from proa.core.attributes.value_types import Span, Timestamp, Value, ValueType
from proa.core.attributes.vocabulary import STANDARD
from proa.core.mixer.formulas import Formula, Formulas
from proa.core.mixer.templates import Instance, InstancePlan, Known, build, flat_text, number_of, text_of


def plan(**fields: str) -> InstancePlan:
    formulas = Formulas(STANDARD)

    def formula(text: str) -> Formula:
        found = formulas.get(text, None)
        assert isinstance(found, Formula)
        return found

    paths = ((tuple(name.split("__")), formula(text)) for name, text in fields.items())
    return InstancePlan(
        name="a.authorization.b", template="authorization", variety="check", fields=tuple(paths)
    )


def test_fields_are_nested_as_the_template_says() -> None:
    made = build(
        plan(
            subject__user="source.user", subject__properties__app='source.labels["app"]', action__path='"/x"'
        ),
        {"source.user": "u", "source.labels": {"app": "a"}},
    )
    assert made.instance == Instance(
        name="a.authorization.b",
        template="authorization",
        fields=Map(
            subject=Map(user="u", properties=Map(app="a")),
            action=Map(path="/x"),
        ),
    )
    assert made.instance.short_name == "a"
    assert [str(each) for each in made.references] == ["source.user", "source.labels", "source.labels[app]"]


def test_what_cannot_be_made_says_which_field_and_why() -> None:
    made = build(
        plan(action__path="request.path", action__method="request.method"), {"request.method": "GET"}
    )
    assert made.instance is None
    assert made.failure == "action.path of a.authorization.b cannot be told: lookup failed: 'request.path'"
    assert [str(each) for each in made.references] == ["request.path"]


def test_types_are_known_before_the_first_instance() -> None:
    assert plan(action__path="request.path", subject__properties__a="5").types == Map(
        {"action.path": ValueType.STRING, "subject.properties.a": ValueType.INT64}
    )
    assert plan().short_name == "a"


def test_values_as_texts() -> None:
    instance = Instance(
        name="q.quota.a",
        template="quota",
        fields=Map(
            dimensions=Map(port=8080, who="u", ip=b"\x0a\x00\x00\x01", on=True, took=Span(19_000_000))
        ),
    )
    assert instance.texts("dimensions") == Map(port="8080", who="u", ip="10.0.0.1", on="true", took="19ms")
    assert instance.texts("other") == Map()
    assert [text_of(value) for value in (False, 1.5, "a")] == ["false", "1.5", "a"]


@pytest.mark.parametrize(
    ("value", "number"), [(3, 3), (0.5, 0.5), (Span(1_500_000_000), 1.5), ("2.5", 2.5), ("1e3", 1000)]
)
def test_values_are_numbers_and_durations_seconds(value: Value, number: float) -> None:
    assert number_of(value) == number


@pytest.mark.parametrize("value", [None, True, "many", b"\x0a\x00\x00\x01", Timestamp(0)])
def test_what_is_no_number(value: Value | None) -> None:
    assert math.isnan(number_of(value))


def test_a_map_is_one_text() -> None:
    assert flat_text(Map(b="2", a="1")) == '{"a":"1","b":"2"}'
    assert (flat_text("x"), flat_text(200), flat_text(b"")) == ("x", "200", "")


def test_what_instances_of_one_request_say_alike_is_reckoned_once() -> None:
    """And is the same as with references."""
    formulas = Formulas(STANDARD)

    def metric(name: str, value: str) -> InstancePlan:
        texts = {
            ("value",): value,
            ("dimensions", "who"): "source.user",
            ("dimensions", "all"): "request.headers",
        }
        fields = []
        for path, text in texts.items():
            formula = formulas.get(text, None)
            assert isinstance(formula, Formula)
            fields.append((path, formula))
        return InstancePlan(name=name, template="metric", variety="report", fields=tuple(fields))

    asked: list[str] = []

    class Counted(dict[str, Value]):
        def get(self, name: str, default: object = None, /) -> Value | None:  # type: ignore[override]
            asked.append(name)
            return super().get(name)

    bag = Counted({"source.user": "ann", "request.headers": {"a": "b"}, "request.size": 3})
    known: Known = {}
    plans = [metric("one", "1"), metric("two", "request.size"), metric("three", "request.size")]
    made = [build(each, bag, known=known) for each in plans]
    assert sorted(asked) == ["request.headers", "request.size", "source.user"]
    assert [each.instance for each in made] == [build(each, bag).instance for each in plans]
    failed = build(metric("four", "response.size"), bag, known=known)
    assert (failed.instance, failed.failure) == (None, build(metric("four", "response.size"), bag).failure)
