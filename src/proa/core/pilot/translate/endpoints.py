"""Endpoint sets (EDS): resources of their own, so that an address that comes or goes changes nothing else."""

import msgspec
from envoy.config.core.v3.address_pb2 import Address, Pipe
from envoy.config.core.v3.base_pb2 import Locality, Metadata
from envoy.config.core.v3.health_check_pb2 import DRAINING, HEALTHY, UNHEALTHY
from envoy.config.endpoint.v3.endpoint_components_pb2 import Endpoint as EnvoyEndpoint
from envoy.config.endpoint.v3.endpoint_components_pb2 import LbEndpoint, LocalityLbEndpoints
from envoy.config.endpoint.v3.endpoint_pb2 import ClusterLoadAssignment

from proa.core.model.endpoint import Endpoint
from proa.core.model.locality import place_of
from proa.core.pilot.resource import Resource, ResourceType
from proa.core.pilot.translate.encode import build_resource, socket_address, struct, uint32
from proa.core.pilot.translate.nearness import Preference, arrange

_HEALTH = {"HEALTHY": HEALTHY, "UNHEALTHY": UNHEALTHY, "DRAINING": DRAINING}
MAX_SUM = 2**32 - 1
"""Envoy's bound. Weights that exceed it together are refused by the proxies, with the object's name."""
_TLS_MODE = {"mutual": "istio", "disabled": "disabled"}


class EndpointsIntent(msgspec.Struct, frozen=True, kw_only=True):
    """`endpoints` are those of one service port and subset, in the set's own order. `preference`: that of the clients
    it is for; None: of all."""

    cluster: str
    endpoints: tuple[Endpoint, ...]
    preference: Preference | None = None


def build_load_assignment(
    cluster: str, endpoints: tuple[Endpoint, ...], preference: Preference | None = None
) -> ClusterLoadAssignment:
    """Grouped by nearness and locality. A locality's weight is the sum of its endpoints', so that one endpoint's share
    does not depend on where it stands, unless places have shares."""
    return ClusterLoadAssignment(
        cluster_name=cluster,
        endpoints=[
            LocalityLbEndpoints(
                locality=_locality(group.locality),
                priority=group.tier,
                lb_endpoints=[_lb_endpoint(endpoint) for endpoint in group.endpoints],
                load_balancing_weight=uint32(min(MAX_SUM, group.weight)),
            )
            for group in arrange(endpoints, preference)
        ],
    )


def build_endpoints(intent: EndpointsIntent) -> Resource:
    message = build_load_assignment(intent.cluster, intent.endpoints, intent.preference)
    return build_resource(ResourceType.ENDPOINT, intent.cluster, message)


def _locality(text: str) -> Locality:
    place = place_of(text)
    return Locality(region=place.region, zone=place.zone, sub_zone=place.subzone)


def _address(endpoint: Endpoint) -> Address:
    if endpoint.address.startswith("unix://"):
        return Address(pipe=Pipe(path=endpoint.address.removeprefix("unix://")))
    return socket_address(endpoint.address, endpoint.port)


def _lb_endpoint(endpoint: Endpoint) -> LbEndpoint:
    metadata = {"envoy.transport_socket_match": struct(tlsMode=_TLS_MODE[endpoint.tls])}
    if endpoint.workload:
        metadata["proa"] = struct(workload=endpoint.workload)
    return LbEndpoint(
        # Envoy goes on with the connections it has to an address whatever its metadata say; another hostname makes
        # it another host, so that those of the old TLS mode are left in good order. Nothing else reads it.
        endpoint=EnvoyEndpoint(address=_address(endpoint), hostname=_TLS_MODE[endpoint.tls]),
        health_status=_HEALTH[endpoint.health],
        load_balancing_weight=uint32(endpoint.weight),
        metadata=Metadata(filter_metadata=metadata),
    )
