"""Whether what a rule does to its requests fits together. Called by this kind's validator."""

from base64 import b64decode
from collections.abc import Iterator

from proa.core.config.hostnames import is_dns_label, wildcard_name_fault
from proa.core.config.kinds.virtual_service.cors import check_cors
from proa.core.config.kinds.virtual_service.faults import check_fault
from proa.core.config.kinds.virtual_service.header_edits import check_header_edits
from proa.core.config.kinds.virtual_service.schema import (
    Delegate,
    Destination,
    DirectResponse,
    HttpRoute,
    HttpRouteDestination,
    Redirect,
    Rewrite,
    RouteDestination,
)
from proa.core.config.labels import is_namespace_name, is_object_name
from proa.core.config.path import Path
from proa.core.config.problem import Finding, warning
from proa.core.config.regex import regex_fault, substitution_fault
from proa.core.config.retries import check_retries
from proa.core.config.tree import shorten

# The statuses that Envoy's redirect action has.
REDIRECT_CODES = (301, 302, 303, 307, 308)
LARGEST_BODY = 1024 * 1024
"""Of a direct response, in bytes."""
_BODY_WARNING = 100 * 1024
# Envoy keeps weights and their sum in unsigned 32 bits.
_MAX_TOTAL_WEIGHT = 2**32 - 1


def check_actions(route: HttpRoute, at: Path) -> Iterator[Finding]:
    yield from _check_exclusions(route, at)
    yield from check_destinations(route.route, (*at, "route"))
    if route.redirect:
        yield from _check_redirect(route, route.redirect, (*at, "redirect"))
    if route.direct_response:
        yield from _check_direct_response(route.direct_response, (*at, "directResponse"))
    if route.rewrite:
        yield from _check_rewrite(route.rewrite, (*at, "rewrite"))
    if route.retries:
        yield from check_retries(route.retries, (*at, "retries"))
    if route.fault:
        yield from check_fault(route.fault, (*at, "fault"))
    if route.cors_policy:
        yield from check_cors(route.cors_policy, (*at, "corsPolicy"))
    if route.headers:
        yield from check_header_edits(route.headers, (*at, "headers"))
    yield from _check_mirrors(route, at)
    if route.delegate is not None:
        yield from _check_delegate(route.delegate, (*at, "delegate"))


def _check_delegate(delegate: Delegate, at: Path) -> Iterator[Finding]:
    if not is_object_name(delegate.name):
        name = shorten(delegate.name)
        message = f'"{name}" is no object name; write lower-case letters, digits, dashes and dots'
        yield Finding((*at, "name"), "bad-value", message)
    if delegate.namespace and not is_namespace_name(delegate.namespace):
        message = f'"{shorten(delegate.namespace)}" is no namespace; write a name, or remove it for this one'
        yield Finding((*at, "namespace"), "bad-value", message)


def _check_exclusions(route: HttpRoute, at: Path) -> Iterator[Finding]:
    answers = {
        "route": route.route,
        "redirect": route.redirect,
        "directResponse": route.direct_response,
        "delegate": route.delegate,
    }
    given = [name for name, value in answers.items() if value]
    if not given:
        yield Finding(at, "required", "one of route, redirect, directResponse, delegate is required; add one")
    elif len(given) > 1:
        yield Finding(at, "conflict", f"{' and '.join(given)} exclude each other; keep one")
    if route.redirect or route.direct_response:
        answer = "redirect" if route.redirect else "directResponse"
        idle = {
            "fault": route.fault,
            "rewrite": route.rewrite,
            "retries": route.retries,
            "timeout": route.timeout,
            "mirror": route.mirror,
            "mirrors": route.mirrors,
        }
        for name, value in idle.items():
            if value:
                yield Finding(
                    (*at, name), "conflict", f"{name} has nothing to act on beside {answer}; remove one"
                )


def _check_mirrors(route: HttpRoute, at: Path) -> Iterator[Finding]:
    if route.mirror is not None and route.mirrors:
        yield Finding(at, "conflict", "mirror and mirrors exclude each other; keep one")
    if route.mirror is None:
        for name, value in {
            "mirrorPercentage": route.mirror_percentage,
            "mirrorPercent": route.mirror_percent,
        }.items():
            if value is not None:
                yield Finding((*at, name), "conflict", f"{name} is of mirror, which is not there; add it")
    elif route.mirror_percent is not None:
        word = "deprecated" if route.mirror_percentage is None else "no-effect"
        message = "mirrorPercent is the old spelling; write mirrorPercentage with a value"
        yield warning((*at, "mirrorPercent"), word, message)
    if route.mirror is not None:
        yield from _check_destination(route.mirror, (*at, "mirror"))
    for index, mirror in enumerate(route.mirrors):
        yield from _check_destination(mirror.destination, (*at, "mirrors", index, "destination"))


def check_destinations(
    route: tuple[HttpRouteDestination | RouteDestination, ...], at: Path
) -> Iterator[Finding]:
    """Destinations and their weights, of requests or streams."""
    for index, item in enumerate(route):
        yield from _check_destination(item.destination, (*at, index, "destination"))
        if isinstance(item, HttpRouteDestination) and item.headers:
            yield from check_header_edits(item.headers, (*at, index, "headers"))
    total = sum(item.weight for item in route)
    if len(route) > 1 and total == 0:
        yield Finding(at, "conflict", "the weights of several destinations add up to 0; give them weights")
    if total > _MAX_TOTAL_WEIGHT:
        yield Finding(at, "out-of-range", f"the weights add up to more than {_MAX_TOTAL_WEIGHT}; lower them")


def _check_destination(destination: Destination, at: Path) -> Iterator[Finding]:
    if destination.host == "*":
        yield Finding((*at, "host"), "bad-value", "* is no destination; name a service")
    elif fault := wildcard_name_fault(destination.host):
        yield Finding((*at, "host"), "bad-value", fault)
    if destination.subset and not is_dns_label(destination.subset):
        name = shorten(destination.subset)
        message = f'"{name}" is no subset name; write letters, digits and inner dashes, at most 63'
        yield Finding((*at, "subset"), "bad-value", message)


def _check_redirect(route: HttpRoute, redirect: Redirect, at: Path) -> Iterator[Finding]:
    parts = (redirect.uri, redirect.authority, redirect.scheme, redirect.prefix_rewrite)
    if not any(parts) and redirect.port is None and redirect.derive_port is None:
        yield Finding(at, "required", "a redirect needs a part to change; add uri, authority, port or scheme")
    if redirect.redirect_code and redirect.redirect_code not in REDIRECT_CODES:
        codes = ", ".join(map(str, REDIRECT_CODES))
        message = f"{redirect.redirect_code} is no redirect code; write one of {codes}"
        yield Finding((*at, "redirectCode"), "bad-value", message)
    if redirect.port is not None and redirect.derive_port is not None:
        yield Finding(at, "conflict", "port and derivePort exclude each other; keep one")
    if redirect.scheme not in ("", "http", "https"):
        yield Finding((*at, "scheme"), "bad-value", f'"{shorten(redirect.scheme)}" is neither http nor https')
    if redirect.prefix_rewrite:
        if redirect.uri:
            yield Finding(at, "conflict", "uri and prefixRewrite exclude each other; keep one")
        if not route.match or not all(match.uri and match.uri.prefix for match in route.match):
            message = "replaces a prefix that the rule must match by; add uri with a prefix to each match"
            yield Finding((*at, "prefixRewrite"), "conflict", message)
    for name in ("uri", "authority", "prefixRewrite"):
        value = {"uri": redirect.uri, "authority": redirect.authority}.get(name, redirect.prefix_rewrite)
        yield from _check_header_value(value, (*at, name))


def _check_rewrite(rewrite: Rewrite, at: Path) -> Iterator[Finding]:
    regex = rewrite.uri_regex_rewrite
    if not rewrite.uri and not rewrite.authority and regex is None:
        yield Finding(at, "required", "a rewrite needs uri, uriRegexRewrite or authority; add one")
    yield from _check_header_value(rewrite.uri, (*at, "uri"))
    yield from _check_header_value(rewrite.authority, (*at, "authority"))
    if regex is None:
        return
    place = (*at, "uriRegexRewrite")
    if rewrite.uri:
        yield Finding(at, "conflict", "uri and uriRegexRewrite exclude each other; keep one")
    if fault := regex_fault(regex.match):
        yield Finding((*place, "match"), *fault)
    elif fault := substitution_fault(regex.match, regex.rewrite):
        yield Finding((*place, "rewrite"), *fault)
    yield from _check_header_value(regex.rewrite, (*place, "rewrite"))


def _check_header_value(value: str, at: Path) -> Iterator[Finding]:
    if any(char in value for char in "\r\n\0"):
        yield Finding(at, "bad-value", "line breaks and NUL cannot stand in a header; remove them")


def _check_direct_response(response: DirectResponse, at: Path) -> Iterator[Finding]:
    body = response.body
    if body is None:
        return
    if (body.string is None) == (body.bytes is None):
        word = "required" if body.string is None else "conflict"
        yield Finding((*at, "body"), word, "a body has either string or bytes; write one of them")
    size = len((body.string or "").encode())
    if body.bytes is not None:
        try:
            size = len(b64decode(body.bytes, validate=True))
        except ValueError:
            yield Finding((*at, "body", "bytes"), "bad-value", "this is no base64; encode the bytes")
    if size > LARGEST_BODY:
        yield Finding(
            (*at, "body"), "out-of-range", f"{size} bytes are too many; write at most {LARGEST_BODY}"
        )
    elif size > _BODY_WARNING:
        message = (
            f"{size} bytes travel to every proxy with this rule; serve more than {_BODY_WARNING} by a service"
        )
        yield warning((*at, "body"), "no-effect", message)
