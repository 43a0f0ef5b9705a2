"""The walk's ends when something is missing, and the order in which filter chains are looked for."""

from envoy.config.listener.v3.listener_components_pb2 import FilterChain, FilterChainMatch, ListenerFilter
from envoy.config.listener.v3.listener_pb2 import Listener

from proa.core.pilot.resource import ResourceType
from proa.core.pilot.simulate import (
    HTTP1,
    OWN_TLS,
    RAW,
    Connect,
    Connection,
    Explicit,
    Refused,
    Request,
    simulate,
)
from proa.core.pilot.simulate.walk import find_chain
from proa.testing.builders import Mesh, simple

REQUEST = Request(authority="reviews:9080")


def test_an_empty_proxy_refuses_and_says_why() -> None:
    for via in (Explicit(), Connect(authority="reviews:9080")):
        outcome = simulate(lambda kind, name: None, REQUEST, via)
        assert outcome.end == Refused()
        assert outcome.why


def test_what_is_missing_is_named() -> None:
    mesh = Mesh(simple("reviews"))
    source = mesh.source("client")
    for kind, name, status, said in (
        (ResourceType.ROUTE, "http_proxy", 404, "routes http_proxy are not there"),
        (
            ResourceType.CLUSTER,
            "outbound|9080||reviews.default.svc.cluster.local",
            503,
            "there is no cluster",
        ),
        (
            ResourceType.ENDPOINT,
            "outbound|9080||reviews.default.svc.cluster.local",
            503,
            "no healthy endpoint",
        ),
    ):

        def lookup(asked: ResourceType, wanted: str, kind: ResourceType = kind, name: str = name) -> object:
            return None if (asked, wanted) == (kind, name) else source.lookup(asked, wanted)

        outcome = simulate(lookup, REQUEST, Explicit())  # type: ignore[arg-type]
        assert outcome.status == status
        assert said in outcome.why[-1]


def test_the_way_is_told_in_words() -> None:
    why = (
        Mesh(simple("reviews"))
        .get("client", "http://reviews:9080/", via=Connect(authority="reviews:9080"))
        .why
    )
    assert [each.split(" ")[0] for each in why] == ["CONNECT", "listener", "route", "cluster"]


def chain(name: str, transport: str, *protocols: str) -> FilterChain:
    match = FilterChainMatch(transport_protocol=transport, application_protocols=protocols)
    return FilterChain(name=name, filter_chain_match=match)


def test_filter_chains_in_envoys_order() -> None:
    inspectors = [
        ListenerFilter(name=f"envoy.filters.listener.{each}") for each in ("tls_inspector", "http_inspector")
    ]
    listener = Listener(
        listener_filters=inspectors,
        filter_chains=[chain("any", ""), chain("tls", "tls"), chain("b", "tls", "b"), chain("a", "tls", "a")],
    )

    def name(connection: Connection, of: Listener = listener) -> str:
        found = find_chain(of, connection)
        return found.name if found is not None else ""

    assert name(Connection(transport="tls", protocols=("a", "b"))) == "a"
    assert name(OWN_TLS) == "tls"
    assert name(RAW) == "any"
    assert name(OWN_TLS, Listener(listener_filters=inspectors, filter_chains=[chain("b", "tls", "b")])) == ""
    # Without an inspector TLS is bytes like any others.
    assert name(OWN_TLS, Listener(filter_chains=[chain("tls", "tls"), chain("any", "")])) == "any"
    assert name(HTTP1, Listener(filter_chains=[chain("http", "", "http/1.1"), chain("any", "")])) == "any"
