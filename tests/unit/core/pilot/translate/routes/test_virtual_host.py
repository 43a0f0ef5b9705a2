"""Virtual hosts are built one by one and joined by their bytes."""

from envoy.config.route.v3.route_pb2 import RouteConfiguration
from hypothesis import given
from hypothesis import strategies as st

from proa.core.model.names import ObjectRef
from proa.core.model.settings import Retry
from proa.core.pilot.simulate.resources import decode
from proa.core.pilot.translate.routes.intents import (
    Connect,
    ConnectStream,
    DirectResponse,
    RouteIntent,
    Stream,
    Target,
    VirtualHostIntent,
)
from proa.core.pilot.translate.routes.virtual_host import build_route_configuration, build_virtual_host

REF = ObjectRef("VirtualService", "default", "a")


def intent(name: str, connect: Connect | None = None) -> VirtualHostIntent:
    route = RouteIntent(targets=(Target(cluster=f"to-{name}"),))
    return VirtualHostIntent(name=name, domains=(name,), routes=(route,), connect=connect, objects=(REF,))


@given(st.permutations(["a", "b", "c"]))
def test_a_configuration_is_its_hosts_in_the_order_of_their_names(names: list[str]) -> None:
    parts = [build_virtual_host(intent(name)) for name in names]
    resource = build_route_configuration("80", parts)
    routes = decode(resource, RouteConfiguration)
    assert [host.name for host in routes.virtual_hosts] == ["a", "b", "c"]
    assert (routes.name, resource.objects) == ("80", (REF,))
    assert resource == build_route_configuration("80", reversed(parts))


def test_what_the_mesh_says_to_itself_is_taken_from_every_answer() -> None:
    routes = decode(build_route_configuration("80", []), RouteConfiguration)
    assert list(routes.response_headers_to_remove) == ["x-proa-app-refused"]


def connect_route(connect: Connect) -> RouteConfiguration:
    return decode(
        build_route_configuration("x", [build_virtual_host(intent("a", connect))]), RouteConfiguration
    )


def test_connect_comes_first_and_is_tunnelled_guarded_or_refused() -> None:
    streams = (ConnectStream(stream=Stream(targets=(Target(cluster="c"),))),)
    connect = Connect(port=80, tunnel="connect_80", streams=streams)
    tunnel = connect_route(connect).virtual_hosts[0].routes[0]
    assert tunnel.match.HasField("connect_matcher")
    assert tunnel.route.cluster == "connect_80"
    assert "envoy.filters.http.set_filter_state" in tunnel.typed_per_filter_config
    guarded = connect_route(Connect(guarded="out")).virtual_hosts[0].routes[0]
    assert "proa.egress_guard" in guarded.typed_per_filter_config
    assert connect_route(Connect(refusal=502)).virtual_hosts[0].routes[0].direct_response.status == 502


def test_routes_of_one_retry_have_policies_of_their_own() -> None:
    host = VirtualHostIntent(
        name="a",
        domains=("a",),
        routes=tuple(
            RouteIntent(targets=(Target(cluster=name),), retry=Retry(attempts=attempts))
            for name, attempts in (("one", 3), ("two", 3), ("three", 1))
        ),
    )
    built = decode(build_route_configuration("80", [build_virtual_host(host)]), RouteConfiguration)
    policies = [route.route.retry_policy for route in built.virtual_hosts[0].routes]
    assert [each.num_retries.value for each in policies] == [3, 3, 1]
    assert policies[0] == policies[1]


def test_a_long_answer_is_allowed_for_as_far_as_the_language_goes() -> None:
    """Without a word an Envoy refuses all routes beside a direct response of more than 4096 bytes."""

    def most(name: str, length: int) -> VirtualHostIntent:
        answer = RouteIntent(direct_response=DirectResponse(status=200, body="x" * length))
        return VirtualHostIntent(name=name, domains=(name,), routes=(answer,), objects=(REF,))

    short = decode(build_route_configuration("80", [build_virtual_host(most("a", 4096))]), RouteConfiguration)
    assert not short.HasField("max_direct_response_body_size_bytes")
    parts = [build_virtual_host(each) for each in (most("a", 4097), intent("b"), most("c", 9000))]
    long = decode(build_route_configuration("80", parts), RouteConfiguration)
    assert long.max_direct_response_body_size_bytes.value == 1024 * 1024
    assert [host.name for host in long.virtual_hosts] == ["a", "b", "c"]
