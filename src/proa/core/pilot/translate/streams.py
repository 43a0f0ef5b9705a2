"""Istio's rules for streams (`tls` and `tcp`): where connections go that nobody reads requests from.

For sidecars and gateways alike, like `rules` for requests: what a destination means and what a missing one does is the
same. A stream's first destination says how long it may be idle, live, and whether its client's address chooses the
endpoint: tcp_proxy has one such setting for all weights, as in Istio.
"""

from collections.abc import Iterator
from typing import TypeVar

import msgspec
from immutables import Map

from proa.core.config.kinds.virtual_service.schema import RouteDestination, TcpMatch, TlsMatch
from proa.core.model.names import ObjectRef, parse_cluster_name
from proa.core.model.notes import Note
from proa.core.pilot.scope.index import MESH_GATEWAY
from proa.core.pilot.scope.views import Destination, Rules, qualified_gateway
from proa.core.pilot.translate.clusters import BLACK_HOLE, PASSTHROUGH
from proa.core.pilot.translate.routes.intents import Stream, Target
from proa.core.pilot.translate.rules import is_below, resolve_target
from proa.core.pilot.translate.traffic_policy import hash_key_of, policy_for, pool_of, tunnelled_name

Match = TypeVar("Match", TlsMatch, TcpMatch)


class StreamRule(msgspec.Struct, frozen=True, kw_only=True):
    """One block of a rule's conditions: names in SNI (none: any, TLS or not) and networks dialled (none: any)."""

    sni: tuple[str, ...] = ()
    subnets: tuple[str, ...] = ()
    stream: Stream
    ref: ObjectRef
    rule: str = ""


class StreamRules(msgspec.Struct, frozen=True, kw_only=True):
    rules: tuple[StreamRule, ...] = ()
    notes: tuple[Note, ...] = ()


def tls_rules(
    rules: Rules, destinations: Map[str, Destination], *, port: int, gateways: frozenset[str]
) -> StreamRules:
    """The `tls` rules that hold on `port` for proxies bound by one of `gateways`, in order."""
    found: list[StreamRule] = []
    notes: list[Note] = []
    for number, rule in enumerate(rules.spec.tls):
        if number in rules.skipped_tls:
            continue
        matches = tuple(_held(rules, rule.match, port, gateways))
        if matches:
            names = tuple(name.lower() for match in matches for name in match.sni_hosts)
            asked = () if MESH_GATEWAY in gateways else names
            stream = _stream(rules, rule.route, destinations, port, notes, asked)
            found += [
                StreamRule(
                    sni=tuple(dict.fromkeys(name.lower() for name in match.sni_hosts)),
                    subnets=match.destination_subnets,
                    stream=stream,
                    ref=rules.ref,
                    rule=f"tls[{number}]",
                )
                for match in matches
            ]
    return StreamRules(rules=tuple(found), notes=tuple(notes))


def tcp_rules(
    rules: Rules, destinations: Map[str, Destination], *, port: int, gateways: frozenset[str]
) -> StreamRules:
    """The `tcp` rules likewise, up to the first that takes everything."""
    found: list[StreamRule] = []
    notes: list[Note] = []
    for number, rule in enumerate(rules.spec.tcp):
        if number in rules.skipped_tcp:
            continue
        for match in _held(rules, rule.match or (TcpMatch(),), port, gateways):
            stream = _stream(rules, rule.route, destinations, port, notes)
            subnets = match.destination_subnets
            found.append(StreamRule(subnets=subnets, stream=stream, ref=rules.ref, rule=f"tcp[{number}]"))
            if not subnets:
                return StreamRules(rules=tuple(found), notes=tuple(notes))
    return StreamRules(rules=tuple(found), notes=tuple(notes))


def _held(rules: Rules, matches: tuple[Match, ...], port: int, gateways: frozenset[str]) -> Iterator[Match]:
    for match in matches:
        names = match.gateways or rules.spec.gateways or (MESH_GATEWAY,)
        full = {
            name if name == MESH_GATEWAY else qualified_gateway(name, rules.ref.namespace) for name in names
        }
        if full & gateways and match.port in (None, port):
            yield match


def _stream(
    rules: Rules,
    route: tuple[RouteDestination, ...],
    destinations: Map[str, Destination],
    port: int,
    notes: list[Note],
    asked: tuple[str, ...] = (),
) -> Stream:
    """`asked`: the names in SNI by which it is known, where they can be looked up: not at a sidecar, whose client has
    asked before it said any."""
    weighted = [each for each in route if each.weight > 0] or list(route[:1])
    targets: list[Target] = []
    for each in weighted:
        target = resolve_target(each.destination, rules.ref.namespace, destinations, port)
        if not isinstance(target, str) and target.cluster == PASSTHROUGH:
            target = f"service {each.destination.host} has no addresses, and a stream names none"
        if not isinstance(target, str) and target.is_dynamic:
            target = _looked_up(target, asked, len(weighted)) or target
        if isinstance(target, str):
            notes.append(Note(code="destination-missing", about=rules.ref, message=target))
            target = Target(cluster=BLACK_HOLE)
        weight = each.weight if len(weighted) > 1 else 1
        targets.append(Target(cluster=target.cluster, weight=weight, is_dynamic=target.is_dynamic))
    return stream_to(tuple(targets), destinations)


def _looked_up(target: Target, asked: tuple[str, ...], targets: int) -> str:
    """Why a stream cannot go to the name it asks for; empty when it can, and only below the wildcard."""
    wildcard = parse_cluster_name(target.cluster)[3]
    outside = next((name for name in asked if not is_below(name, wildcard)), None)
    if outside is not None:
        return f"{outside} is not below {wildcard}, and nothing else is looked up"
    if not asked or targets > 1:
        return f"service {wildcard} has no addresses, and a stream names none"
    return ""


def stream_to(targets: tuple[Target, ...], destinations: Map[str, Destination]) -> Stream:
    """To these clusters, as the policy of the first one's host says."""
    first = targets[0].cluster
    if first == BLACK_HOLE:
        return Stream(targets=tuple(_by_tunnel(target, destinations) for target in targets))
    _, port, subset, host = parse_cluster_name(first)
    destination = destinations.get(host)
    traffic = policy_for(destination.policy if destination else None, subset, port)
    pool = pool_of(traffic)
    key = hash_key_of(traffic)
    return Stream(
        targets=tuple(_by_tunnel(target, destinations) for target in targets),
        idle_timeout_ms=pool.tcp_idle_timeout_ms,
        max_duration_ms=pool.max_connection_duration_ms,
        by_client_address=key is not None and key.source_ip,
        looked_up_port=port if targets[0].is_dynamic else 0,
    )


def _by_tunnel(target: Target, destinations: Map[str, Destination]) -> Target:
    """Into the tunnel that its cluster's policy asks for."""
    if target.cluster == BLACK_HOLE:
        return target
    _, port, subset, host = parse_cluster_name(target.cluster)
    destination = destinations.get(host)
    traffic = policy_for(destination.policy if destination else None, subset, port)
    if traffic.tunnel is None:
        return target
    return msgspec.structs.replace(target, cluster=tunnelled_name(target.cluster))
