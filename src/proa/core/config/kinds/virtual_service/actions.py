"""Whether what a rule does to its requests fits together. Called by this kind's validator."""

from collections.abc import Iterator

from proa.core.config.hostnames import is_dns_label, wildcard_name_fault
from proa.core.config.kinds.virtual_service.schema import (
    Destination,
    DirectResponse,
    Fault,
    HttpRoute,
    HttpRouteDestination,
    Redirect,
    Retries,
    Rewrite,
)
from proa.core.config.near_names import suggestion
from proa.core.config.path import Path
from proa.core.config.problem import Finding, warning
from proa.core.config.tree import shorten

# The statuses that Envoy's redirect action has.
REDIRECT_CODES = (301, 302, 303, 307, 308)
# Conditions of Envoy's x-envoy-retry-on and x-envoy-retry-grpc-on, as Istio takes them.
RETRY_CONDITIONS = (
    "5xx",
    "gateway-error",
    "reset",
    "reset-before-request",
    "connect-failure",
    "retriable-4xx",
    "refused-stream",
    "retriable-status-codes",
    "retriable-headers",
    "envoy-ratelimited",
    "http3-post-connect-failure",
    "cancelled",
    "deadline-exceeded",
    "internal",
    "resource-exhausted",
    "unavailable",
)
_BODY_LIMIT = 1024 * 1024
_BODY_WARNING = 100 * 1024
# Envoy keeps weights and their sum in unsigned 32 bits.
_MAX_TOTAL_WEIGHT = 2**32 - 1


def check_actions(route: HttpRoute, at: Path) -> Iterator[Finding]:
    yield from _check_exclusions(route, at)
    yield from _check_destinations(route.route, (*at, "route"))
    if route.redirect:
        yield from _check_redirect(route.redirect, (*at, "redirect"))
    if route.direct_response:
        yield from _check_direct_response(route.direct_response, (*at, "directResponse"))
    if route.rewrite:
        yield from _check_rewrite(route.rewrite, (*at, "rewrite"))
    if route.retries:
        yield from _check_retries(route.retries, (*at, "retries"))
    if route.fault:
        yield from _check_fault(route.fault, (*at, "fault"))


def _check_exclusions(route: HttpRoute, at: Path) -> Iterator[Finding]:
    answers = {"route": route.route, "redirect": route.redirect, "directResponse": route.direct_response}
    given = [name for name, value in answers.items() if value]
    if not given:
        yield Finding(at, "required", "one of route, redirect, directResponse is required; add one")
    elif len(given) > 1:
        yield Finding(at, "conflict", f"{' and '.join(given)} exclude each other; keep one")
    if route.redirect or route.direct_response:
        answer = "redirect" if route.redirect else "directResponse"
        for name, value in {"fault": route.fault, "rewrite": route.rewrite}.items():
            if value:
                yield Finding(
                    (*at, name), "conflict", f"{name} has nothing to act on beside {answer}; remove one"
                )


def _check_destinations(route: tuple[HttpRouteDestination, ...], at: Path) -> Iterator[Finding]:
    for index, item in enumerate(route):
        yield from _check_destination(item.destination, (*at, index, "destination"))
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


def _check_redirect(redirect: Redirect, at: Path) -> Iterator[Finding]:
    if not redirect.uri and not redirect.authority:
        yield Finding(at, "required", "a redirect needs uri or authority; add one")
    if redirect.redirect_code and redirect.redirect_code not in REDIRECT_CODES:
        codes = ", ".join(map(str, REDIRECT_CODES))
        message = f"{redirect.redirect_code} is no redirect code; write one of {codes}"
        yield Finding((*at, "redirectCode"), "bad-value", message)
    yield from _check_header_value(redirect.uri, (*at, "uri"))
    yield from _check_header_value(redirect.authority, (*at, "authority"))


def _check_rewrite(rewrite: Rewrite, at: Path) -> Iterator[Finding]:
    if not rewrite.uri and not rewrite.authority:
        yield Finding(at, "required", "a rewrite needs uri or authority; add one")
    yield from _check_header_value(rewrite.uri, (*at, "uri"))
    yield from _check_header_value(rewrite.authority, (*at, "authority"))


def _check_header_value(value: str, at: Path) -> Iterator[Finding]:
    if any(char in value for char in "\r\n\0"):
        yield Finding(at, "bad-value", "line breaks and NUL cannot stand in a header; remove them")


def _check_direct_response(response: DirectResponse, at: Path) -> Iterator[Finding]:
    size = len(response.body.string.encode()) if response.body else 0
    if size > _BODY_LIMIT:
        yield Finding(
            (*at, "body"), "out-of-range", f"{size} bytes are too many; write at most {_BODY_LIMIT}"
        )
    elif size > _BODY_WARNING:
        message = (
            f"{size} bytes travel to every proxy with this rule; serve more than {_BODY_WARNING} by a service"
        )
        yield warning((*at, "body"), "no-effect", message)


def _check_retries(retries: Retries, at: Path) -> Iterator[Finding]:
    if not retries.attempts and (retries.per_try_timeout is not None or retries.retry_on):
        yield Finding(
            (*at, "attempts"), "conflict", "retries are off without attempts; set attempts or remove the rest"
        )
    for token in retries.retry_on.split(",") if retries.retry_on else ():
        if token not in RETRY_CONDITIONS and not _is_status(token):
            hint = (
                suggestion(token, RETRY_CONDITIONS)
                or f"; write a status or some of {', '.join(RETRY_CONDITIONS)}"
            )
            message = f'"{token[:40]}" is no retry condition{hint}'
            yield Finding((*at, "retryOn"), "bad-value", message)


def _is_status(token: str) -> bool:
    return len(token) == 3 and token.isascii() and token.isdecimal() and 100 <= int(token) <= 599


def _check_fault(fault: Fault, at: Path) -> Iterator[Finding]:
    if fault.delay is None and fault.abort is None:
        yield Finding(at, "required", "a fault needs delay or abort; add one")
    for name, part in {"delay": fault.delay, "abort": fault.abort}.items():
        if part is not None and part.percentage is not None and part.percent:
            message = "percentage wins over the old percent; remove percent"
            yield warning((*at, name, "percent"), "no-effect", message)
