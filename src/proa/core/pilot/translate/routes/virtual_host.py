"""One virtual host, and route configurations put together from virtual hosts' bytes.

A route configuration of a large scope holds hundreds of hosts and one of them changes at a time. So each host is
serialised once as a piece of the configuration (a repeated field may be concatenated), and the whole is a join.
"""

from collections.abc import Iterable
from typing import Final

import msgspec
from envoy.config.route.v3.route_components_pb2 import (
    FilterConfig,
    Route,
    VirtualHost,
)
from envoy.config.route.v3.route_pb2 import RouteConfiguration
from google.protobuf.any_pb2 import Any as AnyMessage

from proa.core.config.kinds.virtual_service.actions import LARGEST_BODY
from proa.core.model.digest import digest_bytes
from proa.core.model.names import ObjectRef
from proa.core.pilot.resource import Resource, ResourceType
from proa.core.pilot.translate.encode import pack, provenance
from proa.core.pilot.translate.filters.names import (
    APP_REFUSED_HEADER,
    CORS,
    EGRESS_GUARD,
    FAULT,
    FORWARD_PROXY,
    SESSION,
)
from proa.core.pilot.translate.routes.actions import act
from proa.core.pilot.translate.routes.cors import build_cors
from proa.core.pilot.translate.routes.faults import build_fault
from proa.core.pilot.translate.routes.intents import (
    RouteIntent,
    VirtualHostIntent,
)
from proa.core.pilot.translate.routes.match import build_match
from proa.core.pilot.translate.routes.sessions import build_session
from proa.core.pilot.translate.routes.tunnels import connect_routes

_LARGEST_BY_DEFAULT: Final = 4096
"""Envoy refuses a route configuration with a larger direct response, unless it says how large they may be."""


class VirtualHostPart(msgspec.Struct, frozen=True, kw_only=True):
    """`piece` is the host as a field of a RouteConfiguration, ready to be concatenated."""

    name: str
    piece: bytes
    objects: tuple[ObjectRef, ...]


def build_virtual_host(intent: VirtualHostIntent) -> VirtualHostPart:
    routes = [*_connect_routes(intent), *(route for rule in intent.routes for route in _build_rule(rule))]
    host = VirtualHost(
        name=intent.name, domains=intent.domains, routes=routes, metadata=provenance(intent.objects)
    )
    part = RouteConfiguration(virtual_hosts=[host])
    if any(_answer_bytes(rule) > _LARGEST_BY_DEFAULT for rule in intent.routes):
        part.max_direct_response_body_size_bytes.value = LARGEST_BODY
    piece = part.SerializeToString(deterministic=True)
    return VirtualHostPart(name=intent.name, piece=piece, objects=intent.objects)


def _answer_bytes(rule: RouteIntent) -> int:
    """Of the body that the route itself answers with."""
    answer = rule.direct_response
    return 0 if answer is None else len(answer.content) or len(answer.body.encode())


def build_route_configuration(name: str, parts: Iterable[VirtualHostPart]) -> Resource:
    ordered = sorted(parts, key=lambda part: part.name)
    head = RouteConfiguration(name=name, response_headers_to_remove=[APP_REFUSED_HEADER])
    value = head.SerializeToString(deterministic=True) + b"".join(part.piece for part in ordered)
    body = AnyMessage(type_url=ResourceType.ROUTE.url, value=value).SerializeToString(deterministic=True)
    objects = sorted({ref for part in ordered for ref in part.objects})
    return Resource(
        type=ResourceType.ROUTE, name=name, body=body, digest=digest_bytes(body), objects=tuple(objects)
    )


def _connect_routes(intent: VirtualHostIntent) -> list[Route]:
    routes = list(connect_routes(intent))
    if routes and intent.connect and intent.connect.guarded:
        _guard(routes[-1])
    return routes


def _guard(route: Route) -> None:
    """Out of the mesh: by the forward proxy, under the guard's eyes."""
    for name in (FORWARD_PROXY, EGRESS_GUARD):
        route.typed_per_filter_config[name].CopyFrom(_switched_on())


def _switched_on() -> AnyMessage:
    """A filter that is disabled in the chain runs on routes that say so; an absent guard fails the request."""
    return pack(FilterConfig(config=AnyMessage()))


def _build_rule(rule: RouteIntent) -> list[Route]:
    routes = []
    for match in rule.matches:
        route = Route(
            name=rule.name,
            match=build_match(match),
            metadata=provenance(rule.objects, rule.rule),
            stat_prefix=match.stat_prefix,
        )
        act(route, rule, prefix=match.path.value if match.path and match.path.kind == "prefix" else "")
        if rule.fault is not None:
            route.typed_per_filter_config[FAULT].CopyFrom(pack(build_fault(rule.fault)))
        if rule.cors is not None:
            route.typed_per_filter_config[CORS].CopyFrom(pack(build_cors(rule.cors)))
        if rule.session is not None:
            route.typed_per_filter_config[SESSION].CopyFrom(pack(build_session(rule.session)))
        if rule.guarded:
            _guard(route)
        routes.append(route)
    return routes


__all__ = ["VirtualHostPart", "build_route_configuration", "build_virtual_host"]
