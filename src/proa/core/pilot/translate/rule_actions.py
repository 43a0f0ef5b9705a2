"""What one rule does to the requests it takes, from the user's words to a route's: field by field, without asking
which services exist. `rules` puts the parts together."""

from base64 import b64decode
from collections.abc import Iterator
from math import ceil

import msgspec
from immutables import Map

from proa.core.config.kinds.virtual_service.schema import Cors as CorsSpec
from proa.core.config.kinds.virtual_service.schema import (
    Destination,
    HeaderOperations,
    HttpRoute,
    StringMatch,
)
from proa.core.config.kinds.virtual_service.status_names import GRPC_STATUSES
from proa.core.pilot.translate.routes.intents import (
    Cors,
    DirectResponse,
    Fault,
    HeaderEdits,
    Redirect,
    Rewrite,
    TextMatch,
)

AUTHORITY = ("host", ":authority")
"""Names under which users set the host; no proxy takes it as a header to add."""


def text_match(match: StringMatch) -> TextMatch:
    if match.exact is not None:
        return TextMatch(kind="exact", value=match.exact)
    if match.prefix is not None:
        return TextMatch(kind="prefix", value=match.prefix) if match.prefix else TextMatch(kind="present")
    if match.regex is not None:
        return TextMatch(kind="regex", value=match.regex)
    return TextMatch(kind="present")


def edits_of(spec: HeaderOperations | None) -> HeaderEdits:
    """Without the host, which is no header to a proxy: see `authority_of`."""
    if spec is None:
        return HeaderEdits()
    return HeaderEdits(
        set=_pairs(spec.set), add=_pairs(spec.add), remove=tuple(sorted(name.lower() for name in spec.remove))
    )


def _pairs(values: Map[str, str]) -> tuple[tuple[str, str], ...]:
    named = ((name.lower(), value) for name, value in values.items())
    return tuple(sorted(pair for pair in named if pair[0] not in AUTHORITY))


def authority_of(spec: HeaderOperations | None) -> str:
    """The host a rule sets among its request headers."""
    if spec is None:
        return ""
    return next((value for name, value in spec.set.items() if name.lower() in AUTHORITY), "")


def fault_of(rule: HttpRoute) -> Fault | None:
    if rule.fault is None or not (rule.fault.delay or rule.fault.abort):
        return None
    delay, abort = rule.fault.delay, rule.fault.abort
    return Fault(
        delay_ms=(delay.fixed_delay or 0) if delay else 0,
        delay_percent=delay.share if delay else 0.0,
        abort_status=(abort.http_status or 0) if abort else 0,
        abort_grpc=GRPC_STATUSES[abort.grpc_status] if abort and abort.grpc_status else None,
        abort_percent=abort.share if abort else 0.0,
    )


def redirect_of(rule: HttpRoute, port: int) -> Redirect | None:
    spec = rule.redirect
    if spec is None:
        return None
    return Redirect(
        path=spec.uri,
        prefix=spec.prefix_rewrite,
        authority=spec.authority,
        scheme=spec.scheme,
        port=port if spec.derive_port == "FROM_REQUEST_PORT" else spec.port or 0,
        code=spec.redirect_code or 301,
    )


def direct_response_of(rule: HttpRoute) -> DirectResponse | None:
    spec = rule.direct_response
    if spec is None:
        return None
    body = spec.body
    return DirectResponse(
        status=spec.status,
        body=(body.string or "") if body else "",
        content=b64decode(body.bytes) if body and body.bytes else b"",
    )


def rewrite_of(rule: HttpRoute) -> Rewrite | None:
    """A host that is set among the headers of the whole rule counts as its rewrite, unless there is one."""
    spec = rule.rewrite
    told = authority_of(rule.headers.request) if rule.headers else ""
    if spec is None:
        return Rewrite(authority=told) if told else None
    found = Rewrite(path=spec.uri, authority=spec.authority or told)
    regex = spec.uri_regex_rewrite
    if regex is None:
        return found
    return msgspec.structs.replace(found, pattern=regex.match, substitution=regex.rewrite)


def mirrors_of(rule: HttpRoute) -> Iterator[tuple[Destination, float]]:
    """Where copies go, and of how many percent of the requests."""
    if rule.mirror is not None:
        if rule.mirror_percentage is not None:
            yield rule.mirror, rule.mirror_percentage.value
        else:
            yield rule.mirror, 100.0 if rule.mirror_percent is None else float(rule.mirror_percent)
    for each in rule.mirrors:
        yield each.destination, 100.0 if each.percentage is None else each.percentage.value


def cors_of(spec: CorsSpec) -> Cors:
    old = tuple(
        TextMatch(kind="regex", value=".*") if origin == "*" else TextMatch(kind="exact", value=origin)
        for origin in spec.allow_origin
    )
    return Cors(
        origins=old + tuple(text_match(origin) for origin in spec.allow_origins),
        methods=spec.allow_methods,
        headers=spec.allow_headers,
        exposed=spec.expose_headers,
        max_age_s=None if spec.max_age is None else ceil(spec.max_age / 1000),
        credentials=bool(spec.allow_credentials),
        forward_unmatched=spec.unmatched_preflights != "IGNORE",
    )
