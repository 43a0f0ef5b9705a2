"""Whether one old object makes sense, by itself: its own rules, then what today's kinds say to what it becomes.

Called through the kinds table. What is wrong with the converted object is told at the place of the old one, with the
field of today in the message, so that a fault of 2018's file is mended in that file.
"""

from collections.abc import Iterator, Mapping
from typing import Protocol

import msgspec

from proa.core.config.kinds.policy_2018.schema import Policy
from proa.core.config.kinds.policy_2018.validate import validate_mesh_policy, validate_policy
from proa.core.config.labels import check_selector
from proa.core.config.legacy.convert import OldSpec, convert
from proa.core.config.legacy.draft import SPEC
from proa.core.config.legacy.ingress import CLASS_ANNOTATION, OUR_CLASS, is_ours
from proa.core.config.legacy.ingress_schema import Backend, Ingress
from proa.core.config.legacy.peers import MESH_POLICY
from proa.core.config.legacy.schema import (
    DestinationPolicy,
    EgressRule,
    IngressRule,
    IstioService,
    MatchCondition,
    RouteRule,
)
from proa.core.config.legacy.services import source_service, spelled_host
from proa.core.config.meta import Meta
from proa.core.config.path import Path, path_text
from proa.core.config.problem import Finding, warning
from proa.core.config.record import Record
from proa.core.config.tree import Json, shorten
from proa.core.model.names import ObjectRef


class Reader(Protocol):
    """A row of the kinds table."""

    def read(self, value: Json, meta: Meta, found: list[Finding]) -> Record: ...


class _Alone(msgspec.Struct, frozen=True):
    """An old object before it is a Config."""

    ref: ObjectRef
    meta: Meta
    spec: OldSpec


def check_old(
    kind: str, spec: OldSpec, meta: Meta, kinds: Mapping[tuple[str, str], Reader]
) -> Iterator[Finding]:
    """`kinds` is the table, for what the object becomes."""
    own = list(_check(kind, spec, meta))
    yield from own
    if any(finding.severity == "error" for finding in own):
        return
    alone = _Alone(ObjectRef(kind, meta.namespace, meta.name), meta, spec)
    for derived in convert([alone]).derived:
        found: list[Finding] = []
        today = Meta(name=derived.name, namespace=derived.namespace)
        kinds[derived.row].read(derived.spec, today, found)
        for finding in found:
            if finding.severity == "error":
                _, old = derived.origin(finding.path)
                where = f"{derived.kind} {path_text(finding.path)}"
                yield Finding(old, finding.code, f"{finding.message} (it becomes {where})")


def _check(kind: str, spec: OldSpec, meta: Meta) -> Iterator[Finding]:
    match spec:
        case RouteRule():
            yield from _check_route_rule(spec, meta)
        case DestinationPolicy():
            yield from _check_service(spec.destination, (*SPEC, "destination"), meta)
            yield from _check_source(spec.source, (*SPEC, "source"), meta)
        case EgressRule():
            yield from _check_egress(spec)
        case IngressRule():
            yield from _check_ingress_rule(spec, meta)
        case Ingress():
            yield from _check_ingress(spec, meta)
        case Policy():
            yield from (
                validate_mesh_policy(spec, meta) if kind == MESH_POLICY else validate_policy(spec, meta)
            )


def _check_service(service: IstioService, at: Path, meta: Meta, *, labels: bool = True) -> Iterator[Finding]:
    if not spelled_host(service, meta.namespace):
        yield Finding(at, "required", "a service needs a name; add name, or service with the full name")
    if service.labels and not labels:
        message = "the labels stand in the route, not in the destination of the rule; move them there"
        yield Finding((*at, "labels"), "conflict", message)
    yield from check_selector(service.labels, (*at, "labels"))


def _check_source(source: IstioService | None, at: Path, meta: Meta) -> Iterator[Finding]:
    if source is None:
        return
    if source_service(source, meta.namespace) is None:
        message = (
            f'"{shorten(source.service)}" is no service of the mesh, so it is nobody\'s client; write one'
        )
        yield Finding((*at, "service"), "bad-value", message)
    elif source == IstioService():
        yield Finding(at, "required", "a source needs a name, a namespace or labels; add one")
    yield from check_selector(source.labels, (*at, "labels"))


def _check_match(match: MatchCondition | None, at: Path, meta: Meta) -> Iterator[Finding]:
    if match is not None:
        yield from _check_source(match.source, (*at, "source"), meta)


def _check_route_rule(rule: RouteRule, meta: Meta) -> Iterator[Finding]:
    yield from _check_service(rule.destination, (*SPEC, "destination"), meta, labels=False)
    yield from _check_match(rule.match, (*SPEC, "match"), meta)
    for index, each in enumerate(rule.route):
        at = (*SPEC, "route", index)
        yield from check_selector(each.labels, (*at, "labels"))
        if each.destination is not None:
            yield from _check_service(each.destination, (*at, "destination"), meta)
    if rule.mirror is not None:
        yield from _check_service(rule.mirror, (*SPEC, "mirror"), meta)
    for name, part in {"delay": rule.http_fault and rule.http_fault.delay}.items():
        if part and (part.fixed_delay is None) == (part.exponential_delay is None):
            message = "a delay needs one of fixedDelay and exponentialDelay; keep one"
            yield Finding((*SPEC, "httpFault", name), "required", message)
    abort = rule.http_fault.abort if rule.http_fault else None
    if abort and sum((abort.http_status is not None, bool(abort.grpc_status), bool(abort.http2_error))) != 1:
        message = "an abort needs one of httpStatus, grpcStatus and http2Error; keep one"
        yield Finding((*SPEC, "httpFault", "abort"), "required", message)
    if rule.websocket_upgrade:
        message = "every route lets WebSockets through today; remove it"
        yield warning((*SPEC, "websocketUpgrade"), "no-effect", message)


def _check_egress(rule: EgressRule) -> Iterator[Finding]:
    at = (*SPEC, "destination")
    other = rule.destination.name or rule.destination.namespace or rule.destination.domain
    if not rule.destination.service or other or rule.destination.labels:
        message = "an egress rule names its host by service alone: a host, *.host, or a block of addresses"
        yield Finding(at, "required", message)
    if not rule.ports:
        yield Finding((*SPEC, "ports"), "required", "at least one port is required; add one")
    for index, port in enumerate(rule.ports):
        if port.protocol.upper() == "HTTPS":
            message = "calls must be https:// now: the sidecar passes TLS through and begins none of its own"
            yield warning((*SPEC, "ports", index, "protocol"), "no-effect", message)
    if rule.use_egress_proxy:
        message = "was never in force; remove it, or write a VirtualService by an egress gateway"
        yield warning((*SPEC, "useEgressProxy"), "no-effect", message)


def _check_ingress_rule(rule: IngressRule, meta: Meta) -> Iterator[Finding]:
    yield from _check_service(rule.destination, (*SPEC, "destination"), meta)
    if rule.match is not None and rule.match.source is not None:
        message = "whoever comes in by a gateway is no service of the mesh; remove the source"
        yield Finding((*SPEC, "match", "source"), "conflict", message)
    if rule.destination_port_name:
        message = "a name does not tell which number a service has it for; write destinationPort"
        yield Finding((*SPEC, "destinationPortName"), "no-equivalent", message)


def _check_ingress(spec: Ingress, meta: Meta) -> Iterator[Finding]:
    annotation = meta.annotations.get(CLASS_ANNOTATION)
    if not is_ours(spec.ingress_class_name, annotation):
        name = shorten(annotation or spec.ingress_class_name)
        message = f'the class "{name}" is another controller\'s; only {OUR_CLASS} is served here'
        yield warning((*SPEC, "ingressClassName"), "no-effect", message)
    if spec.default_backend is None and not any(rule.http and rule.http.paths for rule in spec.rules):
        yield Finding(SPEC, "required", "an Ingress needs a backend; add rules with paths, or defaultBackend")
    if spec.default_backend is not None:
        yield from _check_backend(spec.default_backend, (*SPEC, "defaultBackend"))
    for index, rule in enumerate(spec.rules):
        for number, path in enumerate(rule.http.paths if rule.http else ()):
            at = (*SPEC, "rules", index, "http", "paths", number)
            yield from _check_backend(path.backend, (*at, "backend"))
            if path.path_type not in ("", "Exact", "Prefix", "ImplementationSpecific"):
                message = f'"{shorten(path.path_type)}" is none of Exact, Prefix, ImplementationSpecific'
                yield Finding((*at, "pathType"), "bad-value", message)
            if path.path and not path.path.startswith("/"):
                yield Finding((*at, "path"), "bad-value", "a path begins with a slash; write it")
    for index, tls in enumerate(spec.tls):
        if not tls.secret_name:
            message = "TLS needs the name of a secret; add secretName"
            yield Finding((*SPEC, "tls", index), "required", message)


def _check_backend(backend: Backend, at: Path) -> Iterator[Finding]:
    port = backend.service.port
    if port is not None and port.name and not port.number:
        message = "a name does not tell which number a service has it for; write the number"
        yield Finding((*at, "service", "port", "name"), "no-equivalent", message)
