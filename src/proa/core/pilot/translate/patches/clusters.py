"""Patches of clusters, by the parts of their names: `outbound|9080|v1|reviews.default.svc.cluster.local`."""

from envoy.config.cluster.v3.cluster_pb2 import Cluster

from proa.core.config.kinds.envoy_filter.schema import ClusterMatch
from proa.core.pilot.translate.patches.patching import Applied, Patching


def patch_cluster(cluster: Cluster, patching: Patching) -> Cluster | None:
    """The cluster, changed; None when it is removed."""
    context = patching.context(inbound=cluster.name.startswith("inbound|"))
    name = cluster.name
    for applied in patching.of("CLUSTER", context):
        if applied.operation == "ADD" or not matches_cluster(
            applied.match.cluster, name, patching.target.services
        ):
            continue
        if applied.operation == "REMOVE":
            applied.hit()
            return None
        if applied.merges:
            _merge(cluster, applied)
    return cluster


def matches_cluster(match: ClusterMatch | None, name: str, services: tuple[str, ...]) -> bool:
    """`services`: the hosts of an inbound cluster, which its name does not say. The way from a CONNECT into its
    internal listener is machinery: only who names it gets it."""
    if match is not None and match.name:
        return match.name == name
    if name.startswith("connect_"):
        return False
    if match is None:
        return True
    parts = name.split("|")
    if len(parts) != 4:
        return not (match.port_number or match.subset or match.service)
    direction, port, subset, host = parts
    hosts = services if direction == "inbound" else (host,)
    return (
        (not match.port_number or str(match.port_number) == port)
        and match.subset in ("", subset)
        and (not match.service or match.service in hosts)
    )


def _merge(cluster: Cluster, applied: Applied) -> None:
    """A transport socket goes to where the cluster has its own: our clusters have a choice of them, and a second
    beside the choice would never be taken."""
    value = Cluster()
    value.CopyFrom(applied.value)  # type: ignore[arg-type]  # read as a Cluster
    if value.HasField("transport_socket") and cluster.transport_socket_matches:
        for choice in cluster.transport_socket_matches:
            if choice.transport_socket.name == value.transport_socket.name:
                inner = Cluster.TransportSocketMatch(transport_socket=value.transport_socket)
                applied.merge_into(choice, inner)
        value.ClearField("transport_socket")
        if not value.ListFields():
            return
    applied.merge_into(cluster, value)
