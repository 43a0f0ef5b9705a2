"""Where a workload's own streams go: `tls` and `tcp` rules for what comes by CONNECT and by `--upstream` ports.

The name in a CONNECT stands for the destination and for the SNI: a program asks for the name before it says its first
byte, and the proxy chooses then. Rules for streams concern ports that are not declared to carry requests; on one that
is not declared at all, requests inside the tunnel follow the `http` rules all the same. Which networks a service is in
is known from its object, so `destinationSubnets` are asked here and not for each connection.
"""

from collections.abc import Iterator
from ipaddress import ip_network

import msgspec
from immutables import Map

from proa.core.config.hostnames import is_ip
from proa.core.model.names import ObjectRef, cluster_name
from proa.core.model.notes import Note
from proa.core.model.service import Service, ServicePort
from proa.core.pilot.scope.index import MESH_GATEWAY
from proa.core.pilot.scope.views import Destination, HostView
from proa.core.pilot.translate.routes.intents import ConnectStream, Stream, Target
from proa.core.pilot.translate.rules import rules_at
from proa.core.pilot.translate.streams import StreamRule, stream_to, tcp_rules, tls_rules

MESH: frozenset[str] = frozenset((MESH_GATEWAY,))


class OutboundStreams(msgspec.Struct, frozen=True, kw_only=True):
    """In order, the last one for whatever is left; none where requests are declared or no addresses are known and no
    rule says otherwise."""

    streams: tuple[ConnectStream, ...]
    notes: tuple[Note, ...] = ()


def outbound_streams(view: HostView, service: Service, port: ServicePort) -> OutboundStreams:
    """For CONNECT to one port of a host."""
    notes: list[Note] = []
    streams = [
        ConnectStream(names=rule.sni, stream=rule.stream, objects=(rule.ref,), rule=rule.rule)
        for rule in _rules(view, service, port, notes)
    ]
    if service.has_endpoints and (not streams or streams[-1].names):
        streams.append(ConnectStream(stream=_default(view, service, port)))
    if port.is_http:
        # The tunnel may carry requests, whose connections are nobody's to end.
        streams = [msgspec.structs.replace(each, stream=_unlimited(each.stream)) for each in streams]
    return OutboundStreams(streams=tuple(streams), notes=tuple(notes))


def upstream_stream(view: HostView | None, host: str, number: int) -> tuple[Stream, tuple[ObjectRef, ...]]:
    """For a local port that leads to one service, with the objects that say so: the first rule that holds for it."""
    default = Stream(targets=(Target(cluster=cluster_name("outbound", number, "", host)),))
    service = view.service if view is not None else None
    port = service.port(number) if service is not None else None
    if view is None or service is None or port is None:
        return default, ()
    spellings = {name.lower() for name in view.names}
    for rule in _rules(view, service, port, []):
        if not rule.sni or any(_means(sni, name) for sni in rule.sni for name in spellings):
            return rule.stream, (rule.ref,)
    if not service.has_endpoints:
        return default, ()
    return _default(view, service, port), ()


def _rules(view: HostView, service: Service, port: ServicePort, notes: list[Note]) -> Iterator[StreamRule]:
    if view.rules is None or port.protocol in ("HTTP", "HTTP2", "GRPC"):
        return
    rules = rules_at(view.rules, port)
    kinds = (tcp_rules,) if port.protocol == "TCP" else (tls_rules, tcp_rules)
    for kind in kinds:
        found = kind(rules, view.destinations, port=port.number, gateways=MESH)
        notes += found.notes
        for rule in found.rules:
            if not rule.subnets or _is_within(service, rule.subnets):
                yield rule
                if not rule.sni:
                    return


def _is_within(service: Service, subnets: tuple[str, ...]) -> bool:
    addresses = (*service.addresses, *((service.hostname,) if is_ip(service.hostname) else ()))
    own = [ip_network(address, strict=False) for address in addresses]
    asked = [ip_network(subnet, strict=False) for subnet in subnets]
    return any(one.version == other.version and one.overlaps(other) for one in own for other in asked)


def _default(view: HostView, service: Service, port: ServicePort) -> Stream:
    target = Target(cluster=cluster_name("outbound", port.number, "", service.hostname))
    own = Destination(ports=service.ports, policy=view.policy)
    return stream_to((target,), Map({service.hostname: own}))


def _unlimited(stream: Stream) -> Stream:
    return msgspec.structs.replace(stream, idle_timeout_ms=None, max_duration_ms=0)


def _means(sni: str, name: str) -> bool:
    return sni in ("*", name) or (sni.startswith("*.") and name.endswith(sni[1:]))
