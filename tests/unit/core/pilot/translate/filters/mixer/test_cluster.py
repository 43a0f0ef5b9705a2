"""Where proxies ask Mixer, and whom they believe to be it."""

from envoy.config.cluster.v3.cluster_pb2 import Cluster
from envoy.extensions.transport_sockets.tls.v3.tls_pb2 import UpstreamTlsContext
from google.protobuf.any_pb2 import Any as AnyMessage

from proa.core.pilot.simulate.resources import unpack
from proa.core.pilot.translate.filters.mixer.cluster import (
    MIXER_CLUSTER,
    MixerClusterIntent,
    build_mixer_cluster,
    mixer_calls,
)


def built(*servers: str) -> Cluster:
    resource = build_mixer_cluster(MixerClusterIntent(servers=servers, trust_domain="td.test"))
    assert resource.name == MIXER_CLUSTER
    return Cluster.FromString(AnyMessage.FromString(resource.body).value)


def test_all_control_planes_in_whatever_order_they_are_told() -> None:
    found = built("10.0.0.2:15012", "mixer.test:1", "[fd00::1]:2")
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
        assert each.retry_policy.num_retries.value == 2
    assert "reset" in checks.retry_policy.retry_on.split(",")
    assert charges.retry_policy.retry_on == "connect-failure,refused-stream"
