"""Whether a RequestAuthentication makes sense: Istio's rules for its fields. Called through the kinds table."""

import re
from collections.abc import Iterator
from typing import Final

from proa.core.config.headers import header_name_fault
from proa.core.config.jwt_keys import key_set_fault, web_address_fault
from proa.core.config.kinds.request_authentication.schema import JwtRule, RequestAuthentication
from proa.core.config.meta import Meta
from proa.core.config.path import Path
from proa.core.config.problem import Finding, warning
from proa.core.config.selection import check_selection
from proa.core.config.tree import shorten

_WRITTEN: Final = re.compile(r"[-_A-Za-z0-9]+")
_COOKIE_ENDS: Final = re.compile(r"[\s;,=]")
_PARAMETER_ENDS: Final = re.compile(r"[\s&=#]")
_HTTPS_OWN: Final = frozenset(
    (
        "connection",
        "content-length",
        "host",
        "keep-alive",
        "proxy-connection",
        "te",
        "transfer-encoding",
        "upgrade",
    )
)


def validate(spec: RequestAuthentication, meta: Meta) -> Iterator[Finding]:
    yield from check_selection(
        spec.selector, spec.target_ref, spec.target_refs, meta.namespace, gateways=True
    )
    if not spec.jwt_rules:
        yield warning(("spec", "jwtRules"), "no-effect", "without rules no token is looked at; add one")
    for index, rule in enumerate(spec.jwt_rules):
        yield from _check_rule(rule, ("spec", "jwtRules", index))


def _check_rule(rule: JwtRule, at: Path) -> Iterator[Finding]:
    if rule.jwks and rule.jwks_uri:
        yield Finding(at, "conflict", "only one of jwks and jwksUri can be set; remove one")
    if rule.jwks_uri and (fault := web_address_fault(rule.jwks_uri)):
        yield Finding((*at, "jwksUri"), "bad-value", fault)
    if rule.jwks and (fault := key_set_fault(rule.jwks)):
        yield Finding((*at, "jwks"), "bad-value", fault)
    for index, header in enumerate(rule.from_headers):
        if header.name and (fault := _read_fault(header.name)):
            yield Finding((*at, "fromHeaders", index, "name"), "bad-value", fault)
    written: list[tuple[Path, str]] = [
        ((*at, "outputClaimToHeaders", index, "header"), each.header)
        for index, each in enumerate(rule.output_claim_to_headers)
    ]
    written.append(((*at, "outputPayloadToHeader"), rule.output_payload_to_header))
    names: set[str] = set()
    for place, name in written:
        if name and (fault := _written_fault(name)):
            yield Finding(place, "bad-value", fault)
        elif name and name.lower() in names:
            yield warning(place, "duplicate", "the header is written already and comes twice; is that meant?")
        names.add(name.lower())
    for field, values, separators in (
        ("fromCookies", rule.from_cookies, _COOKIE_ENDS),
        ("fromParams", rule.from_params, _PARAMETER_ENDS),
    ):
        for index, value in enumerate(values):
            if separators.search(value):
                message = f'no name is like "{shorten(value)}"; write one without blanks and separators'
                yield Finding((*at, field, index), "bad-value", message)


def _read_fault(name: str) -> str | None:
    if name.startswith(":"):
        return f'"{shorten(name)}" is no header that a client sends; write another'
    return header_name_fault(name)


def _written_fault(name: str) -> str | None:
    """As in Istio, and not those by which requests are told apart."""
    if not _WRITTEN.fullmatch(name):
        return f'"{shorten(name)}" is no name for a header of ours; write letters, digits, - and _'
    if name.lower() in _HTTPS_OWN:
        return f"{name} is HTTP's own header; choose another"
    return None
