"""Whose tokens are good: the rules of end users' tokens as values, read from RequestAuthentication.

A rule names its issuer, where the issuer's keys come from, and what becomes of a good token. Called by
`core.pilot.scope.end_users`, which knows for whom each object is.
"""

from collections.abc import Callable, Iterator

import msgspec

from proa.core.auth.key_sets import NO_KEYS, BadAnswer, read_key_set
from proa.core.config.kinds.request_authentication.schema import JwtRule, RequestAuthentication
from proa.core.model.names import ObjectRef
from proa.core.model.token_keys import KeySource, key_source

ALWAYS_SPLIT = ("permission", "scope")
"""Claims whose text is several values with blanks between, in every rule."""


class TokenRule(msgspec.Struct, frozen=True, kw_only=True):
    """Tokens of one issuer. `keys` is a JSON Web Key Set; `audiences` none: whoever they are for. No places (`headers`
    with their prefixes, `params`, `cookies`): the usual header and parameter. `claim_headers`: header and claim.
    `split`: claims that hold several values with blanks between. `demanded`: no request passes without a good token of
    this rule, or of another that is demanded."""

    issuer: str
    keys: str
    audiences: tuple[str, ...] = ()
    headers: tuple[tuple[str, str], ...] = ()
    params: tuple[str, ...] = ()
    cookies: tuple[str, ...] = ()
    payload_header: str = ""
    claim_headers: tuple[tuple[str, str], ...] = ()
    forwards: bool = False
    split: tuple[str, ...] = ALWAYS_SPLIT
    demanded: bool = False
    ref: ObjectRef


def token_rules(
    ref: ObjectRef, spec: RequestAuthentication, keys: Callable[[KeySource], str | None]
) -> Iterator[TokenRule]:
    """In the object's order. Keys that are not there are none: every token of the issuer is bad then."""
    for rule in spec.jwt_rules:
        source = source_of(rule)
        yield TokenRule(
            issuer=rule.issuer,
            keys=written_keys(rule.jwks) if source is None else keys(source) or NO_KEYS,
            audiences=rule.audiences,
            headers=tuple((each.name.lower(), each.prefix) for each in rule.from_headers),
            params=rule.from_params,
            cookies=rule.from_cookies,
            payload_header=rule.output_payload_to_header.lower(),
            claim_headers=tuple((each.header.lower(), each.claim) for each in rule.output_claim_to_headers),
            forwards=rule.forward_original_token,
            split=tuple(sorted({*ALWAYS_SPLIT, *rule.space_delimited_claims})),
            demanded=rule.presence == "REQUIRED",
            ref=ref,
        )


def written_keys(text: str) -> str:
    """A key set of the object's own."""
    try:
        return read_key_set(text.encode(), secrets=True)
    except BadAnswer:
        return NO_KEYS


def source_of(rule: JwtRule) -> KeySource | None:
    """None for keys that are written out."""
    return None if rule.jwks else key_source(rule.issuer, rule.jwks_uri)


def sources_of(spec: RequestAuthentication) -> frozenset[KeySource]:
    """Whose keys somebody must fetch."""
    return frozenset(source for rule in spec.jwt_rules if (source := source_of(rule)) is not None)
