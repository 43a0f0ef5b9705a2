"""What a route is told by itself; the words are golden cases."""

import pytest

from proa.core.config import load_all
from proa.core.config.gateway_api.check.routes import check_route, check_stream_route
from proa.core.config.gateway_api.schema import HttpRoute, ParentRef, TlsRoute
from proa.core.config.kinds import KINDS
from proa.core.config.meta import Meta
from tests.unit.core.config.gateway_api.objects import route

META = Meta(name="a", namespace="default")


def test_what_is_fine_has_no_findings() -> None:
    spec = HttpRoute(parent_refs=(ParentRef(name="web"),))
    assert list(check_route("HTTPRoute", spec, META, KINDS)) == []


def test_a_stream_has_one_rule() -> None:
    spec = TlsRoute(parent_refs=(ParentRef(name="web"),), rules=())
    assert [each.path for each in check_stream_route(spec, META)] == [("spec", "rules")]


@pytest.mark.parametrize("host", ["a.b[c]", "10.0.0.1", "a:80", "a/b", "u@a", "a*.b", "[::1"])
def test_what_is_no_hostname_is_told_and_not_raised(host: str) -> None:
    spec = HttpRoute(parent_refs=(ParentRef(name="web"),), hostnames=(host,))
    assert ("spec", "hostnames", 0) in [each.path for each in check_route("HTTPRoute", spec, META, KINDS)]


@pytest.mark.parametrize(
    ("rule", "path", "code"),
    [
        (
            "{matches: [{path: {type: RegularExpression, value: '('}}]}",
            "spec.rules[0].matches[0].path.value",
            "bad-regex",
        ),
        ("{filters: [{type: Nothing}]}", "spec.rules[0].filters[0].type", "bad-value"),
        ("{backendRefs: [{name: a}]}", "spec.rules[0].backendRefs[0].port", "required"),
        (
            "{filters: [{type: ResponseHeaderModifier, responseHeaderModifier: {set: [{name: 'a b', value: c}]}}]}",
            "spec.rules[0].filters",
            "bad-value",
        ),
    ],
)
def test_mistakes_are_told_at_their_place(rule: str, path: str, code: str) -> None:
    (problem,) = load_all(route("r", rule), "f").errors
    assert (problem.path, problem.code) == (path, code)
