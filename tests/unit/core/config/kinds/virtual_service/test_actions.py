import pytest

from proa.core.config import Json
from proa.core.config.kinds.virtual_service.actions import REDIRECT_CODES
from proa.core.config.retries import RETRY_CONDITIONS
from tests.unit.core.config.judged import judge_rule


def to(*weights: int) -> Json:
    return [{"destination": {"host": "a"}, "weight": weight} for weight in weights]


@pytest.mark.parametrize("weights", [(0,), (1, 0), (50, 50), (2**31 - 1, 2**31 - 1)])
def test_good_weights(weights: tuple[int, ...]) -> None:
    assert judge_rule(route=to(*weights)) == []


def test_bad_weights() -> None:
    assert judge_rule(route=to(0, 0)) == ["route conflict"]
    assert judge_rule(route=to(*[2**31 - 1] * 3)) == ["route out-of-range"]
    assert judge_rule(route=to(-1, 2)) == ["route[0].weight out-of-range"]


def test_destinations() -> None:
    assert judge_rule(route=[{"destination": {"host": "*"}}]) == ["route[0].destination.host bad-value"]
    assert judge_rule(route=[{"destination": {"host": "a b", "subset": "v_1"}}]) == [
        "route[0].destination.host bad-value",
        "route[0].destination.subset bad-value",
    ]


def test_exactly_one_answer() -> None:
    redirect: Json = {"uri": "/x"}
    response: Json = {"status": 200}
    assert judge_rule(redirect=redirect) == judge_rule(directResponse=response) == []
    assert judge_rule(route=[]) == ["spec.http[0] required"]
    assert judge_rule(route=to(1), redirect=redirect) == ["spec.http[0] conflict"]
    assert judge_rule(directResponse=response, redirect=redirect) == ["spec.http[0] conflict"]


@pytest.mark.parametrize("answer", [{"redirect": {"uri": "/x"}}, {"directResponse": {"status": 200}}])
def test_answers_exclude_rewrite_and_fault(answer: dict[str, Json]) -> None:
    assert judge_rule(**answer, rewrite={"uri": "/y"}) == ["rewrite conflict"]
    assert judge_rule(**answer, fault={"abort": {"httpStatus": 500}}) == ["fault conflict"]


def test_redirects_and_rewrites_say_something() -> None:
    assert judge_rule(redirect={}) == ["redirect required"]
    assert judge_rule(rewrite={}) == ["rewrite required"]
    assert judge_rule(rewrite={"authority": "a\r\nb"}) == ["rewrite.authority bad-value"]
    for code in REDIRECT_CODES:
        assert judge_rule(redirect={"uri": "/", "redirectCode": code}) == []
    assert judge_rule(redirect={"uri": "/", "redirectCode": 300}) == ["redirect.redirectCode bad-value"]


@pytest.mark.parametrize(
    ("size", "told"),
    [
        (0, []),
        (200_000, ["directResponse.body no-effect"]),
        (2**20 + 1, ["directResponse.body out-of-range"]),
    ],
)
def test_bodies_are_bounded(size: int, told: list[str]) -> None:
    assert judge_rule(directResponse={"status": 200, "body": {"string": "x" * size}}) == told


def test_retries() -> None:
    assert judge_rule(retries={"attempts": 0}) == []
    assert judge_rule(retries={"attempts": 1, "retryOn": ",".join([*RETRY_CONDITIONS, "503"])}) == []
    assert judge_rule(retries={"perTryTimeout": "1s"}) == ["retries.attempts conflict"]
    for token in ("never", "5xx,", " 5xx", "99", "600"):
        assert judge_rule(retries={"attempts": 1, "retryOn": token}) == ["retries.retryOn bad-value"]


def test_faults() -> None:
    assert judge_rule(fault={"delay": {"percent": 100, "fixedDelay": "7s"}}) == []
    assert judge_rule(fault={}) == ["fault required"]
    both: Json = {"httpStatus": 500, "percent": 1, "percentage": {"value": 2}}
    assert judge_rule(fault={"abort": both}) == ["fault.abort.percent no-effect"]
