"""Whether a VirtualService makes sense: Istio's rules for the fields of its schema. Called through the kinds table.

Rules of one HTTP rule's match stand in `matching`, of what it does to requests in `actions`.
"""

from collections.abc import Iterator

from proa.core.config.export_to import check_export_to
from proa.core.config.hostnames import gateway_name_fault, host_or_ip_fault, hosts_overlap
from proa.core.config.kinds.virtual_service.actions import check_actions
from proa.core.config.kinds.virtual_service.matching import check_claims, check_match
from proa.core.config.kinds.virtual_service.schema import HttpRoute, TcpMatch, TlsMatch, VirtualService
from proa.core.config.kinds.virtual_service.streams import check_streams
from proa.core.config.meta import Meta
from proa.core.config.path import Path
from proa.core.config.problem import Finding, warning

MESH_GATEWAY = "mesh"
SPEC: Path = ("spec",)


def validate(spec: VirtualService, meta: Meta) -> Iterator[Finding]:
    yield from _check_hosts(spec)
    yield from check_gateways(spec.gateways, (*SPEC, "gateways"))
    if not (spec.http or spec.tls or spec.tcp):
        yield Finding(SPEC, "required", "at least one rule is required; add http, tls or tcp with a route")
    for index, route in enumerate(spec.http):
        at = (*SPEC, "http", index)
        for block, match in enumerate(route.match):
            yield from check_match(match, (*at, "match", block))
            yield from check_gateways(match.gateways, (*at, "match", block, "gateways"))
            if spec.hosts and MESH_GATEWAY in (match.gateways or spec.gateways or (MESH_GATEWAY,)):
                yield from check_claims(match, (*at, "match", block))
        yield from check_actions(route, at)
    yield from check_streams(spec, SPEC)
    conditions: dict[str, list[tuple[TlsMatch | TcpMatch, ...]]] = {
        "tls": [rule.match for rule in spec.tls],
        "tcp": [rule.match for rule in spec.tcp],
    }
    for kind, matches in conditions.items():
        for index, blocks in enumerate(matches):
            for block, condition in enumerate(blocks):
                place = (*SPEC, kind, index, "match", block, "gateways")
                yield from check_gateways(condition.gateways, place)
    yield from _check_reachable(spec.http)
    yield from check_export_to(spec.export_to, meta.namespace, (*SPEC, "exportTo"))


def _check_hosts(spec: VirtualService) -> Iterator[Finding]:
    at = (*SPEC, "hosts")
    if not spec.hosts:
        yield from _check_delegate(spec)
    is_for_sidecars = not spec.gateways or MESH_GATEWAY in spec.gateways
    good: list[tuple[int, str]] = []
    for index, host in enumerate(spec.hosts):
        if fault := host_or_ip_fault(host):
            yield Finding((*at, index), "bad-value", fault)
        elif host == "*" and is_for_sidecars:
            message = (
                "the host * is not allowed on the mesh gateway; name the hosts, or bind only to gateways"
            )
            yield Finding((*at, index), "conflict", message)
        else:
            twin = next((earlier for _, earlier in good if hosts_overlap(earlier, host)), None)
            if twin is not None:
                yield Finding((*at, index), "duplicate", f'"{host}" overlaps with "{twin}"; keep one of them')
            good.append((index, host))


def _check_delegate(spec: VirtualService) -> Iterator[Finding]:
    """An object without hosts: what the one that hands on to it decides, it cannot say."""
    why = "without hosts it is a delegate"
    for name, value in {"gateways": spec.gateways, "tls": spec.tls, "tcp": spec.tcp}.items():
        if value:
            message = f"{why}, which has http rules alone; add hosts, or remove {name}"
            yield Finding((*SPEC, name), "conflict", message)
    for index, rule in enumerate(spec.http):
        if rule.delegate is not None:
            message = f"{why}, and a delegate hands nothing on; add hosts, or write the rules here"
            yield Finding((*SPEC, "http", index, "delegate"), "conflict", message)


def check_gateways(names: tuple[str, ...], at: Path) -> Iterator[Finding]:
    """Names of Gateways, or `mesh`."""
    for index, name in enumerate(names):
        if fault := gateway_name_fault(name):
            yield Finding((*at, index), "bad-value", fault)
        elif "." in name and "/" not in name:
            gateway, namespace = name.split(".")[:2]
            message = f'"{name}" is the old spelling; write {namespace}/{gateway}'
            yield warning((*at, index), "deprecated", message)


def _check_reachable(routes: tuple[HttpRoute, ...]) -> Iterator[Finding]:
    """A rule without a match takes everything, so later ones never see a request; of one that hands on nobody knows."""
    for index, route in enumerate(routes[:-1]):
        if not route.match and route.delegate is None:
            later = ("spec", "http", index + 1)
            yield warning(
                later, "no-effect", f"never reached: rule {index} takes every request; move it to the end"
            )
            return
