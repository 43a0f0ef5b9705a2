"""Whether the rules for streams (`tls`, `tcp`) can be followed. Called by this kind's validator."""

from collections.abc import Iterator

from proa.core.config.hostnames import sni_fault, subnet_fault, wildcard_name_fault
from proa.core.config.kinds.virtual_service.actions import check_destinations
from proa.core.config.kinds.virtual_service.matching import check_source
from proa.core.config.kinds.virtual_service.schema import RouteDestination, TcpMatch, TlsMatch, VirtualService
from proa.core.config.path import Path
from proa.core.config.problem import Finding, warning
from proa.core.config.tree import shorten


def check_streams(spec: VirtualService, at: Path) -> Iterator[Finding]:
    """All but the gateways that they name. `at` is the spec's place."""
    for index, tls in enumerate(spec.tls):
        place = (*at, "tls", index)
        if not tls.match:
            yield Finding((*place, "match"), "required", "a tls rule needs a match; add sniHosts")
        for number, match in enumerate(tls.match):
            yield from _check_sni(match, spec.hosts, (*place, "match", number))
            yield from _check_match(match, (*place, "match", number))
        yield from _check_route(tls.route, place)
    for index, tcp in enumerate(spec.tcp):
        place = (*at, "tcp", index)
        for number, condition in enumerate(tcp.match):
            yield from _check_match(condition, (*place, "match", number))
            if condition.source_subnet:
                message = "sourceSubnet has no effect, as in Istio; remove it"
                yield warning((*place, "match", number, "sourceSubnet"), "no-effect", message)
        yield from _check_route(tcp.route, place)


def _check_route(route: tuple[RouteDestination, ...], place: Path) -> Iterator[Finding]:
    if not route:
        yield Finding((*place, "route"), "required", "where do connections go? add a destination")
    yield from check_destinations(route, (*place, "route"))


def _check_match(match: TlsMatch | TcpMatch, at: Path) -> Iterator[Finding]:
    for index, subnet in enumerate(match.destination_subnets):
        if fault := subnet_fault(subnet):
            yield Finding((*at, "destinationSubnets", index), "bad-value", fault)
    yield from check_source(match, at)


def _check_sni(match: TlsMatch, hosts: tuple[str, ...], at: Path) -> Iterator[Finding]:
    if not match.sni_hosts:
        yield Finding((*at, "sniHosts"), "required", "at least one name is required; write it, or * for all")
    for index, name in enumerate(match.sni_hosts):
        place = (*at, "sniHosts", index)
        fault = wildcard_name_fault(name) or sni_fault(name)
        if fault:
            yield Finding(place, "bad-value", fault)
        elif not any(_lies_in(name.lower(), host.lower()) for host in hosts):
            message = f'"{shorten(name)}" lies in none of the hosts of this rule; add it there'
            yield Finding(place, "conflict", message)


def _lies_in(name: str, host: str) -> bool:
    return host in ("*", name) or (host.startswith("*") and name.endswith(host[1:]))
