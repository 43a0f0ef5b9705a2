"""Everybody behind a cluster, also those that get nothing now: for whoever asks why nobody answers."""

import msgspec
from envoy.config.cluster.v3.cluster_pb2 import Cluster
from envoy.config.core.v3.health_check_pb2 import HealthStatus
from envoy.config.endpoint.v3.endpoint_pb2 import ClusterLoadAssignment

from proa.core.pilot.simulate.resources import Decoder


class Member(msgspec.Struct, frozen=True, kw_only=True):
    """`health` is Envoy's word (`HEALTHY`, `DRAINING`); priority 0 is asked first."""

    address: str
    port: int
    health: str
    priority: int = 0
    weight: int = 1
    locality: str = ""
    workload: str = ""


def members_of(decoder: Decoder, cluster: Cluster) -> tuple[Member, ...]:
    found = cluster.load_assignment
    if cluster.type == Cluster.EDS:
        name = cluster.eds_cluster_config.service_name or cluster.name
        found = decoder.endpoints(name) or ClusterLoadAssignment()
    members = []
    for group in found.endpoints:
        places = (group.locality.region, group.locality.zone, group.locality.sub_zone)
        for each in group.lb_endpoints:
            address = each.endpoint.address
            own = each.metadata.filter_metadata
            members.append(
                Member(
                    address=f"unix://{address.pipe.path}"
                    if address.HasField("pipe")
                    else address.socket_address.address,
                    port=address.socket_address.port_value,
                    health=HealthStatus.Name(each.health_status).replace("UNKNOWN", "HEALTHY"),
                    priority=group.priority,
                    weight=each.load_balancing_weight.value if each.HasField("load_balancing_weight") else 1,
                    locality="/".join(place for place in places if place),
                    workload=own["proa"].fields["workload"].string_value if "proa" in own else "",
                )
            )
    return tuple(members)
