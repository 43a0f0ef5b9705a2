"""Streams that leave by a tunnel through another service: a DestinationRule's `tunnel`.

Whoever sends a stream to such a cluster sends it to an internal listener in its place, whose proxy opens the tunnel at
the cluster and puts the stream into it. So whatever leads a stream to a cluster (a local port, CONNECT, a gateway, one
share of several) has the tunnel, and requests to the same cluster have not.
"""

from collections.abc import Iterator

import msgspec
from envoy.config.core.v3.base_pb2 import TrafficDirection
from envoy.config.listener.v3.listener_components_pb2 import FilterChain
from envoy.config.listener.v3.listener_pb2 import Listener

from proa.core.config.kinds.destination_rule.schema import TrafficPolicy
from proa.core.model.names import ObjectRef, cluster_name
from proa.core.model.settings import Handling
from proa.core.pilot.resource import Resource, ResourceType
from proa.core.pilot.scope.views import HostView
from proa.core.pilot.translate.clusters import internal_cluster
from proa.core.pilot.translate.encode import build_resource, provenance
from proa.core.pilot.translate.filters.chain import Direction, stream_chain
from proa.core.pilot.translate.routes.intents import OuterTunnel, Stream, Target
from proa.core.pilot.translate.traffic_policy import policy_for, tunnelled_name


class OuterTunnelIntent(msgspec.Struct, frozen=True, kw_only=True):
    """`cluster` is whom the tunnel is opened at."""

    cluster: str
    tunnel: OuterTunnel
    objects: tuple[ObjectRef, ...] = ()


def outer_tunnels(view: HostView) -> Iterator[OuterTunnelIntent]:
    """One for each cluster of a host that has a tunnel."""
    service, policy = view.service, view.policy
    if service is None or policy is None or service.resolution == "NONE":
        return
    for port in service.ports:
        for subset in ("", *(each.name for each in policy.subsets)):
            traffic = policy_for(policy, subset, port.number)
            if traffic.tunnel is not None:
                cluster = cluster_name("outbound", port.number, subset, view.host)
                yield OuterTunnelIntent(cluster=cluster, tunnel=_said(traffic), objects=policy.refs)


def is_tunnel(name: str) -> bool:
    """Whether a listener or cluster is one of these."""
    return name.startswith(tunnelled_name(""))


def _said(traffic: TrafficPolicy) -> OuterTunnel:
    said = traffic.tunnel
    assert said is not None
    host = f"[{said.target_host}]" if ":" in said.target_host else said.target_host
    return OuterTunnel(target=f"{host}:{said.target_port}", by_post=said.protocol.upper() == "POST")


def build_tunnel_cluster(intent: OuterTunnelIntent) -> Resource:
    name = tunnelled_name(intent.cluster)
    cluster = internal_cluster(name, name)
    cluster.metadata.CopyFrom(provenance(intent.objects))
    return build_resource(ResourceType.CLUSTER, name, cluster, intent.objects)


def build_tunnel_listener(intent: OuterTunnelIntent) -> Resource:
    name = tunnelled_name(intent.cluster)
    stream = Stream(targets=(Target(cluster=intent.cluster),), tunnel=intent.tunnel)
    # The stream is logged and counted where it comes from.
    filters = stream_chain(Direction.OUTBOUND, stream, handling=Handling(access_log=None, metering=None))
    listener = Listener(
        name=name,
        internal_listener=Listener.InternalListenerConfig(),
        traffic_direction=TrafficDirection.OUTBOUND,
        filter_chains=[FilterChain(filters=filters)],
        metadata=provenance(intent.objects),
    )
    return build_resource(ResourceType.LISTENER, name, listener, intent.objects)
