from immutables import Map

from proa.core.attributes.value_types import Bag, Value
from proa.core.expression.semantics import EvaluationError
from proa.core.expression.tracing import Reference, TracedMap, traced


def test_what_is_asked_is_written_down() -> None:
    def evaluate(bag: Bag) -> Value:
        labels: object = bag.get("labels")
        assert isinstance(labels, TracedMap)
        bag.get("b")
        bag.get("nothing")
        assert labels.get("none", "") == ""
        return str(labels.get("app"))

    found = traced(evaluate, {"labels": {"app": "x", "version": "y"}, "b": 1, "unread": 2})
    assert found.value == "x"
    assert found.error is None
    assert found.references == (
        Reference("b", None, "exact"),
        Reference("labels", None, "present"),
        Reference("labels", "app", "exact"),
        Reference("labels", "none", "absent"),
        Reference("nothing", None, "absent"),
    )
    assert [str(each) for each in found.references][1:3] == ["labels", "labels[app]"]


def test_a_map_that_is_the_result_counts_whole() -> None:
    def evaluate(bag: Bag) -> Value:
        value = bag.get("labels")
        assert value is not None
        return value

    found = traced(evaluate, {"labels": Map({"a": "b"})})
    assert found.value == Map({"a": "b"})
    assert found.references == (Reference("labels", None, "exact"),)


def test_errors_have_references_too() -> None:
    def evaluate(bag: Bag) -> Value:
        bag.get("a")
        raise EvaluationError("bad-value", "no")

    found = traced(evaluate, {})
    assert found.value is None
    assert str(found.error) == "no"
    assert found.references == (Reference("a", None, "absent"),)
