"""Route configurations taken apart, patched piece by piece, and put together."""

from collections.abc import Callable, Sequence

import pytest
from envoy.config.route.v3.route_pb2 import RouteConfiguration
from google.protobuf import json_format
from hypothesis import given
from hypothesis import strategies as st

from proa.core.config import Json
from proa.core.pilot.translate.patches.patching import Target
from proa.core.pilot.translate.patches.routes import (
    Part,
    is_concerned,
    patch_inline_routes,
    patch_routes,
    routes_port,
    split,
)
from tests.unit.core.pilot.translate.patches.patching_parts import patch, patching


def fresh(piece: bytes, make: Callable[[], Part]) -> Part:
    return make()


def route(name: str, **action: Json) -> Json:
    return {"name": name, "match": {"prefix": "/"}, **(action or {"route": {"cluster": "c"}})}


def host(name: str, *routes: Json, domains: Sequence[str] = ()) -> Json:
    return {
        "name": name,
        "domains": list(domains or (name.partition(":")[0], name)),
        "routes": list(routes),
    }


def configuration(name: str, *hosts: Json, **fields: Json) -> RouteConfiguration:
    return json_format.ParseDict({"name": name, "virtual_hosts": list(hosts), **fields}, RouteConfiguration())


TUNNEL: Json = {"name": "connect", "match": {"connect_matcher": {}}, "route": {"cluster": "t"}}
EXPLICIT = configuration(
    "http_proxy",
    host("a:80", TUNNEL, route("one"), route("two", redirect={"path_redirect": "/"})),
    host("a:81", route("one")),
    host("b:80", route("one")),
    response_headers_to_remove=["x"],
)


def patched(
    given: RouteConfiguration, *written: Json, target: Target | None = None
) -> tuple[RouteConfiguration, set[int]]:
    """By pieces, and as a configuration inside its listener: both ways are one."""
    work = patching(*written, target=target)
    found = RouteConfiguration.FromString(
        patch_routes(given.name, given.SerializeToString(deterministic=True), work, fresh)
    )
    inline, other = (
        RouteConfiguration.FromString(given.SerializeToString()),
        patching(*written, target=target),
    )
    patch_inline_routes(inline, other, other.context(inbound=False))
    assert inline == found
    assert other.seen == work.seen
    return found, work.seen


def timeouts(found: RouteConfiguration) -> list[str]:
    return [
        f"{each.name} {one.name}"
        for each in found.virtual_hosts
        for one in each.routes
        if one.route.timeout.seconds
    ]


def slow(**match: Json) -> Json:
    return patch("HTTP_ROUTE", "MERGE", {"route": {"timeout": "7s"}}, routeConfiguration=match)


@pytest.mark.parametrize(
    ("match", "where"),
    [
        ({"vhost": {"name": "a:80", "route": {"name": "one"}}}, ["a:80 one"]),
        ({"vhost": {"domainName": "b", "route": {"action": "ROUTE"}}}, ["b:80 one"]),
        ({"portNumber": 81}, ["a:81 one"]),
        ({"name": "http_proxy", "vhost": {"name": "a:80", "route": {"action": "ROUTE"}}}, ["a:80 one"]),
        ({"vhost": {"name": "a:80", "route": {"name": "connect"}}}, ["a:80 connect"]),
        ({"name": "80"}, []),
        ({"portNumber": 82}, []),
        ({"vhost": {"name": "a:80", "route": {"action": "DIRECT_RESPONSE"}}}, []),
        ({"gateway": "default/g"}, []),
    ],
)
def test_routes_are_found(match: dict[str, Json], where: list[str]) -> None:
    found, seen = patched(EXPLICIT, slow(**match))
    assert timeouts(found) == where
    assert bool(seen) is bool(where)


def test_a_port_is_that_of_the_configuration() -> None:
    given = configuration("80", host("a:80", route("one")))
    assert timeouts(patched(given, slow(portNumber=80))[0]) == ["a:80 one"]
    assert timeouts(patched(given, slow(portNumber=81))[0]) == []


def test_gateways() -> None:
    given = configuration("http.80", host("a:80", route("one")))
    target = Target(is_gateway=True, gateways=("default/g",))
    assert timeouts(patched(given, slow(gateway="default/g", portNumber=80), target=target)[0]) == [
        "a:80 one"
    ]
    assert timeouts(patched(given, slow(gateway="default/h"), target=target)[0]) == []
    assert timeouts(patched(given, slow(portName="http"), target=target)[0]) == [], "of several servers"
    of_one = configuration("https.443.web.g.default", host("a:443", route("one")))
    assert timeouts(patched(of_one, slow(portName="web"), target=target)[0])
    assert timeouts(patched(of_one, slow(portName="other"), target=target)[0]) == []


def test_routes_are_put_where_they_are_said_to_be() -> None:
    named: Json = {"vhost": {"name": "a:80", "route": {"name": "two"}}}
    found, _ = patched(
        EXPLICIT,
        patch("HTTP_ROUTE", "INSERT_BEFORE", route("new"), routeConfiguration=named),
        patch("HTTP_ROUTE", "REMOVE", routeConfiguration={"vhost": {"name": "b:80"}}),
    )
    assert [each.name for each in found.virtual_hosts[0].routes] == ["connect", "one", "new", "two"]
    assert not found.virtual_hosts[2].routes


def test_virtual_hosts() -> None:
    found, seen = patched(
        EXPLICIT,
        patch("VIRTUAL_HOST", "REMOVE", routeConfiguration={"vhost": {"name": "a:81"}}),
        patch(
            "VIRTUAL_HOST",
            "MERGE",
            {"include_request_attempt_count": True},
            routeConfiguration={"portNumber": 80},
        ),
        patch("VIRTUAL_HOST", "ADD", host("new"), routeConfiguration={"name": "http_proxy"}),
        patch("VIRTUAL_HOST", "REPLACE", host("other"), routeConfiguration={"vhost": {"name": "b:80"}}),
    )
    assert [each.name for each in found.virtual_hosts] == ["a:80", "other", "new"]
    assert found.virtual_hosts[0].include_request_attempt_count
    assert seen == {0, 1, 2, 3}


def test_a_domain_is_added_once() -> None:
    """An Envoy refuses the whole configuration otherwise."""
    where: Json = {"name": "http_proxy"}
    found, seen = patched(
        EXPLICIT,
        patch(
            "VIRTUAL_HOST",
            "ADD",
            host("new", domains=["n", "N", "B:80", "m"]),
            routeConfiguration=where,
        ),
        patch("VIRTUAL_HOST", "ADD", host("more", domains=["m", "o"]), routeConfiguration=where),
        patch("VIRTUAL_HOST", "ADD", host("none", domains=["a", "O"]), routeConfiguration=where),
    )
    assert [(each.name, list(each.domains)) for each in found.virtual_hosts[3:]] == [
        ("new", ["n", "m"]),
        ("more", ["o"]),
    ]
    assert seen == {0, 1}, "the last has found no place, which its author is told"


def test_the_configuration_itself() -> None:
    value: Json = {"response_headers_to_remove": ["y"]}
    found, _ = patched(
        EXPLICIT, patch("ROUTE_CONFIGURATION", "MERGE", value, routeConfiguration={"name": "http_proxy"})
    )
    assert list(found.response_headers_to_remove) == ["x", "y"]
    assert found.virtual_hosts == EXPLICIT.virtual_hosts
    instead, _ = patched(EXPLICIT, patch("ROUTE_CONFIGURATION", "MERGE_AND_REPLACE_LIST", value))
    assert list(instead.response_headers_to_remove) == ["y"]


def test_what_no_patch_is_for_is_known_by_its_name() -> None:
    assert not is_concerned("80", patching(slow(name="81")))
    assert not is_concerned("80", patching(slow(portNumber=81)))
    assert is_concerned("80", patching(slow(vhost={"name": "x"})))
    assert is_concerned("http_proxy", patching(slow(portNumber=81)))
    assert not is_concerned("80", patching(patch("CLUSTER", "REMOVE")))


def test_a_piece_is_made_once() -> None:
    made: dict[bytes, Part] = {}
    calls: list[bytes] = []

    def recall(piece: bytes, make: Callable[[], Part]) -> Part:
        if piece not in made:
            calls.append(piece)
            made[piece] = make()
        return made[piece]

    value = EXPLICIT.SerializeToString(deterministic=True)
    written = slow(vhost={"name": "a:80", "route": {"name": "one"}})
    first, second = patching(written), patching(written)
    assert patch_routes("http_proxy", value, first, recall) == patch_routes(
        "http_proxy", value, second, recall
    )
    assert len(calls) == len(EXPLICIT.virtual_hosts)
    assert first.seen == second.seen == {0}


@given(st.lists(st.text(max_size=200), max_size=5), st.lists(st.text(max_size=5), max_size=3))
def test_splitting_loses_nothing(names: list[str], removed: list[str]) -> None:
    given = RouteConfiguration(name="n", response_headers_to_remove=removed)
    given.validate_clusters.value = True
    for name in names:
        given.virtual_hosts.add(name=name, domains=[name])
    head, hosts = split(given.SerializeToString(deterministic=True))
    assert len(hosts) == len(names)
    assert not RouteConfiguration.FromString(head).virtual_hosts
    assert RouteConfiguration.FromString(head + b"".join(hosts)) == given


def test_ports_of_names() -> None:
    assert routes_port("9080") == 9080
    assert routes_port("http.80") == 80
    assert routes_port("https.443.name.gateway.default") == 443
    assert routes_port("inbound|80||") == 80
    assert routes_port("http_proxy") == 0
