"""Whether a virtual host and a route match a request, by Envoy's rules.

Domains: exact, then the longest suffix wildcard (`*.foo`), then the longest prefix wildcard (`foo:*`), then `*`;
case does not matter (route.proto, VirtualHost.domains). A CONNECT has no path: only a connect matcher takes it.
"""

from collections.abc import Iterable

import msgspec
import re2  # type: ignore[import-untyped]
from envoy.config.route.v3.route_components_pb2 import (
    HeaderMatcher,
    QueryParameterMatcher,
    RouteMatch,
    VirtualHost,
)
from envoy.type.matcher.v3.metadata_pb2 import MetadataMatcher
from envoy.type.matcher.v3.string_pb2 import StringMatcher
from envoy.type.matcher.v3.value_pb2 import ValueMatcher
from envoy.type.v3.percent_pb2 import FractionalPercent

from proa.core.pilot.simulate.request import Request


def find_virtual_host(
    hosts: Iterable[VirtualHost], authority: str, *, ignore_port: bool = False
) -> VirtualHost | None:
    """The one whose domain is the best match for the authority."""
    name = authority.lower()
    if ignore_port:
        name = without_port(name)
    best: tuple[tuple[int, int], VirtualHost] | None = None
    for host in hosts:
        for domain in host.domains:
            rank = _rank(domain.lower(), name)
            if rank is not None and (best is None or rank > best[0]):
                best = (rank, host)
    return best[1] if best is not None else None


def _rank(domain: str, name: str) -> tuple[int, int] | None:
    if domain == "*":
        return (0, 0)
    if domain == name:
        return (3, 0)
    if domain.startswith("*") and len(name) > len(domain) - 1 and name.endswith(domain[1:]):
        return (2, len(domain))
    if domain.endswith("*") and len(name) > len(domain) - 1 and name.startswith(domain[:-1]):
        return (1, len(domain))
    return None


def without_port(authority: str) -> str:
    """`host:80` -> `host`; an IPv6 literal keeps its brackets."""
    host, colon, port = authority.rpartition(":")
    return host if colon and port.isdecimal() and not host.endswith(":") else authority


def matches_route(match: RouteMatch, request: Request) -> bool:
    if match.HasField("connect_matcher"):
        path_fits = request.method == "CONNECT"
    else:
        path_fits = request.method != "CONNECT" and _matches_path(match, request.path)
    return (
        path_fits
        and _is_drawn(match, request.roll)
        and all(matches_header(matcher, request) for matcher in match.headers)
        and all(_matches_query(matcher, request) for matcher in match.query_parameters)
        and all(_matches_metadata(matcher, request.claims) for matcher in match.dynamic_metadata)
    )


def mismatches(match: RouteMatch, request: Request) -> tuple[str, ...]:
    """Every condition of a route that the request does not meet, in words; none: it matches."""
    found: list[str] = []
    if match.HasField("connect_matcher") or request.method == "CONNECT":
        is_tunnel = match.HasField("connect_matcher")
        if is_tunnel != (request.method == "CONNECT"):
            found.append("it is for CONNECT" if is_tunnel else "it is not for CONNECT")
    elif not _matches_path(match, request.path):
        found.append(f"path is not {_path_words(match)}")
    found += [_header_words(each, request) for each in match.headers if not matches_header(each, request)]
    found += [_query_words(each) for each in match.query_parameters if not _matches_query(each, request)]
    if not found and not _is_drawn(match, request.roll):
        found.append("another share of the requests takes it")
    return tuple(found)


def _path_words(match: RouteMatch) -> str:
    kind = match.WhichOneof("path_specifier") or ""
    value = match.safe_regex.regex if kind == "safe_regex" else str(getattr(match, kind, ""))
    loose = match.HasField("case_sensitive") and not match.case_sensitive.value
    return _KIND_WORDS.get(kind, kind) + repr(value) + (" in any case" if loose else "")


def _header_words(matcher: HeaderMatcher, request: Request) -> str:
    """Pseudo headers by the names that rules have for them."""
    name = matcher.name.removeprefix(":")
    what = name if matcher.name.startswith(":") else f"header {name}"
    values = request.values(matcher.name)
    has = f" (it is {', '.join(map(repr, values))})" if values else ""
    if matcher.WhichOneof("header_match_specifier") in (None, "present_match"):
        return f"{what} is there" if values else f"{what} is missing"
    wanted = _text_words(matcher.string_match)
    if matcher.invert_match:
        return f"{what} is {wanted}, which it must not be"
    return f"{what} is not {wanted}{has}" if values else f"{what} is missing ({wanted} is asked for)"


def _query_words(matcher: QueryParameterMatcher) -> str:
    if matcher.WhichOneof("query_parameter_match_specifier") == "string_match":
        return f"query parameter {matcher.name} is not {_text_words(matcher.string_match)}"
    return f"query parameter {matcher.name} is missing"


def _text_words(matcher: StringMatcher) -> str:
    kind = matcher.WhichOneof("match_pattern") or ""
    value = matcher.safe_regex.regex if kind == "safe_regex" else str(getattr(matcher, kind, ""))
    return _KIND_WORDS.get(kind, f"{kind} ") + repr(value)


_KIND_WORDS = {"path": "", "exact": "", "prefix": "prefix ", "safe_regex": "regex "}


def _is_drawn(match: RouteMatch, roll: float) -> bool:
    """Whether chance takes the request here: shares of several routes are laid end to end."""
    if not match.HasField("runtime_fraction"):
        return True
    fraction = match.runtime_fraction.default_value
    whole = {FractionalPercent.HUNDRED: 100, FractionalPercent.TEN_THOUSAND: 10_000}
    return roll < fraction.numerator / whole.get(fraction.denominator, 1_000_000)


def _matches_path(match: RouteMatch, path: str) -> bool:
    bare = path.partition("?")[0]
    is_sensitive = not match.HasField("case_sensitive") or match.case_sensitive.value
    compared = bare if is_sensitive else bare.lower()
    match match.WhichOneof("path_specifier"):
        case "prefix":
            return compared.startswith(match.prefix if is_sensitive else match.prefix.lower())
        case "path":
            return compared == (match.path if is_sensitive else match.path.lower())
        case "safe_regex":
            return full_match(match.safe_regex.regex, bare)
        case _:
            return False


def matches_header(matcher: HeaderMatcher, request: Request) -> bool:
    """A missing header matches nothing, inverted or not, unless it is treated as empty or asked for by presence. Of
    several lines by one name any may match, or all of them joined."""
    values = request.values(matcher.name)
    if matcher.WhichOneof("header_match_specifier") in (None, "present_match"):
        wanted = matcher.present_match or matcher.WhichOneof("header_match_specifier") is None
        is_present = bool(values) or matcher.treat_missing_header_as_empty
        return (is_present == wanted) != matcher.invert_match
    if not values:
        if not matcher.treat_missing_header_as_empty:
            return False
        values = ("",)
    tried = values if len(values) == 1 else (*values, ",".join(values))
    return any(matches_text(matcher.string_match, value) for value in tried) != matcher.invert_match


def _matches_query(matcher: QueryParameterMatcher, request: Request) -> bool:
    """By the first value of that name, as it is written: escapes are compared, not read."""
    pairs = (part.partition("=") for part in request.path.partition("?")[2].split("&"))
    value = next((value for name, _, value in pairs if name == matcher.name), None)
    if value is None:
        return (
            matcher.WhichOneof("query_parameter_match_specifier") == "present_match"
            and not matcher.present_match
        )
    if matcher.WhichOneof("query_parameter_match_specifier") == "string_match":
        return matches_text(matcher.string_match, value)
    return matcher.present_match or matcher.WhichOneof("query_parameter_match_specifier") is None


def _matches_metadata(matcher: MetadataMatcher, claims: str) -> bool:
    """Of the metadata only what a token leaves is known: its claims, below the first step."""
    value: object = msgspec.json.decode(claims) if claims else None
    for step in matcher.path[1:]:
        value = value.get(step.key) if isinstance(value, dict) else None
    return _matches_value(matcher.value, value) != matcher.invert


def _matches_value(matcher: ValueMatcher, value: object) -> bool:
    match matcher.WhichOneof("match_pattern"):
        case "present_match":
            return (value is not None) == matcher.present_match
        case "string_match":
            return isinstance(value, str) and matches_text(matcher.string_match, value)
        case "list_match":
            return isinstance(value, list) and any(
                _matches_value(matcher.list_match.one_of, each) for each in value
            )
        case "or_match":
            return any(_matches_value(each, value) for each in matcher.or_match.value_matchers)
        case _:
            return False


def matches_text(matcher: StringMatcher, text: str) -> bool:
    if matcher.WhichOneof("match_pattern") == "safe_regex":
        return full_match(matcher.safe_regex.regex, text)
    if matcher.ignore_case:
        text = text.lower()
    match matcher.WhichOneof("match_pattern"):
        case "exact":
            return text == (matcher.exact.lower() if matcher.ignore_case else matcher.exact)
        case "prefix":
            return text.startswith(matcher.prefix.lower() if matcher.ignore_case else matcher.prefix)
        case "suffix":
            return text.endswith(matcher.suffix.lower() if matcher.ignore_case else matcher.suffix)
        case "contains":
            return (matcher.contains.lower() if matcher.ignore_case else matcher.contains) in text
        case _:
            return False


def full_match(regex: str, text: str) -> bool:
    return re2.fullmatch(regex, text) is not None


def replace_all(regex: str, substitution: str, text: str) -> str:
    """`substitution` in RE2's spelling: `\\1` for groups. Unlike Python, RE2 finds no empty match behind a match that
    reached the end, so `.*` is replaced once."""
    replaced: str = (
        re2.sub(regex, substitution, text, 1) if regex == ".*" else re2.sub(regex, substitution, text)
    )
    return replaced
