"""Which cluster a route chooses, and what it does on the way; the rest is tested through the rules."""

import pytest
from envoy.config.route.v3.route_components_pb2 import (
    RedirectAction,
    Route,
    RouteAction,
    RouteMatch,
    VirtualHost,
    WeightedCluster,
)
from envoy.config.route.v3.route_pb2 import RouteConfiguration
from google.protobuf.wrappers_pb2 import UInt32Value

from proa.core.pilot.simulate import Request
from proa.core.pilot.simulate.routing import find_route


def configuration(*routes: Route) -> RouteConfiguration:
    return RouteConfiguration(name="r", virtual_hosts=[VirtualHost(name="h", domains=["*"], routes=routes)])


@pytest.mark.parametrize(("roll", "cluster"), [(0.0, "a"), (0.24, "a"), (0.25, "b"), (0.999, "b")])
def test_weights_share_the_rolls(roll: float, cluster: str) -> None:
    weights = WeightedCluster(
        clusters=[
            WeightedCluster.ClusterWeight(name=name, weight=UInt32Value(value=weight))
            for name, weight in (("a", 1), ("none", 0), ("b", 3))
        ]
    )
    route = Route(match=RouteMatch(prefix="/"), route=RouteAction(weighted_clusters=weights))
    assert find_route(configuration(route), Request(authority="x", roll=roll)).cluster == cluster


def test_the_first_route_that_matches() -> None:
    routes = [Route(match=RouteMatch(prefix="/"), route=RouteAction(cluster=name)) for name in "ab"]
    assert find_route(configuration(*routes), Request(authority="x")).cluster == "a"


def test_envoys_own_timeout_holds_when_none_is_said() -> None:
    route = Route(match=RouteMatch(prefix="/"), route=RouteAction(cluster="a"))
    taken = find_route(configuration(route), Request(authority="x")).taken
    assert taken is not None
    assert taken.timeout_ms == 15_000


def test_nothing_matches() -> None:
    routed = find_route(RouteConfiguration(name="r"), Request(authority="x"))
    assert routed.answer is not None
    assert routed.answer.status == 404
    assert "has the domain x" in routed.why


def test_a_redirect_to_another_scheme_drops_its_port_and_keeps_the_query() -> None:
    route = Route(
        match=RouteMatch(prefix="/"), redirect=RedirectAction(scheme_redirect="https", path_redirect="/n")
    )
    routed = find_route(configuration(route), Request(authority="x:80", path="/o?q=1"))
    assert routed.answer is not None
    assert (routed.answer.status, routed.answer.location) == (301, "https://x/n?q=1")


def test_a_client_that_says_it_was_called_by_https_keeps_port_80() -> None:
    route = Route(match=RouteMatch(prefix="/"), redirect=RedirectAction(scheme_redirect="https"))
    said = Request(authority="x:80", headers=(("x-forwarded-proto", "https"),))
    routed = find_route(configuration(route), said)
    assert routed.answer is not None
    assert routed.answer.location == "https://x:80/"
