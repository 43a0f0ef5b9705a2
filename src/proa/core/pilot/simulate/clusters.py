"""From a cluster's name to who may get the request, and how the connection to each is made."""

from envoy.config.cluster.v3.cluster_pb2 import Cluster
from envoy.config.core.v3.address_pb2 import Address
from envoy.config.core.v3.base_pb2 import TransportSocket
from envoy.config.endpoint.v3.endpoint_components_pb2 import LbEndpoint, LocalityLbEndpoints
from envoy.config.endpoint.v3.endpoint_pb2 import ClusterLoadAssignment
from envoy.extensions.transport_sockets.tls.v3.tls_pb2 import UpstreamTlsContext

from proa.core.pilot.simulate.matching import without_port
from proa.core.pilot.simulate.outcome import Candidate, Mutual, Plain, ServerTls, Transport
from proa.core.pilot.simulate.resources import Decoder, unpack
from proa.core.pilot.simulate.spreading import spread, weight_of

SOCKET_MATCH = "envoy.transport_socket_match"
MESH_CERTIFICATE = "default"
"""The secret by which a proxy shows its own workload; others are an operator's."""
FORWARD_PROXY = "envoy.clusters.dynamic_forward_proxy"


def candidates_of(decoder: Decoder, cluster: Cluster, authority: str) -> tuple[Candidate, ...]:
    """Those that get requests now, the nearest first. A forward proxy's cluster has the one that the authority
    names."""
    if cluster.cluster_type.name == FORWARD_PROXY:
        return (_named(cluster, authority),)
    groups = sorted(_assignment(decoder, cluster).endpoints, key=lambda group: group.priority)
    by_locality = cluster.common_lb_config.HasField("locality_weighted_lb_config")
    return tuple(_candidate(cluster, *found) for found in spread(groups, by_locality=by_locality))


def internal_listener_of(cluster: Cluster) -> str:
    """The listener of this very proxy that the cluster leads into; empty for all ordinary clusters."""
    for group in cluster.load_assignment.endpoints:
        for endpoint in group.lb_endpoints:
            address = endpoint.endpoint.address
            if address.HasField("envoy_internal_address"):
                return address.envoy_internal_address.server_listener_name
    return ""


def _assignment(decoder: Decoder, cluster: Cluster) -> ClusterLoadAssignment:
    if cluster.type != Cluster.EDS:
        return cluster.load_assignment
    found = decoder.endpoints(cluster.eds_cluster_config.service_name or cluster.name)
    return found if found is not None else ClusterLoadAssignment()


def _named(cluster: Cluster, authority: str) -> Candidate:
    host = without_port(authority)
    port = authority[len(host) + 1 :]
    transport = _transport(cluster.transport_socket)
    return Candidate(address=host, port=int(port) if port else 80, transport=transport)


def _candidate(cluster: Cluster, group: LocalityLbEndpoints, endpoint: LbEndpoint, share: float) -> Candidate:
    address, port = _address(endpoint.endpoint.address)
    own = endpoint.metadata.filter_metadata
    locality = group.locality
    places = (locality.region, locality.zone, locality.sub_zone)
    return Candidate(
        address=address,
        port=port,
        transport=_transport(_socket(cluster, endpoint)),
        weight=weight_of(endpoint),
        priority=group.priority,
        share=share,
        locality="/".join(place for place in places if place),
        workload=own["proa"].fields["workload"].string_value if "proa" in own else "",
    )


def _address(address: Address) -> tuple[str, int]:
    if address.HasField("pipe"):
        return f"unix://{address.pipe.path}", 0
    return address.socket_address.address, address.socket_address.port_value


def _socket(cluster: Cluster, endpoint: LbEndpoint) -> TransportSocket:
    """The first match whose every field the endpoint has, else the cluster's own."""
    own = endpoint.metadata.filter_metadata
    facts = own[SOCKET_MATCH].fields if SOCKET_MATCH in own else {}
    for each in cluster.transport_socket_matches:
        if all(key in facts and facts[key] == value for key, value in each.match.fields.items()):
            return each.transport_socket
    return cluster.transport_socket


def _transport(socket: TransportSocket) -> Transport:
    context = unpack(socket.typed_config, UpstreamTlsContext)
    if context is None:
        return Plain()
    common = context.common_tls_context
    if common.HasField("combined_validation_context"):
        validation = common.combined_validation_context.default_validation_context
    else:
        validation = common.validation_context
    names = tuple(each.matcher.exact for each in validation.match_typed_subject_alt_names)
    if any(each.name == MESH_CERTIFICATE for each in common.tls_certificate_sds_secret_configs):
        return Mutual(sni=context.sni, accounts=names, alpn=tuple(common.alpn_protocols))
    return ServerTls(sni=context.sni, names=names)
