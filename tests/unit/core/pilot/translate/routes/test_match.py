"""Tests of requests in Envoy's spelling; what they mean is tested through the rules."""

from proa.core.pilot.translate.routes.intents import FieldMatch, RequestMatch, TextMatch
from proa.core.pilot.translate.routes.match import build_match


def test_any_path() -> None:
    assert build_match(RequestMatch()).prefix == "/"
    assert build_match(RequestMatch(path=TextMatch(kind="present"))).prefix == "/"


def test_an_inverted_header_is_true_of_requests_without_it() -> None:
    field = FieldMatch(name="x", text=TextMatch(kind="exact", value="a"), invert=True)
    (matcher,) = build_match(RequestMatch(headers=(field,))).headers
    assert matcher.invert_match
    assert matcher.treat_missing_header_as_empty


def test_presence_is_asked_for_as_presence() -> None:
    field = FieldMatch(name="x", text=TextMatch(kind="present"))
    match = build_match(RequestMatch(headers=(field,), query=(field,)))
    assert match.headers[0].present_match
    assert match.query_parameters[0].present_match


def test_case_is_ignored_only_when_said() -> None:
    assert not build_match(RequestMatch()).HasField("case_sensitive")
    assert not build_match(RequestMatch(ignore_case=True)).case_sensitive.value
