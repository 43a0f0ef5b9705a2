"""Whether one rule of an HTTPRoute or a GRPCRoute makes sense: what it matches, how long it waits, how its clients keep
their endpoint. Called by `routes`.
"""

import re
from collections.abc import Iterator

from proa.core.config.gateway_api.check.filters import FILTERS, OF_GRPC, check_filters, path_of
from proa.core.config.gateway_api.schema import (
    GrpcRule,
    HttpMatch,
    HttpRule,
    MethodMatch,
    SessionPersistence,
)
from proa.core.config.path import Path
from proa.core.config.problem import Finding, warning
from proa.core.config.tree import shorten

_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]{1,128}")
_PROTOBUF_NAME = re.compile(r"[A-Za-z_][A-Za-z_0-9]*(\.[A-Za-z_][A-Za-z_0-9]*)*")


def check_http_rule(rule: HttpRule, at: Path) -> Iterator[Finding]:
    for index, match in enumerate(rule.matches):
        yield from _check_match(match, (*at, "matches", index))
    yield from check_filters(rule.filters, (*at, "filters"), tuple(FILTERS), "an HTTPRoute")
    types = [each.type for each in rule.filters]
    if "RequestRedirect" in types and "URLRewrite" in types:
        message = "RequestRedirect and URLRewrite exclude each other; keep one"
        yield Finding((*at, "filters", types.index("URLRewrite")), "conflict", message)
    if "RequestRedirect" in types and rule.backend_refs:
        message = "a rule that redirects has no backends; remove them"
        yield Finding((*at, "backendRefs"), "conflict", message)
    is_prefix = bool(rule.matches) and all(each.path.type == "PathPrefix" for each in rule.matches)
    for index, each in enumerate(rule.filters):
        path, name = path_of(each)
        if path and path.type == "ReplacePrefixMatch" and not (is_prefix or not rule.matches):
            message = "only a prefix can be replaced: each match of the rule needs a path of type PathPrefix"
            yield Finding((*at, "filters", index, name, "path"), "conflict", message)
    yield from _check_session(rule, at)
    timeouts = rule.timeouts
    if timeouts and timeouts.request and timeouts.backend_request:
        if timeouts.backend_request > timeouts.request:
            message = "one try cannot last longer than the whole request; shorten it"
            yield Finding((*at, "timeouts", "backendRequest"), "out-of-range", message)


def check_grpc_rule(rule: GrpcRule, at: Path) -> Iterator[Finding]:
    for index, match in enumerate(rule.matches):
        if match.method is not None:
            yield from _check_method(match.method, (*at, "matches", index, "method"))
    yield from check_filters(rule.filters, (*at, "filters"), OF_GRPC, "a GRPCRoute")
    yield from _check_session(rule, at)


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


def _check_session(rule: HttpRule | GrpcRule, at: Path) -> Iterator[Finding]:
    spec = rule.session_persistence
    if spec is None:
        return
    here = (*at, "sessionPersistence")
    if spec.session_name and not _TOKEN.fullmatch(spec.session_name):
        message = f'"{shorten(spec.session_name)}" is no name of a cookie or header; write letters, digits and dashes'
        yield Finding((*here, "sessionName"), "bad-value", message)
    yield from _check_lifetime(spec, here)
    if len([each for each in rule.backend_refs if each.weight]) > 1:
        message = "a session holds within a backend; which one a request goes to is drawn each time"
        yield warning(here, "no-effect", message)


def _check_lifetime(spec: SessionPersistence, at: Path) -> Iterator[Finding]:
    cookie = spec.cookie_config
    if spec.type == "Header":
        for name, value in (("cookieConfig", cookie), ("absoluteTimeout", spec.absolute_timeout)):
            if value is not None:
                yield Finding(
                    (*at, name), "conflict", f"a header has no {name}; remove it, or write type: Cookie"
                )
        return
    is_permanent = cookie is not None and cookie.lifetime_type == "Permanent"
    if is_permanent and spec.absolute_timeout is None:
        yield Finding((*at, "absoluteTimeout"), "required", "a permanent cookie needs its time; add it")
    if not is_permanent and spec.absolute_timeout is not None:
        message = "only a cookie of lifetimeType Permanent has a time here; write that"
        yield Finding((*at, "absoluteTimeout"), "not-supported-yet", message)
