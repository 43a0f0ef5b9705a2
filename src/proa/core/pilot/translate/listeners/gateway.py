"""A gateway's listeners: one per port its Gateways ask for, bound where the node agent could bind it, with a filter
chain per kind of connection that somebody is there for."""

from collections.abc import Iterator

import msgspec
from envoy.config.core.v3.address_pb2 import CidrRange
from envoy.config.core.v3.base_pb2 import TrafficDirection
from envoy.config.listener.v3.listener_components_pb2 import Filter, FilterChain, FilterChainMatch
from envoy.config.listener.v3.listener_pb2 import Listener

from proa.core.model.names import ObjectRef
from proa.core.model.settings import Handling
from proa.core.pilot.resource import Resource, ResourceType
from proa.core.pilot.translate import tls
from proa.core.pilot.translate.authorization.filters import (
    AuthorizationIntent,
    authorization_place,
    seen_from,
)
from proa.core.pilot.translate.authorization.filters import stream_filters as authorize_streams
from proa.core.pilot.translate.encode import build_resource, provenance, socket_address, uint32
from proa.core.pilot.translate.filters.chain import (
    Direction,
    grpc_web_filter,
    http_chain,
    outbound_filters,
    stream_chain,
)
from proa.core.pilot.translate.filters.revocation import (
    peer_serial,
    request_filter,
    revoked_since,
    stream_filters,
)
from proa.core.pilot.translate.filters.tokens import GATEWAY_TOKENS, tokens_place
from proa.core.pilot.translate.listeners.inbound import tls_inspector
from proa.core.pilot.translate.operator_tls import ServedTls, end_tls
from proa.core.pilot.translate.routes.intents import Stream


class GatewayChain(msgspec.Struct, frozen=True, kw_only=True):
    """Which connections, and what becomes of them. `sni` none: they are not TLS; `*` among them: whatever is asked
    for. `tls` None: it passes as it is. Either `routes` (the name to ask RDS for) or `stream`."""

    name: str
    sni: tuple[str, ...] = ()
    subnets: tuple[str, ...] = ()
    tls: ServedTls | None = None
    routes: str = ""
    is_grpc_web: bool = False
    stream: Stream | None = None
    objects: tuple[ObjectRef, ...] = ()

    @property
    def is_mesh_tls(self) -> bool:
        """Whether clients show a certificate of the mesh."""
        return self.tls is not None and not self.tls.certificates


class GatewayListenerIntent(msgspec.Struct, frozen=True, kw_only=True):
    """No two chains take the same connection. `revoked_since`: as of a sidecar's inbound listener."""

    name: str
    bind: str
    bound_port: int
    handling: Handling
    authorization: AuthorizationIntent
    chains: tuple[GatewayChain, ...]
    objects: tuple[ObjectRef, ...]
    revoked_since: int = 0


def build_gateway_listener(intent: GatewayListenerIntent) -> Resource:
    listener = Listener(
        name=intent.name,
        address=socket_address(intent.bind, intent.bound_port),
        traffic_direction=TrafficDirection.OUTBOUND,
        filter_chains=[built for chain in intent.chains for built in _filter_chains(chain, intent)],
        metadata=provenance(intent.objects),
    )
    if any(chain.sni for chain in intent.chains):
        listener.listener_filters.append(tls_inspector())
    policies = {policy.ref for policy in intent.authorization.policies}
    streams = policies if any(chain.stream is not None for chain in intent.chains) else set[ObjectRef]()
    chains = {ref for chain in intent.chains for ref in chain.objects}
    objects = sorted({*intent.objects, *streams, *chains, *intent.handling.observers})
    return build_resource(ResourceType.LISTENER, intent.name, listener, objects)


def _filter_chains(chain: GatewayChain, intent: GatewayListenerIntent) -> Iterator[FilterChain]:
    """`*` is a chain of its own: beside names it would say nothing."""
    names = [name for name in chain.sni if name != "*"]
    groups = [(chain.name, names)] if names or not chain.sni else []
    if len(names) < len(chain.sni):
        groups.append((f"{chain.name} *" if names else chain.name, []))
    for name, group in groups:
        built = FilterChain(name=name, filters=_filters(chain, intent))
        match = FilterChainMatch(
            server_names=group,
            transport_protocol="tls" if chain.sni else "",
            prefix_ranges=[_range(subnet) for subnet in chain.subnets],
        )
        if match != FilterChainMatch():
            built.filter_chain_match.CopyFrom(match)
        if chain.tls is not None:
            alpn = tls.SERVER_HTTP if chain.routes else () if chain.tls.certificates else tls.ALPN_TCP
            built.transport_socket.CopyFrom(end_tls(chain.tls, alpn))
        if chain.stream is not None:
            built.metadata.CopyFrom(provenance(chain.objects))
        if chain.is_mesh_tls and intent.revoked_since:
            built.metadata.MergeFrom(revoked_since(intent.revoked_since))
        yield built


def _range(subnet: str) -> CidrRange:
    address, _, length = subnet.partition("/")
    return CidrRange(address_prefix=address, prefix_len=uint32(int(length)))


def _filters(chain: GatewayChain, intent: GatewayListenerIntent) -> list[Filter]:
    """Only the mesh's own TLS tells of a peer: another authority may sign what it likes."""
    handling = intent.handling
    policies = seen_from(intent.authorization, has_peer=chain.is_mesh_tls)
    if chain.stream is not None:
        streams = authorize_streams(policies) + stream_chain(
            Direction.GATEWAY, chain.stream, handling=handling
        )
        return [peer_serial(), *stream_filters(), *streams] if chain.is_mesh_tls else streams
    places = [tokens_place(GATEWAY_TOKENS), authorization_place(policies.name)]
    filters = [*places, *outbound_filters(handling)]
    if chain.is_mesh_tls:
        filters.insert(0, request_filter())
    if chain.is_grpc_web:
        filters.insert(0, grpc_web_filter())
    manager = http_chain(Direction.GATEWAY, chain.routes, filters, handling=handling)
    return [peer_serial(), manager] if chain.is_mesh_tls else [manager]
