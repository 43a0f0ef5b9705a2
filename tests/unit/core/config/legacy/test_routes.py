"""A rule's parts; whole rules are golden cases of tests/golden/legacy."""

from immutables import Map

from proa.core.config.legacy.draft import Draft
from proa.core.config.legacy.routes import destination, http_rule, labels_of, put_match
from proa.core.config.legacy.schema import (
    DestinationWeight,
    IstioService,
    MatchCondition,
    MatchRequest,
    RouteRule,
    StringMatch,
)
from proa.core.model.names import ObjectRef

REF = ObjectRef("RouteRule", "default", "r")


def test_a_bare_rule_sends_everything_to_its_destination() -> None:
    assert http_rule(REF, RouteRule(destination=IstioService(name="c"))).value == {
        "route": [{"destination": {"host": "c"}, "weight": 100}]
    }


def test_labels_beside_the_destination_win() -> None:
    inner = IstioService(name="d", labels=Map({"v": "a"}))
    assert dict(labels_of(DestinationWeight(destination=inner))) == {"v": "a"}
    assert dict(labels_of(DestinationWeight(destination=inner, labels=Map({"v": "b"})))) == {"v": "b"}
    assert dict(labels_of(DestinationWeight())) == {}


def test_a_destination_with_labels_is_a_subset() -> None:
    assert destination(IstioService(name="d"), {"v": "a"}, "default") == {"host": "d", "subset": "v-a"}
    assert destination(IstioService(name="d"), {}, "default") == {"host": "d"}


def test_conditions_know_their_places() -> None:
    draft = Draft(REF)
    headers = Map({"uri": StringMatch(prefix="/a"), "x": StringMatch(exact="y")})
    put_match(draft, MatchCondition(request=MatchRequest(headers=headers)), "default", ("spec", "match"))
    assert draft.value == {"match": [{"uri": {"prefix": "/a"}, "headers": {"x": {"exact": "y"}}}]}
    places = {place.path: place.old for place in draft.places}
    assert places["match", 0, "headers", "x"] == ("spec", "match", "request", "headers", "x")
    assert places["match", 0, "uri"] == ("spec", "match", "request", "headers", "uri")


def test_no_condition_is_no_match() -> None:
    draft = Draft(REF)
    put_match(draft, MatchCondition(), "default", ("spec", "match"))
    assert draft.value == {}
