"""The filters that look at end users' tokens, in one place of each chain that carries requests.

What stands in the place travels by ECDS, so the next request on an open connection obeys, and no connection is closed.
The place is there without rules too and passes everything then; one that has not arrived serves nobody.

First every header that a rule writes is taken from the request: who sends it himself is not believed, whichever rule
his token is good by. Then the tokens: none is no fault, a good one leaves its claims for policies and routes, any other
is answered with 401. Of several rules one good token is enough, as in Istio. Where rules demand a token it is one of
theirs, and the other rules have nothing to say.
"""

from collections.abc import Iterable
from typing import Final

import msgspec
from envoy.config.common.mutation_rules.v3.mutation_rules_pb2 import HeaderMutation
from envoy.config.core.v3.base_pb2 import DataSource
from envoy.config.core.v3.config_source_pb2 import ExtensionConfigSource
from envoy.config.core.v3.extension_pb2 import TypedExtensionConfig
from envoy.config.route.v3.route_components_pb2 import RouteMatch
from envoy.extensions.filters.http.header_mutation.v3.header_mutation_pb2 import HeaderMutation as Mutation
from envoy.extensions.filters.http.header_mutation.v3.header_mutation_pb2 import Mutations
from envoy.extensions.filters.http.jwt_authn.v3.config_pb2 import (
    JwtAuthentication,
    JwtClaimToHeader,
    JwtHeader,
    JwtProvider,
    JwtRequirement,
    JwtRequirementAndList,
    JwtRequirementOrList,
    RequirementRule,
)
from envoy.extensions.filters.network.http_connection_manager.v3.http_connection_manager_pb2 import HttpFilter
from google.protobuf.empty_pb2 import Empty

from proa.core.auth.end_users import TokenRule
from proa.core.pilot.filter_chain_message import FILTER_CHAIN_URL, filter_chain
from proa.core.pilot.resource import Resource, ResourceType
from proa.core.pilot.translate.encode import ADS, build_resource, pack
from proa.core.pilot.translate.filters.names import JWT, JWT_PAYLOAD

GATEWAY_TOKENS: Final = "proa.tokens"


class TokensIntent(msgspec.Struct, frozen=True, kw_only=True):
    """All that one place's filters are made of. `routes`: the route is chosen again with what a token says."""

    name: str
    rules: tuple[TokenRule, ...] = ()
    routes: bool = False


def tokens_name(port: int) -> str:
    """The resource of a sidecar's service port."""
    return f"{GATEWAY_TOKENS}.{port}"


def tokens_place(name: str) -> HttpFilter:
    source = ExtensionConfigSource(config_source=ADS, type_urls=[FILTER_CHAIN_URL])
    return HttpFilter(name=name, config_discovery=source)


def build_tokens(intent: TokensIntent) -> Resource:
    chain = filter_chain(_filters(intent))
    extension = TypedExtensionConfig(name=intent.name, typed_config=pack(chain))
    objects = dict.fromkeys(rule.ref for rule in intent.rules)
    return build_resource(ResourceType.EXTENSION, intent.name, extension, objects)


def _filters(intent: TokensIntent) -> list[TypedExtensionConfig]:
    if not intent.rules:
        return []
    filters: list[TypedExtensionConfig] = []
    written = _written(intent.rules)
    if written:
        removed = [HeaderMutation(remove=name) for name in written]
        cleaning = Mutation(mutations=Mutations(request_mutations=removed))
        filters.append(TypedExtensionConfig(name="proa.tokens.clean", typed_config=pack(cleaning)))
    filters.append(TypedExtensionConfig(name=JWT, typed_config=pack(_authentication(intent))))
    return filters


def _written(rules: Iterable[TokenRule]) -> list[str]:
    """The headers that rules write."""
    names = {rule.payload_header for rule in rules if rule.payload_header}
    return sorted(names | {header for rule in rules for header, _ in rule.claim_headers})


def _authentication(intent: TokensIntent) -> JwtAuthentication:
    demanded = tuple(rule for rule in intent.rules if rule.demanded)
    rules = demanded or intent.rules
    names = [f"origins-{number}" for number in range(len(rules))]
    required = (
        _any_of([JwtRequirement(provider_name=name) for name in names]) if demanded else _harmless(names)
    )
    config = JwtAuthentication(
        rules=[RequirementRule(match=RouteMatch(prefix="/"), requires=required)],
        # A browser's question before a request can carry no token.
        bypass_cors_preflight=True,
    )
    for name, rule in zip(names, rules, strict=True):
        config.providers[name].CopyFrom(_provider(rule, intent.routes))
    return config


def _harmless(names: list[str]) -> JwtRequirement:
    """Any good token; else no token in any place that a rule reads."""
    each = [JwtRequirement(provider_name=name) for name in names]
    missing = JwtRequirement(allow_missing=Empty())
    if len(each) == 1:
        return _any_of([*each, missing])
    harmless = [_any_of([one, missing]) for one in each]
    return _any_of([*each, JwtRequirement(requires_all=JwtRequirementAndList(requirements=harmless))])


def _any_of(requirements: list[JwtRequirement]) -> JwtRequirement:
    """Envoy refuses a choice of one."""
    if len(requirements) == 1:
        return requirements[0]
    return JwtRequirement(requires_any=JwtRequirementOrList(requirements=requirements))


def _provider(rule: TokenRule, routes: bool) -> JwtProvider:
    return JwtProvider(
        issuer=rule.issuer,
        audiences=rule.audiences,
        local_jwks=DataSource(inline_string=rule.keys),
        from_headers=[JwtHeader(name=name, value_prefix=prefix) for name, prefix in rule.headers],
        from_params=rule.params,
        from_cookies=rule.cookies,
        forward=rule.forwards,
        forward_payload_header=rule.payload_header,
        claim_to_headers=[
            JwtClaimToHeader(header_name=header, claim_name=claim) for header, claim in rule.claim_headers
        ],
        payload_in_metadata=JWT_PAYLOAD,
        normalize_payload_in_metadata=JwtProvider.NormalizePayload(space_delimited_claims=rule.split),
        clear_route_cache=routes,
    )
