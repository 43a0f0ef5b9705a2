"""Listeners, their chains and filters: what is matched, and where things go."""

import pytest
from envoy.config.listener.v3.listener_pb2 import Listener
from envoy.extensions.filters.network.http_connection_manager.v3.http_connection_manager_pb2 import (
    HttpConnectionManager,
)

from proa.core.config import Json
from proa.core.pilot.translate.patches.listeners import listener_port, patch_listener
from proa.core.pilot.translate.patches.patching import Target
from tests.unit.core.pilot.translate.patches.patching_parts import (
    HTTP,
    ROUTER,
    http_filter,
    listener,
    manager,
    patch,
    patching,
)


def http_filters(found: Listener | None, chain: int = 0) -> list[str]:
    assert found is not None
    body = found.filter_chains[chain].filters[-1].typed_config.value
    return [each.name for each in HttpConnectionManager.FromString(body).http_filters]


def chain(name: str = "", *filters: Json, **fields: Json) -> Json:
    return {"name": name, "filters": list(filters), **fields}


def simple(name: str = "inbound_80", *filters: Json) -> Listener:
    return listener(name, chain("c", manager(*filters, http_filter(ROUTER))))


def before_router(context: str, **match: Json) -> Json:
    inner: Json = {"filter": {"name": HTTP, "subFilter": {"name": ROUTER}}}
    return patch(
        "HTTP_FILTER",
        "INSERT_BEFORE",
        {"name": "new"},
        context=context,
        listener={"filterChain": inner, **match},
    )


def test_a_filter_before_the_router() -> None:
    assert http_filters(patch_listener(simple(), patching(before_router("ANY")))) == ["new", ROUTER]


def test_what_is_added_goes_before_the_router() -> None:
    work = patching(patch("HTTP_FILTER", "ADD", {"name": "new"}))
    assert http_filters(patch_listener(simple("inbound_80", http_filter("a")), work)) == ["a", "new", ROUTER]


@pytest.mark.parametrize(
    ("name", "match", "is_it"),
    [
        ("inbound_80", {"name": "virtualInbound"}, True),
        ("inbound_80", {"name": "virtualInbound", "portNumber": 80}, True),
        ("inbound_80", {"name": "virtualInbound", "portNumber": 81}, False),
        ("inbound_80", {"name": "inbound_80"}, True),
        ("inbound_80", {"name": "virtualOutbound"}, False),
        ("virtualOutbound", {"name": "virtualOutbound"}, True),
        ("virtualOutbound", {"name": "virtualInbound"}, False),
        ("virtualOutbound", {"portNumber": 80}, False),
        ("0.0.0.0_80", {"portNumber": 80}, True),
        ("0.0.0.0_80", {"name": "0.0.0.0_80"}, True),
        ("0.0.0.0_80", {"portNumber": 8080}, False),
    ],
)
def test_listeners_by_name_and_port(name: str, match: Json, is_it: bool) -> None:
    work = patching(patch("LISTENER", "MERGE", {"stat_prefix": "x"}, listener=match))
    found = patch_listener(simple(name), work)
    assert found is not None
    assert (found.stat_prefix == "x") is is_it
    assert bool(work.seen) is is_it


def test_the_direction_is_the_context() -> None:
    assert http_filters(patch_listener(simple(), patching(before_router("SIDECAR_OUTBOUND")))) == [ROUTER]
    outbound = simple("0.0.0.0_80")
    assert http_filters(patch_listener(outbound, patching(before_router("SIDECAR_OUTBOUND")))) == [
        "new",
        ROUTER,
    ]
    work = patching(before_router("GATEWAY"), target=Target(is_gateway=True))
    assert http_filters(patch_listener(simple("0.0.0.0_80"), work)) == ["new", ROUTER]


CHAIN: dict[str, Json] = {
    "filter_chain_match": {
        "server_names": ["a.example.com"],
        "transport_protocol": "tls",
        "application_protocols": ["istio", "h2"],
    },
    "transport_socket": {"name": "socket"},
}


@pytest.mark.parametrize(
    ("match", "is_it"),
    [
        ({"name": "c"}, True),
        ({"name": "d"}, False),
        ({"sni": "a.example.com"}, True),
        ({"sni": "b.example.com"}, False),
        ({"transportProtocol": "tls"}, True),
        ({"transportProtocol": "raw_buffer"}, False),
        ({"applicationProtocols": "h2"}, True),
        ({"applicationProtocols": "h2, istio"}, True),
        ({"applicationProtocols": "h2,http/1.1"}, False),
        ({"destinationPort": 80}, True),
        ({"destinationPort": 81}, False),
        ({"transportSocket": "socket"}, True),
        ({"transportSocket": "other"}, False),
    ],
)
def test_chains(match: Json, is_it: bool) -> None:
    work = patching(patch("FILTER_CHAIN", "MERGE", {"metadata": {}}, listener={"filterChain": match}))
    found = patch_listener(listener("inbound_80", chain("c", manager(), **CHAIN)), work)
    assert found is not None
    assert found.filter_chains[0].HasField("metadata") is is_it


def test_chains_are_removed_and_added() -> None:
    work = patching(
        patch("FILTER_CHAIN", "REMOVE", listener={"filterChain": {"name": "b"}}),
        patch("FILTER_CHAIN", "ADD", {"name": "new"}),
    )
    found = patch_listener(listener("inbound_80", *(chain(each, manager()) for each in "abc")), work)
    assert found is not None
    assert [each.name for each in found.filter_chains] == ["a", "c", "new"]
    assert work.seen == {0, 1}


def test_the_default_chain_is_a_chain() -> None:
    given = listener("0.0.0.0_80", default_filter_chain=chain("stream", {"name": "a"}))
    work = patching(patch("NETWORK_FILTER", "ADD", {"name": "new"}))
    found = patch_listener(given, work)
    assert found is not None
    assert [each.name for each in found.default_filter_chain.filters] == ["new", "a"]
    gone = patch_listener(
        given, patching(patch("FILTER_CHAIN", "REMOVE", listener={"filterChain": {"name": "stream"}}))
    )
    assert gone is not None
    assert not gone.HasField("default_filter_chain")


def test_network_filters_are_merged_into() -> None:
    value = manager(server_name="patched")
    inner: Json = {"filterChain": {"filter": {"name": "envoy.http_connection_manager"}}}
    found = patch_listener(simple(), patching(patch("NETWORK_FILTER", "MERGE", value, listener=inner)))
    assert found is not None
    body = HttpConnectionManager.FromString(found.filter_chains[0].filters[0].typed_config.value)
    assert body.server_name == "patched"
    assert [each.name for each in body.http_filters] == [ROUTER]


def test_settings_that_come_by_discovery_are_not_merged_into() -> None:
    discovered: Json = {"name": "far", "config_discovery": {"type_urls": ["x"]}}
    inner: Json = {"filterChain": {"filter": {"name": HTTP, "subFilter": {"name": "far"}}}}
    work = patching(patch("HTTP_FILTER", "MERGE", http_filter("far"), listener=inner))
    patch_listener(simple("inbound_80", discovered), work)
    assert not work.seen


def test_listener_filters() -> None:
    given = listener("inbound_80", chain("c", manager()), listener_filters=[{"name": "a"}, {"name": "b"}])
    work = patching(
        patch("LISTENER_FILTER", "REMOVE", listener={"listenerFilter": "a"}),
        patch("LISTENER_FILTER", "INSERT_BEFORE", {"name": "new"}, listener={"listenerFilter": "b"}),
    )
    found = patch_listener(given, work)
    assert found is not None
    assert [each.name for each in found.listener_filters] == ["new", "b"]


def test_a_listener_is_removed() -> None:
    work = patching(patch("LISTENER", "REMOVE", listener={"portNumber": 80}))
    assert patch_listener(simple(), work) is None
    assert work.seen == {0}


def test_routes_inside_a_listener() -> None:
    routes: Json = {
        "name": "inbound|80||",
        "virtual_hosts": [
            {
                "name": "inbound|http|80",
                "domains": ["*"],
                "routes": [{"name": "default", "match": {"prefix": "/"}}],
            }
        ],
    }
    work = patching(
        patch(
            "HTTP_ROUTE",
            "MERGE",
            {"route": {"timeout": "7s"}},
            context="SIDECAR_INBOUND",
            routeConfiguration={"portNumber": 80},
        )
    )
    found = patch_listener(listener("inbound_80", chain("c", manager(route_config=routes))), work)
    assert found is not None
    body = HttpConnectionManager.FromString(found.filter_chains[0].filters[0].typed_config.value)
    assert body.route_config.virtual_hosts[0].routes[0].route.timeout.seconds == 7


def test_ports_of_names() -> None:
    assert listener_port("inbound_80") == 80
    assert listener_port("127.0.0.1_6379") == 6379
    assert listener_port("virtualOutbound") == 0
    assert listener_port("a_²") == 0
