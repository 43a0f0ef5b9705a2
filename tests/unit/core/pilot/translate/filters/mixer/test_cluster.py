"""Where proxies ask Mixer, and whom they believe to be it."""

from envoy.config.cluster.v3.cluster_pb2 import Cluster
from envoy.config.endpoint.v3.endpoint_pb2 import ClusterLoadAssignment
from envoy.extensions.transport_sockets.tls.v3.tls_pb2 import UpstreamTlsContext
from google.protobuf.any_pb2 import Any as AnyMessage

from proa.core.pilot.resource import ResourceType
from proa.core.pilot.simulate.resources import unpack
from proa.core.pilot.translate.filters.mixer.cluster import (
    MIXER_CLUSTER,
    QUOTA_CLUSTER,
    MixerClusterIntent,
    build_mixer_cluster,
    build_mixer_endpoints,
    mixer_calls,
)


def built(*servers: str) -> Cluster:
    resource = build_mixer_cluster(MixerClusterIntent(servers=servers, trust_domain="td.test"))
    assert resource.name == MIXER_CLUSTER
    return Cluster.FromString(AnyMessage.FromString(resource.body).value)


def test_all_control_planes_in_whatever_order_they_are_told() -> None:
    found = built("10.0.0.2:15012", "mixer.test:1", "[fd00::1]:2")
    assert found.type == Cluster.STRICT_DNS
    (group,) = found.load_assignment.endpoints
    sockets = [each.endpoint.address.socket_address for each in group.lb_endpoints]
    assert [(each.address, each.port_value) for each in sockets] == [
        ("10.0.0.2", 15012),
        ("fd00::1", 2),
        ("mixer.test", 1),
    ]
    assert found == built("mixer.test:1", "[fd00::1]:2", "10.0.0.2:15012")


def test_only_the_control_planes_certificate_is_believed() -> None:
    context = unpack(built("10.0.0.2:15012").transport_socket.typed_config, UpstreamTlsContext)
    assert context is not None
    common = context.common_tls_context
    validation = common.combined_validation_context.default_validation_context
    (san,) = validation.match_typed_subject_alt_names
    assert san.matcher.exact == "spiffe://td.test/ns/istio-system/sa/proa"
    assert [each.name for each in common.tls_certificate_sds_secret_configs] == ["default"]
    assert common.alpn_protocols == ["h2"]


def test_a_call_is_made_again_elsewhere_but_not_twice_where_that_counts() -> None:
    """That Envoy does so is tried in tests/mesh/test_verdicts.py."""
    checks, charges = mixer_calls(repeatable=True), mixer_calls(repeatable=False)
    for each in (checks, charges):
        assert each.envoy_grpc.cluster_name == MIXER_CLUSTER
        assert each.retry_policy.num_retries.value == 3
    assert "reset" in checks.retry_policy.retry_on.split(",")
    assert charges.retry_policy.retry_on == "connect-failure,refused-stream"


def in_turn(*servers: str) -> list[str]:
    intent = MixerClusterIntent(servers=servers, trust_domain="td.test", in_turn=True)
    resource = build_mixer_cluster(intent)
    assert resource.name == QUOTA_CLUSTER
    found = Cluster.FromString(AnyMessage.FromString(resource.body).value).load_assignment.endpoints
    assert [each.priority for each in found] == list(range(len(servers)))
    return [each.lb_endpoints[0].endpoint.address.socket_address.address for each in found]


def test_what_one_of_them_counts_all_proxies_ask_of_the_same_one() -> None:
    names = [f"c{number}" for number in range(5)]
    order = in_turn(*(f"{name}:1" for name in names))
    assert sorted(order) == names
    assert in_turn(*(f"{name}:1" for name in reversed(names))) == order
    without = in_turn(*(f"{name}:1" for name in names if name != order[0]))
    assert without == order[1:], "who was second is the first, and nobody else moves"


def test_the_next_one_is_asked_when_that_one_is_away() -> None:
    calls = mixer_calls(repeatable=True, in_turn=True)
    assert calls.envoy_grpc.cluster_name == QUOTA_CLUSTER
    assert calls.retry_policy.retry_priority.name == "envoy.retry_priorities.previous_priorities"
    assert not mixer_calls(repeatable=True).retry_policy.HasField("retry_priority")


def test_addresses_come_apart_from_the_cluster_which_is_the_same_whoever_comes_or_goes() -> None:
    one = MixerClusterIntent(servers=("10.0.0.2:15012",), trust_domain="td.test")
    two = MixerClusterIntent(servers=("10.0.0.3:15012", "10.0.0.2:15012"), trust_domain="td.test")
    assert one.is_told_apart
    assert build_mixer_cluster(one) == build_mixer_cluster(two)
    resource = build_mixer_endpoints(two)
    assert (resource.type, resource.name) == (ResourceType.ENDPOINT, MIXER_CLUSTER)
    told = ClusterLoadAssignment.FromString(AnyMessage.FromString(resource.body).value)
    (group,) = told.endpoints
    sockets = [each.endpoint.address.socket_address.address for each in group.lb_endpoints]
    assert sockets == ["10.0.0.2", "10.0.0.3"]
    cluster = built("10.0.0.2:15012")
    assert (cluster.type, cluster.eds_cluster_config.service_name) == (Cluster.EDS, MIXER_CLUSTER)
