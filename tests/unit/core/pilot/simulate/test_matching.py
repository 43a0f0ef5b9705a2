"""Domains, paths and headers by Envoy's rules."""

import pytest
from envoy.config.route.v3.route_components_pb2 import (
    HeaderMatcher,
    QueryParameterMatcher,
    RouteMatch,
    VirtualHost,
)
from envoy.type.matcher.v3.string_pb2 import StringMatcher

from proa.core.pilot.simulate import Request
from proa.core.pilot.simulate.matching import (
    find_virtual_host,
    full_match,
    matches_header,
    matches_route,
    matches_text,
    replace_all,
    without_port,
)

DOMAINS = ("a.example.com", "*.example.com", "*-x.example.com", "*.com", "a.example.com:*", "host:*", "*")
HOSTS = [VirtualHost(name=domain, domains=[domain]) for domain in DOMAINS]


@pytest.mark.parametrize(
    ("authority", "domain"),
    [
        ("a.example.com", "a.example.com"),
        ("A.Example.com", "a.example.com"),
        ("b.example.com", "*.example.com"),
        ("b-x.example.com", "*-x.example.com"),
        ("example.com", "*.com"),
        (".example.com", "*.com"),
        ("a.example.com:80", "a.example.com:*"),
        ("host:1", "host:*"),
        ("host", "*"),
        ("b.example.com:80", "*"),
    ],
)
def test_the_best_domain(authority: str, domain: str) -> None:
    found = find_virtual_host(HOSTS, authority)
    assert found is not None
    assert found.name == domain


def test_a_port_may_be_ignored() -> None:
    found = find_virtual_host(HOSTS, "b.example.com:80", ignore_port=True)
    assert found is not None
    assert found.name == "*.example.com"
    assert find_virtual_host(HOSTS[:1], "c") is None


def test_ports_and_brackets() -> None:
    assert [without_port(each) for each in ("a:80", "a", "[::1]:80", "[::1]")] == ["a", "a", "[::1]", "[::1]"]


def test_only_a_connect_matcher_takes_a_connect() -> None:
    connect = Request(method="CONNECT", authority="a:80", path="")
    assert not matches_route(RouteMatch(prefix=""), connect)
    assert matches_route(RouteMatch(connect_matcher=RouteMatch.ConnectMatcher()), connect)
    assert not matches_route(RouteMatch(connect_matcher=RouteMatch.ConnectMatcher()), Request(authority="a"))


@pytest.mark.parametrize(
    ("matcher", "without", "with_a", "with_b"),
    [
        (HeaderMatcher(name="x", string_match=StringMatcher(exact="a")), False, True, False),
        (
            HeaderMatcher(name="x", string_match=StringMatcher(exact="a"), invert_match=True),
            False,
            False,
            True,
        ),
        (
            HeaderMatcher(
                name="x",
                string_match=StringMatcher(exact="a"),
                invert_match=True,
                treat_missing_header_as_empty=True,
            ),
            True,
            False,
            True,
        ),
        (HeaderMatcher(name="x", present_match=True), False, True, True),
        (HeaderMatcher(name="x", present_match=True, invert_match=True), True, False, False),
        (HeaderMatcher(name="x", present_match=False), True, False, False),
        (HeaderMatcher(name="x"), False, True, True),
    ],
)
def test_headers(matcher: HeaderMatcher, without: bool, with_a: bool, with_b: bool) -> None:
    requests = (Request(authority="h"), *(Request(authority="h", headers=(("x", each),)) for each in "ab"))
    assert [matches_header(matcher, each) for each in requests] == [without, with_a, with_b]


@pytest.mark.parametrize(
    "matcher",
    [
        StringMatcher(exact="ABC", ignore_case=True),
        StringMatcher(prefix="ab"),
        StringMatcher(suffix="bc"),
        StringMatcher(contains="b"),
    ],
)
def test_texts(matcher: StringMatcher) -> None:
    assert matches_text(matcher, "abc")
    assert not matches_text(matcher, "xyz")


def test_a_regex_matches_the_whole_and_replaces_once() -> None:
    assert full_match("a+", "aa")
    assert not full_match("a+", "aab")
    assert replace_all(".*", "/new", "/old") == "/new"
    assert replace_all("o", "0", "foo") == "f00"


def test_each_line_of_a_header_may_match_or_all_of_them_joined() -> None:
    def seen(exact: str, *, invert: bool = False) -> bool:
        matcher = HeaderMatcher(name="x", string_match=StringMatcher(exact=exact), invert_match=invert)
        return matches_header(matcher, Request(authority="a", headers=(("x", "1"), ("X", "2"))))

    assert [seen(each) for each in ("1", "2", "1,2", "2,1")] == [True, True, True, False]
    assert [seen(each, invert=True) for each in ("1", "3")] == [False, True]


@pytest.mark.parametrize(
    ("query", "matched"),
    [
        ("a=1", True),
        ("a=2&a=1", False),
        ("a=%31", False),
        ("A=1", False),
        ("a", False),
        ("x;a=1", False),
        ("b&a=1", True),
    ],
)
def test_the_first_parameter_of_a_name_as_it_is_written(query: str, matched: bool) -> None:
    matcher = QueryParameterMatcher(name="a", string_match=StringMatcher(exact="1"))
    route = RouteMatch(prefix="/", query_parameters=[matcher])
    assert matches_route(route, Request(authority="x", path=f"/?{query}")) == matched


def test_a_parameter_may_be_asked_for_by_presence() -> None:
    route = RouteMatch(prefix="/", query_parameters=[QueryParameterMatcher(name="a", present_match=True)])
    seen = [matches_route(route, Request(authority="x", path=f"/?{query}")) for query in ("a", "a=", "b")]
    assert seen == [True, True, False]
