"""Which clusters a patch is for, and what it does to their sockets."""

import pytest
from envoy.config.cluster.v3.cluster_pb2 import Cluster

from proa.core.config import Json
from proa.core.config.kinds.envoy_filter.schema import ClusterMatch
from proa.core.pilot.simulate.resources import decode
from proa.core.pilot.translate.clusters import ClusterIntent, build_cluster
from proa.core.pilot.translate.patches.clusters import matches_cluster, patch_cluster
from proa.core.pilot.translate.patches.patching import Target
from tests.unit.core.pilot.translate.patches.patching_parts import patch, patching

NAME = "outbound|80|v1|a.default.svc.cluster.local"


@pytest.mark.parametrize(
    ("match", "is_it"),
    [
        (ClusterMatch(), True),
        (ClusterMatch(name=NAME), True),
        (ClusterMatch(name=NAME, subset="x"), True),
        (ClusterMatch(name="x"), False),
        (ClusterMatch(port_number=80, subset="v1", service="a.default.svc.cluster.local"), True),
        (ClusterMatch(port_number=81), False),
        (ClusterMatch(subset="v2"), False),
        (ClusterMatch(service="a"), False),
    ],
)
def test_by_the_parts_of_the_name(match: ClusterMatch, is_it: bool) -> None:
    assert matches_cluster(match, NAME, ()) is is_it


def test_an_inbound_cluster_has_the_services_it_is_told_of() -> None:
    match = ClusterMatch(service="a.default.svc.cluster.local")
    assert matches_cluster(match, "inbound|80||", ("a.default.svc.cluster.local",))
    assert not matches_cluster(match, "inbound|80||", ())


def test_the_way_into_an_internal_listener_is_only_patched_by_name() -> None:
    assert not matches_cluster(None, "connect_80", ())
    assert matches_cluster(ClusterMatch(name="connect_80"), "connect_80", ())


def test_other_clusters_have_no_parts() -> None:
    assert matches_cluster(None, "PassthroughCluster", ())
    assert not matches_cluster(ClusterMatch(port_number=80), "PassthroughCluster", ())


def test_contexts_and_removal() -> None:
    def left(context: str, name: str, *, gateway: bool = False) -> bool:
        work = patching(patch("CLUSTER", "REMOVE", context=context), target=Target(is_gateway=gateway))
        found = patch_cluster(Cluster(name=name), work)
        assert work.seen == (set() if found else {0})
        return found is not None

    assert not left("SIDECAR_INBOUND", "inbound|80||")
    assert left("SIDECAR_INBOUND", NAME)
    assert not left("SIDECAR_OUTBOUND", NAME)
    assert not left("GATEWAY", NAME, gateway=True)
    assert left("GATEWAY", NAME)


def tls(name: str) -> Json:
    package = "envoy.extensions.transport_sockets.tls.v3"
    context: Json = {"@type": f"type.googleapis.com/{package}.UpstreamTlsContext", "sni": "patched"}
    return {"transport_socket": {"name": name, "typed_config": context}}


def test_a_transport_socket_goes_into_the_choice_of_them() -> None:
    intent = ClusterIntent(name=NAME, protocol="HTTP", resolution="EDS", mesh_sni="sni-before", accounts=())
    cluster = decode(build_cluster(intent), Cluster)
    name = cluster.transport_socket_matches[0].transport_socket.name
    work = patching(patch("CLUSTER", "MERGE", {**dict_of(tls(name)), "alt_stat_name": "x"}))
    found = patch_cluster(cluster, work)
    assert found is not None
    assert not found.HasField("transport_socket")
    assert found.alt_stat_name == "x"
    first, second = found.transport_socket_matches
    assert b"patched" in first.transport_socket.typed_config.value
    assert b"sni-before" not in first.transport_socket.typed_config.value
    assert second.transport_socket.name != name


def test_a_socket_of_a_name_that_is_not_there_is_not_found() -> None:
    intent = ClusterIntent(name=NAME, protocol="HTTP", resolution="EDS", mesh_sni="sni-before", accounts=())
    cluster = decode(build_cluster(intent), Cluster)
    before = cluster.SerializeToString(deterministic=True)
    work = patching(patch("CLUSTER", "MERGE", tls("another")))
    assert patch_cluster(cluster, work) is cluster
    assert cluster.SerializeToString(deterministic=True) == before
    assert not work.seen


def dict_of(value: Json) -> dict[str, Json]:
    assert isinstance(value, dict)
    return value
