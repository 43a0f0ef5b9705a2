"""Who may get a request."""

from envoy.config.cluster.v3.cluster_pb2 import Cluster

from proa.core.model.settings import Resolving
from proa.core.pilot.resource import Resource, ResourceType
from proa.core.pilot.simulate import Plain
from proa.core.pilot.simulate.clusters import candidates_of, internal_listener_of
from proa.core.pilot.simulate.resources import Decoder, decode
from proa.core.pilot.translate.clusters import (
    ClusterIntent,
    build_black_hole,
    build_cluster,
    build_passthrough,
)
from proa.core.pilot.translate.endpoints import EndpointsIntent, build_endpoints
from proa.testing.builders import endpoint

EDS = build_cluster(
    ClusterIntent(name="c", protocol="HTTP", resolution="EDS", mesh_sni="s", accounts=("spiffe://t/a",))
)


def decoder(*members: Resource) -> Decoder:
    return Decoder(
        lambda kind, name: next((each for each in members if (each.type, each.name) == (kind, name)), None)
    )


def test_the_healthy_ones_by_their_own_tls_fact() -> None:
    members = (
        endpoint("10.0.0.1", 80, locality="eu/a"),
        endpoint("10.0.0.2", 80, tls="disabled"),
        endpoint("10.0.0.3", 80, health="DRAINING"),
    )
    endpoints = build_endpoints(EndpointsIntent(cluster="c", endpoints=members))
    found = candidates_of(decoder(endpoints), decode(EDS, Cluster), "a")
    assert {each.address: type(each.transport).__name__ for each in found} == {
        "10.0.0.1": "Mutual",
        "10.0.0.2": "Plain",
    }
    assert {each.locality for each in found} == {"eu/a", ""}


def test_no_endpoints_yet() -> None:
    assert candidates_of(decoder(), decode(EDS, Cluster), "a") == ()
    assert candidates_of(decoder(), decode(build_black_hole(), Cluster), "a") == ()


def test_a_forward_proxy_goes_where_the_name_says() -> None:
    passthrough = decode(build_passthrough(Resolving()), Cluster)
    for authority, port in (("a.example.com", 80), ("a.example.com:8443", 8443)):
        (found,) = candidates_of(decoder(), passthrough, authority)
        assert (found.address, found.port, found.transport) == ("a.example.com", port, Plain())
    assert internal_listener_of(passthrough) == ""
    assert EDS.type is ResourceType.CLUSTER
