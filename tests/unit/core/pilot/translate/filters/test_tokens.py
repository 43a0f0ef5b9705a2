"""The filters that look at tokens."""

from envoy.config.core.v3.extension_pb2 import TypedExtensionConfig
from envoy.extensions.filters.http.header_mutation.v3.header_mutation_pb2 import HeaderMutation
from envoy.extensions.filters.http.jwt_authn.v3.config_pb2 import JwtAuthentication, JwtRequirement

from proa.core.auth.end_users import TokenRule
from proa.core.model.names import ObjectRef
from proa.core.pilot.filter_chain_message import FILTER_CHAIN_URL, held_filters
from proa.core.pilot.simulate.resources import decode, unpack
from proa.core.pilot.translate.filters.tokens import TokensIntent, build_tokens, tokens_name, tokens_place

REF = ObjectRef("RequestAuthentication", "default", "people")
A = TokenRule(issuer="a", keys="KEYS", ref=REF)
B = TokenRule(issuer="b", keys="KEYS", ref=REF)
MUST = TokenRule(issuer="c", keys="KEYS", demanded=True, ref=REF)


def filters(*rules: TokenRule, routes: bool = False) -> tuple[TypedExtensionConfig, ...]:
    built = build_tokens(TokensIntent(name="proa.tokens.1", rules=rules, routes=routes))
    held = held_filters(decode(built, TypedExtensionConfig).typed_config)
    assert held is not None
    return held


def authentication(*rules: TokenRule, routes: bool = False) -> JwtAuthentication:
    found = unpack(filters(*rules, routes=routes)[-1].typed_config, JwtAuthentication)
    assert found is not None
    return found


def said(requirement: JwtRequirement) -> str:
    match requirement.WhichOneof("requires_type"):
        case "requires_any":
            return f"({' or '.join(map(said, requirement.requires_any.requirements))})"
        case "requires_all":
            return f"({' and '.join(map(said, requirement.requires_all.requirements))})"
        case "provider_name":
            return requirement.provider_name
        case other:
            return str(other)


def required(*rules: TokenRule) -> str:
    (rule,) = authentication(*rules).rules
    return said(rule.requires)


def test_without_rules_everything_passes_the_place() -> None:
    assert filters() == ()
    place = tokens_place(tokens_name(9080))
    assert place.name == "proa.tokens.9080"
    assert list(place.config_discovery.type_urls) == [FILTER_CHAIN_URL]


def test_no_token_is_no_fault_unless_one_is_demanded() -> None:
    assert required(A) == "(origins-0 or allow_missing)"
    pairs = "((origins-0 or allow_missing) and (origins-1 or allow_missing))"
    assert required(A, B) == f"(origins-0 or origins-1 or {pairs})"
    assert required(A, MUST) == "origins-0"
    assert authentication(A, MUST).providers["origins-0"].issuer == "c"
    other = TokenRule(issuer="d", keys="KEYS", demanded=True, ref=REF)
    assert required(MUST, other) == "(origins-0 or origins-1)"


def test_every_fact_of_a_rule_is_told() -> None:
    rule = TokenRule(
        issuer="a",
        keys="KEYS",
        audiences=("x", "y"),
        headers=(("x-t", "T "),),
        params=("p",),
        cookies=("c",),
        payload_header="x-p",
        claim_headers=(("x-s", "sub"),),
        forwards=True,
        split=("scope",),
        ref=REF,
    )
    provider = authentication(rule, routes=True).providers["origins-0"]
    assert (provider.issuer, list(provider.audiences)) == ("a", ["x", "y"])
    assert provider.local_jwks.inline_string == "KEYS"
    assert [(each.name, each.value_prefix) for each in provider.from_headers] == [("x-t", "T ")]
    assert (list(provider.from_params), list(provider.from_cookies)) == (["p"], ["c"])
    assert provider.forward
    assert provider.forward_payload_header == "x-p"
    assert [(each.header_name, each.claim_name) for each in provider.claim_to_headers] == [("x-s", "sub")]
    assert provider.payload_in_metadata == "payload"
    assert list(provider.normalize_payload_in_metadata.space_delimited_claims) == ["scope"]
    assert provider.clear_route_cache
    assert not authentication(rule).providers["origins-0"].clear_route_cache


def test_headers_that_any_rule_writes_are_taken_off_first() -> None:
    writes = TokenRule(
        issuer="a", keys="KEYS", payload_header="x-p", claim_headers=(("x-b", "b"), ("x-a", "a")), ref=REF
    )
    first, _ = filters(writes, B, MUST)
    cleaning = unpack(first.typed_config, HeaderMutation)
    assert cleaning is not None
    assert [each.remove for each in cleaning.mutations.request_mutations] == ["x-a", "x-b", "x-p"]
    assert len(filters(A)) == 1, "nothing is written"
