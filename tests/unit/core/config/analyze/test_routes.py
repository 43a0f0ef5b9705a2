import pytest

from proa.core.config import Json
from proa.core.config.analyze.routes import check_routes
from tests.unit.core.config.analyze.finding import an_object, find, routes, to


def rule(*matches: Json) -> dict[str, Json]:
    return {"match": [*matches], **to("a")}


@pytest.mark.parametrize(
    ("earlier", "later"),
    [
        ({"uri": {"prefix": "/a"}}, {"uri": {"prefix": "/a"}}),
        ({"uri": {"prefix": "/a"}}, {"uri": {"exact": "/a/b"}}),
        ({"uri": {"prefix": "/a"}}, {"uri": {"prefix": "/ab"}}),
        ({"uri": {"exact": "/a"}}, {"uri": {"exact": "/a"}}),
        ({"uri": {"regex": "/a.*"}}, {"uri": {"regex": "/a.*"}}),
        ({"uri": {"prefix": "/A"}, "ignoreUriCase": True}, {"uri": {"exact": "/ab"}, "ignoreUriCase": True}),
        ({"headers": {"x": {"exact": "1"}}}, {"headers": {"x": {"exact": "1"}}, "uri": {"prefix": "/a"}}),
        ({"headers": {"x": {"exact": "1"}}}, {"headers": {"x": {"exact": "1"}}, "uri": {"regex": "/a"}}),
        ({"name": "a", "uri": {"prefix": "/a"}}, {"name": "b", "uri": {"prefix": "/a"}}),
    ],
)
def test_what_an_earlier_rule_takes(earlier: Json, later: Json) -> None:
    assert find(check_routes, [routes("a", ["x"], rule(earlier), rule(later))]) == [
        "rule-unreachable a spec.http[1]"
    ]


@pytest.mark.parametrize(
    ("earlier", "later"),
    [
        ({"uri": {"prefix": "/ab"}}, {"uri": {"prefix": "/a"}}),
        ({"uri": {"exact": "/a"}}, {"uri": {"exact": "/b"}}),
        ({"uri": {"exact": "/a"}}, {"uri": {"prefix": "/a"}}),
        ({"uri": {"prefix": "/A"}, "ignoreUriCase": True}, {"uri": {"exact": "/ab"}}),
        ({"uri": {"prefix": "/a"}, "method": {"exact": "GET"}}, {"uri": {"prefix": "/a"}}),
        ({"uri": {"prefix": "/a"}, "sourceLabels": {"a": "b"}}, {"uri": {"prefix": "/a"}}),
        ({"uri": {"prefix": "/a"}}, {"method": {"exact": "GET"}}),
    ],
)
def test_what_it_leaves(earlier: Json, later: Json) -> None:
    assert find(check_routes, [routes("a", ["x"], rule(earlier), rule(later))]) == []


def test_one_match_of_several() -> None:
    a: Json = {"uri": {"prefix": "/a"}}
    b: Json = {"uri": {"prefix": "/b"}}
    found = find(check_routes, [routes("a", ["x"], rule(a), rule(b, a))])
    assert found == ["match-ineffective a spec.http[1].match[1]"]


def test_streams() -> None:
    tcp: list[Json] = [
        {"match": [{"port": 1}], **to("a")},
        {"match": [{"port": 1}], **to("b")},
        to("c"),
        {"match": [{"port": 2}], **to("d")},
    ]
    found = find(check_routes, [an_object("vs", "a", {"hosts": ["x"], "tcp": [*tcp]})])
    assert found == ["rule-unreachable a spec.tcp[1]", "rule-unreachable a spec.tcp[3]"]


def weighted(*weights: int) -> dict[str, Json]:
    return {
        "route": [
            {"destination": {"host": f"h{index}"}, "weight": each} for index, each in enumerate(weights)
        ]
    }


def test_weights() -> None:
    rules: list[Json] = [
        {"match": [{"uri": {"exact": f"/{index}"}}], **each}
        for index, each in enumerate([weighted(50, 50), weighted(1, 1), weighted(7)])
    ]
    assert find(check_routes, [routes("a", ["x"], *rules)]) == ["weights-odd a spec.http[1].route"]
