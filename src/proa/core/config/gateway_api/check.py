"""Whether one object of Gateway API makes sense by itself: its own rules, then what today's kinds say to what a route
becomes. Called through the kinds table.
"""

import re
from collections.abc import Iterable, Iterator, Mapping

from proa.core.config.gateway_api.attach import NAMESPACE_LABEL, ROUTE_KINDS, is_service
from proa.core.config.gateway_api.gateway_schema import (
    Gateway,
    GatewayClass,
    Listener,
    ReferenceGrant,
)
from proa.core.config.gateway_api.rules import Place, Route, ruled
from proa.core.config.gateway_api.schema import (
    GROUP,
    BackendObject,
    BackendRef,
    Cors,
    Filter,
    GrpcRule,
    HeaderModifier,
    HttpMatch,
    HttpRule,
    MethodMatch,
    ParentRef,
    PathModifier,
    RequestMirror,
    TcpRoute,
    TlsRoute,
)
from proa.core.config.hostnames import is_dns_label, is_ip, name_fault, wildcard_name_fault
from proa.core.config.legacy.check import Reader
from proa.core.config.legacy.draft import SPEC
from proa.core.config.meta import Meta
from proa.core.config.near_names import suggestion
from proa.core.config.path import Path, path_text
from proa.core.config.problem import Finding, warning
from proa.core.config.tree import Json, shorten
from proa.core.model.names import ObjectRef

NETWORKING = "networking.istio.io"
FILTERS = {
    "RequestHeaderModifier": "requestHeaderModifier",
    "ResponseHeaderModifier": "responseHeaderModifier",
    "RequestMirror": "requestMirror",
    "RequestRedirect": "requestRedirect",
    "URLRewrite": "urlRewrite",
    "CORS": "cors",
}
LATER_FILTERS = ("ExternalAuth", "ExtensionRef")
OF_BACKENDS = ("RequestHeaderModifier", "ResponseHeaderModifier")
OF_GRPC = (*OF_BACKENDS, "RequestMirror")
REDIRECTS = (301, 302, 303, 307, 308)
_ORIGIN = re.compile(r"https?://(\*|(\*\.)?[A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?)(:(\*|[0-9]{1,5}))?")
_PROTOBUF_NAME = re.compile(r"[A-Za-z_][A-Za-z_0-9]*(\.[A-Za-z_][A-Za-z_0-9]*)*")


# -- gateways --


def check_class(spec: GatewayClass, meta: Meta) -> Iterator[Finding]:
    if "/" not in spec.controller_name:
        message = f'"{shorten(spec.controller_name)}" is no controller; write proa.dev/gateway-controller'
        yield Finding((*SPEC, "controllerName"), "bad-value", message)


def check_gateway(spec: Gateway, meta: Meta) -> Iterator[Finding]:
    if not spec.gateway_class_name:
        yield Finding((*SPEC, "gatewayClassName"), "required", "a class is required; write proa")
    if not spec.listeners:
        yield Finding((*SPEC, "listeners"), "required", "a gateway needs at least one listener; add one")
    names: dict[str, int] = {}
    hosts: dict[tuple[int, str], int] = {}
    protocols: dict[int, str] = {}
    for index, each in enumerate(spec.listeners):
        at = (*SPEC, "listeners", index)
        yield from _check_listener(each, at)
        if (first := names.setdefault(each.name, index)) != index:
            yield Finding((*at, "name"), "duplicate", f"listener {first} has this name too; rename one")
        if (other := protocols.setdefault(each.port, each.protocol)) != each.protocol:
            message = f"port {each.port} is one of protocol {other} already; choose another port"
            yield Finding((*at, "protocol"), "conflict", message)
        if (first := hosts.setdefault((each.port, each.hostname.lower()), index)) != index:
            message = f"listener {first} has this port and hostname too; keep one of them"
            yield Finding((*at, "hostname" if each.hostname else "port"), "duplicate", message)


def _check_listener(listener: Listener, at: Path) -> Iterator[Finding]:
    if not is_dns_label(listener.name):
        message = f'"{shorten(listener.name)}" is no name; write lower-case letters, digits and inner dashes'
        yield Finding((*at, "name"), "bad-value", message)
    served = ", ".join(ROUTE_KINDS)
    if listener.protocol == "UDP":
        message = f"UDP listeners are not supported yet; write one of {served}"
        yield Finding((*at, "protocol"), "not-supported-yet", message)
    elif listener.protocol not in ROUTE_KINDS:
        hint = suggestion(listener.protocol, ROUTE_KINDS) or f"; write one of {served}"
        message = f'"{shorten(listener.protocol)}" is no protocol of a listener{hint}'
        yield Finding((*at, "protocol"), "bad-value", message)
    if listener.hostname and (fault := _hostname_fault(listener.hostname)):
        yield Finding((*at, "hostname"), "bad-value", fault)
    if listener.hostname and listener.protocol == "TCP":
        message = "connections without TLS ask for no name; remove it"
        yield Finding((*at, "hostname"), "conflict", message)
    yield from _check_tls(listener, (*at, "tls"))
    yield from _check_allowed(listener, (*at, "allowedRoutes"))


def _check_tls(listener: Listener, at: Path) -> Iterator[Finding]:
    wanted = {"HTTPS": "Terminate", "TLS": "Passthrough"}.get(listener.protocol)
    tls = listener.tls
    if wanted is None:
        if tls is not None:
            yield Finding(at, "conflict", f"a listener of protocol {listener.protocol} has no TLS; remove it")
        return
    if tls is None:
        yield Finding(at, "required", f"a listener of protocol {listener.protocol} needs tls; add it")
        return
    if tls.mode != wanted:
        message = f"a listener of protocol {listener.protocol} serves {wanted} alone; write that"
        yield Finding((*at, "mode"), "not-supported-yet", message)
    elif wanted == "Terminate" and not tls.certificate_refs:
        message = "to end TLS takes a certificate; name a Secret"
        yield Finding((*at, "certificateRefs"), "required", message)
    for index, each in enumerate(tls.certificate_refs):
        place = (*at, "certificateRefs", index)
        if each.kind != "Secret" or each.group not in ("", "core"):
            yield Finding((*place, "kind"), "bad-value", "a certificate is kept in a Secret; name one")
        if each.namespace:
            message = "secrets are kept on the gateway's host and have no namespace; remove it"
            yield Finding((*place, "namespace"), "not-supported-yet", message)


def _check_allowed(listener: Listener, at: Path) -> Iterator[Finding]:
    allowed, able = listener.allowed_routes, ROUTE_KINDS.get(listener.protocol, ())
    namespaces = allowed.namespaces
    if namespaces.from_ == "Selector" and namespaces.selector is None:
        message = "from: Selector needs a selector; add one with matchLabels"
        yield Finding((*at, "namespaces", "selector"), "required", message)
    for label in namespaces.selector.match_labels if namespaces.selector else ():
        if label != NAMESPACE_LABEL:
            message = f"namespaces have no labels here but {NAMESPACE_LABEL}; write that"
            place = (*at, "namespaces", "selector", "matchLabels", label)
            yield Finding(place, "not-supported-yet", message)
    for index, kind in enumerate(allowed.kinds):
        if able and (kind.group != GROUP or kind.kind not in able):
            message = f"a listener of protocol {listener.protocol} serves {' and '.join(able)} alone"
            yield warning((*at, "kinds", index), "no-effect", message)


def check_grant(spec: ReferenceGrant, meta: Meta) -> Iterator[Finding]:
    for name, entries in (("from", spec.from_), ("to", spec.to)):
        if not entries:
            yield Finding((*SPEC, name), "required", f"{name} must hold at least one entry; add one")


# -- routes --


def check_route(
    kind: str, spec: Route, meta: Meta, kinds: Mapping[tuple[str, str], Reader]
) -> Iterator[Finding]:
    """`kinds` is the table, for what the route becomes."""
    own = list(_check_route(spec))
    yield from own
    if any(finding.severity == "error" for finding in own):
        return
    ref = ObjectRef(kind, meta.namespace, meta.name)
    http: list[Json] = []
    drafts = [each.draft for each in ruled(ref, spec, Place(port=80, is_listener=True), is_service)]
    places = [place for index, draft in enumerate(drafts) for place in draft.below((*SPEC, "http", index))]
    http = [draft.value for draft in drafts]
    if not http:
        return
    found: list[Finding] = []
    today = Meta(name=meta.name, namespace=meta.namespace)
    value: Json = {"hosts": ["*"], "gateways": ["any"], "http": http}
    kinds[NETWORKING, "VirtualService"].read(value, today, found)
    for finding in found:
        if finding.severity == "error":
            near = [each for each in places if finding.path[: len(each.path)] == each.path]
            best = max(near, key=lambda each: len(each.path), default=None)
            where = f"VirtualService {path_text(finding.path)}"
            old = best.old if best else SPEC
            yield Finding(old, finding.code, f"{finding.message} (it becomes {where})")


def check_stream_route(spec: TlsRoute | TcpRoute, meta: Meta) -> Iterator[Finding]:
    yield from _check_parents(spec.parent_refs)
    for index, parent in enumerate(spec.parent_refs):
        if parent.kind == "Service":
            message = "a Service's callers are routed by HTTPRoutes and GRPCRoutes alone; name a Gateway"
            yield Finding((*SPEC, "parentRefs", index, "kind"), "not-supported-yet", message)
    if isinstance(spec, TlsRoute):
        yield from _check_hostnames(spec.hostnames)
    if len(spec.rules) != 1:
        yield Finding((*SPEC, "rules"), "required", "exactly one rule is served; write one")
    for index, rule in enumerate(spec.rules):
        for number, backend in enumerate(rule.backend_refs):
            yield from _check_target(backend, (*SPEC, "rules", index, "backendRefs", number))


def _check_route(spec: Route) -> Iterator[Finding]:
    yield from _check_parents(spec.parent_refs)
    yield from _check_hostnames(spec.hostnames)
    rules: tuple[HttpRule | GrpcRule, ...] = spec.rules
    for index, rule in enumerate(rules):
        at = (*SPEC, "rules", index)
        if isinstance(rule, HttpRule):
            yield from _check_http_rule(rule, at)
        else:
            yield from _check_grpc_rule(rule, at)
        for number, backend in enumerate(rule.backend_refs):
            yield from _check_backend(backend, (*at, "backendRefs", number))


def _check_parents(parents: tuple[ParentRef, ...]) -> Iterator[Finding]:
    if not parents:
        message = "without a parent the route is for nobody; name a Gateway or a Service"
        yield warning((*SPEC, "parentRefs"), "no-effect", message)
    for index, parent in enumerate(parents):
        yield from _check_parent(parent, (*SPEC, "parentRefs", index))
        if parent in parents[:index]:
            yield Finding(
                (*SPEC, "parentRefs", index), "duplicate", "this parent is named already; remove it"
            )


def _check_hostnames(hostnames: tuple[str, ...]) -> Iterator[Finding]:
    for index, host in enumerate(hostnames):
        if fault := _hostname_fault(host):
            yield Finding((*SPEC, "hostnames", index), "bad-value", fault)


def _check_parent(parent: ParentRef, at: Path) -> Iterator[Finding]:
    if (parent.group, parent.kind) == (GROUP, "Gateway"):
        return
    if parent.kind == "Service" and parent.group in ("", "core"):
        if parent.section_name:
            message = "of a Service ports are named by number; write port instead"
            yield Finding((*at, "sectionName"), "not-supported-yet", message)
    else:
        written = f"{parent.group}/{parent.kind}" if parent.group else parent.kind
        hint = (
            "; for a Service write group: ''" if parent.kind == "Service" else "; write Gateway, or Service"
        )
        message = f"{shorten(written)} is no parent that is served{hint}"
        yield Finding((*at, "kind"), "bad-value", message)


def _check_backend(backend: BackendRef, at: Path) -> Iterator[Finding]:
    yield from _check_target(backend, at)
    yield from _check_filters(backend.filters, (*at, "filters"), OF_BACKENDS, "a backend")


def _check_target(backend: BackendObject, at: Path) -> Iterator[Finding]:
    if is_service(backend):
        if backend.port is None:
            yield Finding((*at, "port"), "required", "a Service is called at a port; add port")
    else:
        message = f"a backend of kind {shorten(backend.kind)} is not served: its share is refused"
        yield warning((*at, "kind"), "no-effect", message)


def _check_http_rule(rule: HttpRule, at: Path) -> Iterator[Finding]:
    for index, match in enumerate(rule.matches):
        yield from _check_match(match, (*at, "matches", index))
    yield from _check_filters(rule.filters, (*at, "filters"), tuple(FILTERS), "an HTTPRoute")
    types = [each.type for each in rule.filters]
    if "RequestRedirect" in types and "URLRewrite" in types:
        message = "RequestRedirect and URLRewrite exclude each other; keep one"
        yield Finding((*at, "filters", types.index("URLRewrite")), "conflict", message)
    if "RequestRedirect" in types and rule.backend_refs:
        message = "a rule that redirects has no backends; remove them"
        yield Finding((*at, "backendRefs"), "conflict", message)
    is_prefix = bool(rule.matches) and all(each.path.type == "PathPrefix" for each in rule.matches)
    for index, each in enumerate(rule.filters):
        path, name = _path_of(each)
        if path and path.type == "ReplacePrefixMatch" and not (is_prefix or not rule.matches):
            message = "only a prefix can be replaced: each match of the rule needs a path of type PathPrefix"
            yield Finding((*at, "filters", index, name, "path"), "conflict", message)
    timeouts = rule.timeouts
    if timeouts and timeouts.request and timeouts.backend_request:
        if timeouts.backend_request > timeouts.request:
            message = "one try cannot last longer than the whole request; shorten it"
            yield Finding((*at, "timeouts", "backendRequest"), "out-of-range", message)


def _check_grpc_rule(rule: GrpcRule, at: Path) -> Iterator[Finding]:
    for index, match in enumerate(rule.matches):
        if match.method is not None:
            yield from _check_method(match.method, (*at, "matches", index, "method"))
    yield from _check_filters(rule.filters, (*at, "filters"), OF_GRPC, "a GRPCRoute")


def _check_method(method: MethodMatch, at: Path) -> Iterator[Finding]:
    if not method.service and not method.method:
        yield Finding(at, "required", "a service or a method is required; add one")
    if method.type == "Exact":
        for name, text in (("service", method.service), ("method", method.method)):
            if text and not _PROTOBUF_NAME.fullmatch(text):
                message = f'"{shorten(text)}" is no {name} of gRPC; write it as its .proto does'
                yield Finding((*at, name), "bad-value", message)


def _check_match(match: HttpMatch, at: Path) -> Iterator[Finding]:
    path = match.path
    if path.type != "RegularExpression":
        if not path.value.startswith("/"):
            yield Finding((*at, "path", "value"), "bad-value", "a path begins with a slash; write it")
        bad = next((part for part in ("//", "/./", "/../", "%2f", "%2F", "#") if part in path.value), None)
        bad = bad or next((end for end in ("/..", "/.") if path.value.endswith(end)), None)
        if bad:
            yield Finding((*at, "path", "value"), "bad-value", f'a path cannot hold "{bad}"; remove it')


def _check_filters(
    filters: Iterable[Filter], at: Path, known: tuple[str, ...], owner: str
) -> Iterator[Finding]:
    seen: set[str] = set()
    for index, each in enumerate(filters):
        here = (*at, index)
        if each.type in LATER_FILTERS or (each.type in FILTERS and each.type not in known):
            message = f"the filter {each.type} is not supported yet in {owner}; remove it"
            yield Finding((*here, "type"), "not-supported-yet", message)
            continue
        if each.type not in FILTERS:
            hint = suggestion(each.type, known) or f"; write one of {', '.join(known)}"
            yield Finding((*here, "type"), "bad-value", f'there is no filter "{shorten(each.type)}"{hint}')
            continue
        if each.type in seen and each.type != "RequestMirror":
            message = f"there is one {each.type} already; put both together"
            yield Finding((*here, "type"), "duplicate", message)
        seen.add(each.type)
        yield from _check_filter(each, here)


def _check_filter(each: Filter, at: Path) -> Iterator[Finding]:
    parts = {
        "requestHeaderModifier": each.request_header_modifier,
        "responseHeaderModifier": each.response_header_modifier,
        "requestMirror": each.request_mirror,
        "requestRedirect": each.request_redirect,
        "urlRewrite": each.url_rewrite,
        "cors": each.cors,
    }
    wanted = FILTERS[each.type]
    if parts[wanted] is None:
        yield Finding((*at, wanted), "required", f"a filter of type {each.type} needs {wanted}; add it")
    for name, part in parts.items():
        if part is not None and name != wanted:
            yield Finding((*at, name), "conflict", f"{name} is not of the type {each.type}; remove one")
    for name in ("requestHeaderModifier", "responseHeaderModifier"):
        modifier = parts[name]
        if isinstance(modifier, HeaderModifier):
            yield from _check_modifier(modifier, (*at, name))
    if each.request_mirror is not None:
        yield from _check_mirror(each.request_mirror, (*at, "requestMirror"))
    path, name = _path_of(each)
    if path is not None:
        yield from _check_path(path, (*at, name, "path"))
    for name, part in (("requestRedirect", each.request_redirect), ("urlRewrite", each.url_rewrite)):
        if part is not None and part.hostname and (fault := name_fault(part.hostname)):
            yield Finding((*at, name, "hostname"), "bad-value", fault)
    if each.request_redirect is not None and each.request_redirect.status_code not in REDIRECTS:
        message = f"write one of {', '.join(map(str, REDIRECTS))}"
        yield Finding((*at, "requestRedirect", "statusCode"), "bad-value", message)
    if each.cors is not None:
        yield from _check_cors(each.cors, (*at, "cors"))


def _path_of(each: Filter) -> tuple[PathModifier | None, str]:
    if each.request_redirect is not None:
        return each.request_redirect.path, "requestRedirect"
    return (each.url_rewrite.path, "urlRewrite") if each.url_rewrite is not None else (None, "")


def _check_path(path: PathModifier, at: Path) -> Iterator[Finding]:
    given = {"ReplaceFullPath": path.replace_full_path, "ReplacePrefixMatch": path.replace_prefix_match}
    fields = {"ReplaceFullPath": "replaceFullPath", "ReplacePrefixMatch": "replacePrefixMatch"}
    for name, value in given.items():
        if (value is not None) != (name == path.type):
            word = "needs" if name == path.type else "excludes"
            yield Finding((*at, fields[name]), "conflict", f"type {path.type} {word} {fields[name]}")
        elif value and not value.startswith("/"):
            yield Finding((*at, fields[name]), "bad-value", "a path begins with a slash; write it")


def _check_modifier(modifier: HeaderModifier, at: Path) -> Iterator[Finding]:
    seen: dict[str, str] = {}
    entries = [("set", index, each.name) for index, each in enumerate(modifier.set)]
    entries += [("add", index, each.name) for index, each in enumerate(modifier.add)]
    entries += [("remove", index, name) for index, name in enumerate(modifier.remove)]
    for verb, index, name in entries:
        if (first := seen.setdefault(name.lower(), verb)) != verb or (
            name.lower()
            in [other.lower() for kind, before, other in entries if kind == verb and before < index]
        ):
            message = f"the header {shorten(name)} stands under {first} already; keep one"
            yield Finding((*at, verb, index), "duplicate", message)


def _check_mirror(mirror: RequestMirror, at: Path) -> Iterator[Finding]:
    yield from _check_target(mirror.backend_ref, (*at, "backendRef"))
    fraction = mirror.fraction
    if fraction is not None and mirror.percent is not None:
        yield Finding((*at, "percent"), "conflict", "percent and fraction exclude each other; keep one")
    if fraction is not None and fraction.numerator > fraction.denominator:
        message = "a fraction is at most one; make the numerator smaller"
        yield Finding((*at, "fraction", "numerator"), "out-of-range", message)


def _check_cors(cors: Cors, at: Path) -> Iterator[Finding]:
    for index, origin in enumerate(cors.allow_origins):
        if origin != "*" and (not _ORIGIN.fullmatch(origin) or ":*" in origin.partition("//")[2]):
            message = f'"{shorten(origin)}" is no origin; write *, or scheme://host with an optional port'
            yield Finding((*at, "allowOrigins", index), "bad-value", message)
    if "*" in cors.allow_headers and cors.allow_credentials:
        message = "with credentials no browser takes * for all headers; name them"
        yield Finding((*at, "allowHeaders"), "conflict", message)


def _hostname_fault(host: str) -> str | None:
    if is_ip(host) or any(char in host for char in ":/?#@[]"):
        return f'"{shorten(host)}" is no host name; write a DNS name, without address or port'
    if "*" in host and not host.startswith("*."):
        return f'"{shorten(host)}" is no host name: * may stand only as the first part, like *.example.com'
    return wildcard_name_fault(host)
