import pytest

from proa.core.config.mixer.annotations import (
    Bounds,
    bounds_of,
    failure_policy_of,
    handler_annotation_faults,
    is_dry_run,
    is_per_instance,
    rule_annotation_faults,
)


def test_nothing_said_is_the_default() -> None:
    assert failure_policy_of({"other": "a"}) is None
    assert bounds_of({}) == Bounds(deadline_ms=500, concurrency=100)


def test_what_is_said() -> None:
    assert failure_policy_of({"proa.dev/failure-policy": "open"}) == "open"
    said = {"proa.dev/deadline": "1.5s", "proa.dev/concurrency": "3"}
    assert bounds_of(said) == Bounds(deadline_ms=1500, concurrency=3)
    assert list(handler_annotation_faults(said)) == []
    assert (
        list(rule_annotation_faults({"proa.dev/failure-policy": "closed", "proa.dev/dry-run": "true"})) == []
    )
    assert [is_dry_run({"proa.dev/dry-run": each}) for each in ("true", "false")] == [True, False]
    assert [is_per_instance({"proa.dev/limit": each}) for each in ("per-instance", "shared")] == [True, False]
    (found,) = rule_annotation_faults({"proa.dev/dry-run": "1"})
    assert found.code == "bad-value"


@pytest.mark.parametrize(
    ("name", "value", "code"),
    [
        ("deadline", "0s", "out-of-range"),
        ("deadline", "61s", "out-of-range"),
        ("deadline", "soon", "bad-value"),
        ("concurrency", "0", "out-of-range"),
        ("concurrency", "10001", "out-of-range"),
        ("concurrency", "-1", "bad-value"),
        ("concurrency", "9" * 5000, "bad-value"),
        ("dry-run", "yes", "bad-value"),
        ("limit", "each", "bad-value"),
    ],
)
def test_what_makes_no_sense(name: str, value: str, code: str) -> None:
    (found,) = handler_annotation_faults({f"proa.dev/{name}": value})
    assert (found.path, found.code) == (("metadata", "annotations", f"proa.dev/{name}"), code)


def test_a_policy_is_open_or_closed() -> None:
    (found,) = rule_annotation_faults({"proa.dev/failure-policy": "ajar"})
    assert found.message == '"ajar" is no policy; write open or closed'
