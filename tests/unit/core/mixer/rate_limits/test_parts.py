from hypothesis import given
from hypothesis import strategies as st

from proa.core.attributes.vocabulary import STANDARD
from proa.core.mixer.rate_limits.parts import Parts, parts_for


def test_each_fact_is_told_once_and_in_order() -> None:
    readings = [("request.headers", "X-B"), ("request.headers", "x-b"), ("request.path", None)]
    assert parts_for(readings) == Parts(told=("h::path", "h:x-b", "i", "m"))


def test_what_is_the_same_for_all_and_what_is_the_moment_needs_no_part() -> None:
    readings = [("destination.labels", "app"), ("context.reporter.kind", None), ("request.time", None)]
    assert parts_for(readings) == Parts(told=("i", "m"))


def test_a_claim_is_told_with_whether_there_is_a_token() -> None:
    assert parts_for([("request.auth.claims", "sub")]).told == ("c:sub", "i", "j", "m")
    assert parts_for([("request.auth.audiences", None)]).told == ("i", "j", "l:aud", "m")


def test_whether_a_certificate_was_shown_is_whose_it_is() -> None:
    assert parts_for([("connection.mtls", None)]).told == ("i", "m", "u")


def test_what_no_proxy_can_tell_is_named() -> None:
    found = parts_for([("request.headers", None), ("response.code", None), ("request.path", None)])
    assert found.told == ("h::path", "i", "m")
    assert [each.attribute for each in found.unknown] == ["request.headers", "response.code"]


@given(st.lists(st.sampled_from(sorted(STANDARD.types))))
def test_all_attributes_have_parts_or_are_named(names: list[str]) -> None:
    found = parts_for([(name, None) for name in names])
    again = parts_for([(name, None) for name in reversed(names)])
    assert found == again
    assert {each.attribute for each in found.unknown} <= set(names)
