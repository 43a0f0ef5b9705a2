import pytest

from proa.core.config import Json
from tests.unit.core.config.judged import judge_rule


def match(conditions: Json) -> list[str]:
    return [place.removeprefix("match[0].") for place in judge_rule(match=[conditions])]


def test_every_condition_at_once() -> None:
    named: Json = {"a-b": {}}
    assert (
        match({"uri": {"exact": ""}, "method": {"regex": "GET|PUT"}, "headers": named, "queryParams": named})
        == []
    )


@pytest.mark.parametrize("place", ["uri", "scheme", "method", "authority"])
def test_one_way_to_match(place: str) -> None:
    assert match({place: {}}) == [f"{place} required"]
    assert match({place: {"exact": "a", "prefix": "b"}}) == [f"{place} conflict"]
    assert match({place: {"prefix": ""}}) == [f"{place}.prefix bad-value"]
    assert match({place: {"regex": "("}}) == [f"{place}.regex bad-regex"]


@pytest.mark.parametrize("place", ["headers", "withoutHeaders"])
def test_names_of_headers(place: str) -> None:
    assert match({place: {":path": {}, "X-Y": {}, "a.b": {}}}) == []
    assert match({place: {"a b": {}}}) == [f'{place}["a b"] bad-value']
    assert match({place: {"@request.auth.claims.iss": {"exact": "x"}}}) == [
        f"{place}[@request.auth.claims.iss] conflict"
    ]
    assert match({place: {"method": {"exact": "GET"}}}) == [f"{place}.method no-effect"]


def test_parameters_have_names() -> None:
    assert match({"queryParams": {"": {}}}) == ['queryParams[""] bad-value']
