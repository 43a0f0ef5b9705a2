"""Rules of tokens as values."""

import json

from proa.core.auth.end_users import sources_of, token_rules, written_keys
from proa.core.auth.key_sets import NO_KEYS, read_key_set
from proa.core.config.kinds.request_authentication.schema import RequestAuthentication
from proa.core.model.names import ObjectRef
from proa.core.model.token_keys import KeySource
from proa.testing.builders import configs
from tests.token_issuer import SigningKey

REF = ObjectRef("RequestAuthentication", "default", "people")
KEYS = json.dumps({"keys": [SigningKey("one").published]})


def spec(*rules: str) -> RequestAuthentication:
    text = f"""
apiVersion: security.istio.io/v1
kind: RequestAuthentication
metadata: {{name: people}}
spec: {{jwtRules: [{", ".join(rules)}]}}
"""
    found = configs(text)[0].spec
    assert isinstance(found, RequestAuthentication)
    return found


def test_every_field_reaches_the_rule() -> None:
    written = spec(
        "{issuer: a, audiences: [x, y], jwksUri: 'https://a/keys', fromHeaders: [{name: X-T, prefix: 'T '}],"
        " fromParams: [p], fromCookies: [c], outputPayloadToHeader: X-P, forwardOriginalToken: true,"
        " outputClaimToHeaders: [{header: X-S, claim: sub}], spaceDelimitedClaims: [roles], presence: REQUIRED}"
    )
    (rule,) = token_rules(REF, written, {KeySource("https://a/keys"): KEYS}.get)
    assert (rule.issuer, rule.audiences, rule.keys) == ("a", ("x", "y"), KEYS)
    assert (rule.headers, rule.params, rule.cookies) == ((("x-t", "T "),), ("p",), ("c",))
    assert (rule.payload_header, rule.claim_headers, rule.forwards) == ("x-p", (("x-s", "sub"),), True)
    assert rule.split == ("permission", "roles", "scope")
    assert rule.demanded


def test_keys_come_from_where_the_rule_says() -> None:
    written = spec(
        f"{{issuer: a, jwks: '{KEYS}'}}", "{issuer: b, jwksUri: 'https://b/keys'}", "{issuer: 'https://c'}"
    )
    by_discovery = KeySource("", "https://c")
    assert sources_of(written) == {KeySource("https://b/keys"), by_discovery}
    first, second, third = token_rules(REF, written, {by_discovery: "known"}.get)
    assert first.keys == read_key_set(KEYS.encode())
    assert second.keys == NO_KEYS, "never fetched: no token of b is good"
    assert third.keys == "known"


def test_keys_that_no_proxy_would_take_are_none() -> None:
    assert written_keys('{"keys": [{"kty": "RSA"}]}') == NO_KEYS
