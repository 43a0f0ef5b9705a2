"""Steps of a proxy's routing: virtual host, route with all that it does, and what was near when nothing matched."""

from collections.abc import Iterator, Mapping
from difflib import get_close_matches
from typing import Final

from envoy.config.route.v3.route_components_pb2 import Route, VirtualHost
from envoy.config.route.v3.route_pb2 import RouteConfiguration
from envoy.extensions.filters.http.fault.v3.fault_pb2 import HTTPFault
from google.protobuf.duration_pb2 import Duration

from proa.core.pilot.explain.mesh import Known
from proa.core.pilot.explain.story import Cause, Step
from proa.core.pilot.simulate import Request, RouteTaken
from proa.core.pilot.simulate.filters import share
from proa.core.pilot.simulate.matching import find_virtual_host, mismatches, without_port
from proa.core.pilot.simulate.resources import objects_of, rule_of, unpack

NEAREST: Final = 3
FAULT: Final = HTTPFault.DESCRIPTOR.full_name


def host_of(configuration: RouteConfiguration, authority: str) -> VirtualHost | None:
    return find_virtual_host(
        configuration.virtual_hosts, authority, ignore_port=configuration.ignore_port_in_host_matching
    )


def routing_steps(
    known: Known, configuration: RouteConfiguration, taken: RouteTaken, standing: str = ""
) -> Iterator[Step]:
    host = next(each for each in configuration.virtual_hosts if each.name == taken.virtual_host)
    route = host.routes[taken.index]
    yield Step(
        kind="virtual host",
        text=f"{host.name} (routes {configuration.name})",
        causes=tuple(_causes(known, objects_of(host.metadata), skip=taken.objects)),
        standing=standing,
    )
    yield Step(
        kind="route",
        text=route.name or "(unnamed)",
        details=tuple(_deeds(route, taken)),
        causes=tuple(_causes(known, taken.objects, taken.rule)),
    )


def _causes(
    known: Known, objects: tuple[str, ...], rule: str = "", skip: tuple[str, ...] = ()
) -> Iterator[Cause]:
    """The rule is of the first."""
    for number, name in enumerate(objects):
        if name not in skip:
            yield from known.cause(name, rule if number == 0 else "")


def causes_of(known: Known, objects: tuple[str, ...], rule: str = "") -> tuple[Cause, ...]:
    return tuple(_causes(known, objects, rule))


def _deeds(route: Route, taken: RouteTaken) -> Iterator[str]:
    """What is in force on a route, a line each."""
    yield from _faults(route)
    if route.HasField("direct_response"):
        yield f"answers {route.direct_response.status}"
        return
    if route.HasField("redirect"):
        yield "redirects"
        return
    action = route.route
    if action.prefix_rewrite or action.HasField("regex_rewrite"):
        yield f"rewrites the path to {taken.path}"
    if action.host_rewrite_literal:
        yield f"rewrites the host to {action.host_rewrite_literal}"
    if action.HasField("weighted_clusters"):
        total = sum(each.weight.value for each in action.weighted_clusters.clusters)
        for each in action.weighted_clusters.clusters:
            yield f"{percent(each.weight.value / total)} to {each.name}"
    for mirror in action.request_mirror_policies:
        yield f"copies {percent(share(mirror.runtime_fraction.default_value))} to {mirror.cluster}"
    limits = (
        [f"timeout {span(action.timeout)}"]
        if action.HasField("timeout") and action.timeout.ByteSize()
        else []
    )
    retries = taken.retries
    if retries is not None and retries.attempts:
        codes = (*retries.on, *map(str, retries.status_codes))
        tried = [each for each in codes if each not in ("retriable-headers", "retriable-status-codes")]
        per_try = f", {retries.per_try_timeout_ms} ms each" if retries.per_try_timeout_ms else ""
        limits.append(f"{retries.attempts} retries{per_try} on {', '.join(tried)}")
    yield from limits


def _faults(route: Route) -> Iterator[str]:
    for packed in route.typed_per_filter_config.values():
        fault = unpack(packed, HTTPFault)
        if fault is None:
            continue
        if fault.HasField("delay"):
            yield f"fault: delays {percent(share(fault.delay.percentage))} by {span(fault.delay.fixed_delay)}"
        if fault.HasField("abort"):
            status = fault.abort.http_status or f"gRPC status {fault.abort.grpc_status}"
            yield f"fault: answers {percent(share(fault.abort.percentage))} with {status}"


def nothing_matched(
    known: Known, configuration: RouteConfiguration, request: Request, unknown: Mapping[str, str]
) -> tuple[Step, ...]:
    """Why there is no route: no virtual host has the name, or none of its routes fits; then the nearest ones, and of
    each what it asks for in vain. `unknown`: what is known of names that the proxy does not have."""
    host = host_of(configuration, request.authority)
    if host is None:
        near = near_domains(configuration, request.authority)
        text = f"no virtual host of routes {configuration.name} has the name {request.authority}"
        return (Step(kind="virtual host", text=text, details=(*unknown.values(), *near), tone="bad"),)
    found = [(mismatches(route.match, request), index, route) for index, route in enumerate(host.routes)]
    plain = [each for each in found if not each[2].match.HasField("connect_matcher")] or found
    nearest = sorted(plain, key=lambda each: (_distance(each[0]), each[1]))[:NEAREST]
    details = []
    for failed, index, route in nearest:
        who = [str(each) for each in _causes(known, objects_of(route.metadata), rule_of(route.metadata))]
        names = " ".join(word for word in (route.name, *who[:1]) if word) or f"number {index + 1}"
        details.append(f"{names}: {'; '.join(failed)}")
    number = len(plain)
    return (
        Step(
            kind="virtual host",
            text=f"{host.name} (routes {configuration.name})",
            causes=tuple(_causes(known, objects_of(host.metadata))),
        ),
        Step(
            kind="route",
            text=f"none of {number} matches; the nearest:" if number > 1 else "the only one does not match:",
            details=tuple(details),
            tone="bad",
        ),
    )


def _distance(failed: tuple[str, ...]) -> int:
    """A route for another path is farther than one that wants another header."""
    return len(failed) + sum(each.startswith("path ") for each in failed)


def near_domains(configuration: RouteConfiguration, authority: str) -> tuple[str, ...]:
    domains = {domain.removesuffix(":*") for host in configuration.virtual_hosts for domain in host.domains}
    known = sorted(domains - {"*"})
    near = get_close_matches(authority, known, n=2) or get_close_matches(without_port(authority), known, n=2)
    return (f"near to it: {', '.join(near)}",) if near else ()


def percent(part: float) -> str:
    return f"{part * 100:.4g} %"


def span(duration: Duration) -> str:
    seconds = duration.seconds + duration.nanos / 1e9
    return f"{seconds:.4g} s" if seconds >= 1 else f"{seconds * 1000:.4g} ms"
