"""Whether a RequestAuthentication makes sense: Istio's rules for its fields. Called through the kinds table."""

from collections.abc import Iterator

from proa.core.config.headers import header_name_fault
from proa.core.config.jwt_keys import key_set_fault, web_address_fault
from proa.core.config.kinds.request_authentication.schema import JwtRule, RequestAuthentication
from proa.core.config.meta import Meta
from proa.core.config.path import Path
from proa.core.config.problem import Finding, warning
from proa.core.config.selection import check_selection


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
    headers: list[tuple[Path, str]] = [
        ((*at, "fromHeaders", index, "name"), header.name) for index, header in enumerate(rule.from_headers)
    ]
    headers += [
        ((*at, "outputClaimToHeaders", index, "header"), each.header)
        for index, each in enumerate(rule.output_claim_to_headers)
    ]
    headers.append(((*at, "outputPayloadToHeader"), rule.output_payload_to_header))
    for place, name in headers:
        if name and (fault := header_name_fault(name)):
            yield Finding(place, "bad-value", fault)
