"""Endpoint sets as Envoy takes them."""

from envoy.config.core.v3.health_check_pb2 import DRAINING, HEALTHY, UNHEALTHY
from envoy.config.endpoint.v3.endpoint_pb2 import ClusterLoadAssignment

from proa.core.pilot.simulate.resources import decode
from proa.core.pilot.translate.endpoints import EndpointsIntent, build_endpoints
from proa.testing.builders import endpoint


def test_localities_weigh_what_their_endpoints_weigh() -> None:
    members = (
        endpoint("10.0.0.1", weight=2, locality="eu/a"),
        endpoint("10.0.0.2", weight=3, locality="eu/a"),
        endpoint("10.0.0.3", locality="us/b/rack"),
    )
    resource = build_endpoints(EndpointsIntent(cluster="c", endpoints=members))
    groups = decode(resource, ClusterLoadAssignment).endpoints
    assert [(each.locality.region, each.load_balancing_weight.value) for each in groups] == [
        ("eu", 5),
        ("us", 1),
    ]
    assert groups[1].locality.sub_zone == "rack"


def test_health_is_told_and_not_left_out() -> None:
    members = (endpoint(health="HEALTHY"), endpoint(health="UNHEALTHY"), endpoint(health="DRAINING"))
    resource = build_endpoints(EndpointsIntent(cluster="c", endpoints=members))
    (group,) = decode(resource, ClusterLoadAssignment).endpoints
    assert [each.health_status for each in group.lb_endpoints] == [HEALTHY, UNHEALTHY, DRAINING]


def test_nobody_is_an_empty_set_and_no_missing_one() -> None:
    resource = build_endpoints(EndpointsIntent(cluster="c", endpoints=()))
    assert decode(resource, ClusterLoadAssignment).cluster_name == "c"


def test_an_endpoint_bears_its_tls_fact_and_its_workload() -> None:
    resource = build_endpoints(EndpointsIntent(cluster="c", endpoints=(endpoint(workload="default/a-1"),)))
    (group,) = decode(resource, ClusterLoadAssignment).endpoints
    metadata = group.lb_endpoints[0].metadata.filter_metadata
    assert metadata["envoy.transport_socket_match"].fields["tlsMode"].string_value == "istio"
    assert metadata["proa"].fields["workload"].string_value == "default/a-1"


def test_weights_too_large_together_are_no_failure_here() -> None:
    """Envoy refuses such a set and names its object; the control plane goes on."""
    members = tuple(endpoint(f"10.0.0.{number}", weight=2**32 - 1) for number in (1, 2))
    resource = build_endpoints(EndpointsIntent(cluster="c", endpoints=members))
    (group,) = decode(resource, ClusterLoadAssignment).endpoints
    assert group.load_balancing_weight.value == 2**32 - 1
