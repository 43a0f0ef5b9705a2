"""Whether a block of conditions can be asked of a request. Called by this kind's validator."""

from collections.abc import Iterator, Mapping

from proa.core.config.headers import header_name_fault
from proa.core.config.kinds.virtual_service.claims import CLAIMS, claim_path, is_claim
from proa.core.config.kinds.virtual_service.schema import HttpMatch, StringMatch, TcpMatch, TlsMatch
from proa.core.config.labels import check_selector, is_namespace_name
from proa.core.config.path import Path
from proa.core.config.problem import Finding, warning
from proa.core.config.regex import regex_fault
from proa.core.config.tree import shorten

_HAVE_OWN_FIELD = ("uri", "scheme", "method", "authority")


def check_match(match: HttpMatch, at: Path) -> Iterator[Finding]:
    single = {"uri": match.uri, "scheme": match.scheme, "method": match.method, "authority": match.authority}
    for name, string in single.items():
        if string is not None:
            yield from check_string(string, (*at, name), may_be_empty=False)
    yield from _check_headers(match.headers, (*at, "headers"))
    yield from _check_headers(match.without_headers, (*at, "withoutHeaders"))
    yield from check_source(match, at)
    for name, string in match.query_params.items():
        place = (*at, "queryParams", name)
        if not name:
            yield Finding(place, "bad-value", "a query parameter's name is empty; write it")
        yield from check_string(string, place, may_be_empty=True)


def check_claims(match: HttpMatch, at: Path) -> Iterator[Finding]:
    """Of a block that holds for sidecars too."""
    for field, headers in (("headers", match.headers), ("withoutHeaders", match.without_headers)):
        for name in headers:
            if is_claim(name):
                message = "claims are known at gateways alone; bind the rule to Gateways, without mesh"
                yield Finding((*at, field, name), "conflict", message)


def check_source(match: HttpMatch | TlsMatch | TcpMatch, at: Path) -> Iterator[Finding]:
    """The conditions on who asks, which all kinds of rules have."""
    yield from check_selector(match.source_labels, (*at, "sourceLabels"))
    if match.source_namespace and not is_namespace_name(match.source_namespace):
        name = shorten(match.source_namespace)
        message = f'"{name}" is no namespace; write lower-case letters, digits and inner dashes, at most 63'
        yield Finding((*at, "sourceNamespace"), "bad-value", message)


def _check_headers(headers: Mapping[str, StringMatch], at: Path) -> Iterator[Finding]:
    for name, string in headers.items():
        place = (*at, name)
        if is_claim(name):
            if claim_path(name) is None:
                message = (
                    f"a claim is {CLAIMS}.name, or {CLAIMS}[name] where the name has dots; write one of them"
                )
                yield Finding(place, "bad-value", message)
        elif fault := header_name_fault(name):
            yield Finding(place, "bad-value", fault)
        elif name in _HAVE_OWN_FIELD:
            message = f'a header "{name}" is never matched; use the field {name} of the match instead'
            yield warning(place, "no-effect", message)
        yield from check_string(string, place, may_be_empty=True)


def check_string(string: StringMatch, at: Path, *, may_be_empty: bool) -> Iterator[Finding]:
    """An empty one asks for presence, which means something only where a name can be absent."""
    given = [word for word in ("exact", "prefix", "regex") if getattr(string, word) is not None]
    if len(given) > 1:
        yield Finding(at, "conflict", f"{' and '.join(given)} exclude each other; keep one")
    elif not given and not may_be_empty:
        yield Finding(at, "required", "one of exact, prefix, regex is required; add one")
    if string.prefix == "":
        yield Finding(
            (*at, "prefix"), "bad-value", "an empty prefix matches everything; remove the condition"
        )
    if string.regex is not None and (fault := regex_fault(string.regex)):
        yield Finding((*at, "regex"), *fault)
