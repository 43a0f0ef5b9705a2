"""A port's policies as Envoy's filters: a chain of them in one resource for requests, and in the listener for streams.

Requests: the listener has one place for the chain and never changes with it; what stands in the place travels by ECDS,
so the next request on an open connection obeys. The place is there without policies too, and passes everything then.
One that has not arrived, or was refused at first, serves nobody. Streams: the filters are part of the filter chain, so
that Envoy lets go of the connections that were let in by what is no longer in force.

In order: what run-dry and AUDIT policies say, whether to ask a program, its answer, then what is refused and allowed,
in one tree."""

from collections.abc import Iterable, Iterator
from typing import Final

import msgspec
from envoy.config.core.v3.config_source_pb2 import ExtensionConfigSource
from envoy.config.core.v3.extension_pb2 import TypedExtensionConfig
from envoy.config.listener.v3.listener_components_pb2 import Filter
from envoy.config.rbac.v3.rbac_pb2 import RBAC as Rules
from envoy.extensions.filters.http.rbac.v3.rbac_pb2 import RBAC
from envoy.extensions.filters.network.http_connection_manager.v3.http_connection_manager_pb2 import HttpFilter
from envoy.extensions.filters.network.rbac.v3.rbac_pb2 import RBAC as StreamRbac
from xds.type.matcher.v3.matcher_pb2 import Matcher

from proa.core.auth.authorization.custom import Obeyable, obeyable
from proa.core.auth.authorization.values import NO_RULE, Action, Policy
from proa.core.model.check_providers import CheckProvider
from proa.core.pilot.filter_chain_message import FILTER_CHAIN_URL, filter_chain
from proa.core.pilot.resource import Resource, ResourceType
from proa.core.pilot.translate.authorization import inputs
from proa.core.pilot.translate.authorization.asking import ASKED_PREFIX, ask_for_request, ask_for_stream
from proa.core.pilot.translate.authorization.predicates import Place
from proa.core.pilot.translate.authorization.shadows import AUDIT, DRY_ALLOW, DRY_DENY
from proa.core.pilot.translate.authorization.tree import Stage, build_matcher, verdict
from proa.core.pilot.translate.encode import ADS, build_resource, pack

_STATS: Final = "tcp."
"""As in Istio: `tcp.rbac.denied`."""
PLACES: Final = "proa.authz."
"""How the filters are called that ask policies: an HTTP filter's place by its port, a stream's filters by what they
do."""
WITHOUT_PEER: Final = ".plain"
_ALLOW: Final = Rules.Action.ALLOW
_DENY: Final = Rules.Action.DENY


class AuthorizationIntent(msgspec.Struct, frozen=True, kw_only=True):
    """All that one port's filters are made of. `providers` has those that CUSTOM policies may name."""

    name: str
    place: Place
    policies: tuple[Policy, ...] = ()
    providers: tuple[CheckProvider, ...] = ()


def authorization_name(port: int) -> str:
    """The resource of a port's policies."""
    return f"{PLACES}{port}"


def seen_from(intent: AuthorizationIntent, *, has_peer: bool) -> AuthorizationIntent:
    """The same policies where mesh TLS ends, or where it does not: plain text, and TLS of somebody else's authority,
    have no peer to speak of."""
    if has_peer == intent.place.has_peer:
        return intent
    place = msgspec.structs.replace(intent.place, has_peer=has_peer)
    return msgspec.structs.replace(intent, place=place, name=f"{intent.name}{WITHOUT_PEER}")


def authorization_place(name: str) -> HttpFilter:
    """Where requests' policies are asked, as a listener has it."""
    source = ExtensionConfigSource(config_source=ADS, type_urls=[FILTER_CHAIN_URL])
    return HttpFilter(name=name, config_discovery=source)


def build_authorization(intent: AuthorizationIntent) -> Resource:
    extension = TypedExtensionConfig(
        name=intent.name, typed_config=pack(filter_chain(request_filters(intent)))
    )
    objects = dict.fromkeys(policy.ref for policy in intent.policies)
    return build_resource(ResourceType.EXTENSION, intent.name, extension, objects)


def request_filters(intent: AuthorizationIntent) -> list[TypedExtensionConfig]:
    """Nothing where there are no policies."""
    plan = obeyable(intent.policies, intent.providers)
    filters: list[TypedExtensionConfig] = []
    keys = _state_keys(plan.policies)
    if keys:
        state = pack(inputs.request_state(keys))
        filters.append(TypedExtensionConfig(name="proa.authz.state", typed_config=state))
    for prefix, matcher in _shadows(plan, intent.place):
        shadow = RBAC(shadow_matcher=matcher, shadow_rules_stat_prefix=prefix)
        filters.append(TypedExtensionConfig(name=f"proa.authz.{prefix[:-1]}", typed_config=pack(shadow)))
    if plan.provider is not None:
        asked = pack(ask_for_request(plan.provider, NO_RULE))
        filters.append(TypedExtensionConfig(name="proa.authz.ask", typed_config=asked))
    enforced = _enforced(plan, intent.place)
    if enforced is not None:
        filters.append(
            TypedExtensionConfig(name="proa.authz.rules", typed_config=pack(RBAC(matcher=enforced)))
        )
    return filters


def stream_filters(intent: AuthorizationIntent) -> list[Filter]:
    """The same for raw streams; HTTP's own attributes are not there."""
    place = msgspec.structs.replace(intent.place, is_stream=True)
    plan = obeyable(intent.policies, intent.providers, is_stream=True)
    filters: list[Filter] = []
    for prefix, matcher in _shadows(plan, place):
        shadow = StreamRbac(stat_prefix=_STATS, shadow_matcher=matcher, shadow_rules_stat_prefix=prefix)
        filters.append(Filter(name=f"proa.authz.{prefix[:-1]}", typed_config=pack(shadow)))
    if plan.provider is not None:
        asked = pack(ask_for_stream(plan.provider, NO_RULE))
        filters.append(Filter(name="proa.authz.ask", typed_config=asked))
    enforced = _enforced(plan, place)
    if enforced is not None:
        rules = StreamRbac(stat_prefix=_STATS, matcher=enforced)
        filters.append(Filter(name="proa.authz.rules", typed_config=pack(rules)))
    return filters


def _of(plan: Obeyable, action: Action, *, dry: bool = False) -> tuple[Policy, ...]:
    return tuple(each for each in plan.policies if each.action == action and each.is_dry_run == dry)


def _state_keys(policies: Iterable[Policy]) -> set[str]:
    asked = {term.attribute for policy in policies for rule in policy.rules for term in rule.terms}
    keys = {"path": inputs.PATH, "request_principal": inputs.REQUEST_PRINCIPAL}
    return {key for attribute, key in keys.items() if attribute in asked}


def _shadows(plan: Obeyable, place: Place) -> Iterator[tuple[str, Matcher]]:
    """What is found and not obeyed, under its prefix."""
    passed, refused = verdict(NO_RULE, _ALLOW), verdict(NO_RULE, _DENY)
    wanted: tuple[tuple[str, Action, bool, Rules.Action.ValueType], ...] = (
        (AUDIT, "AUDIT", False, _ALLOW),
        (DRY_DENY, "DENY", True, _DENY),
        (DRY_ALLOW, "ALLOW", True, _ALLOW),
        (ASKED_PREFIX, "CUSTOM", False, _DENY),
    )
    for prefix, action, dry, answer in wanted:
        policies = _of(plan, action, dry=dry)
        if policies:
            final = refused if answer == _ALLOW else passed
            stage = Stage(policies=policies, action=action, verdict=answer)
            yield prefix, build_matcher((stage,), final, place)


def _enforced(plan: Obeyable, place: Place) -> Matcher | None:
    denying, allowing = _of(plan, "DENY"), _of(plan, "ALLOW")
    if not denying and not allowing:
        return None
    stages = (
        Stage(policies=denying, action="DENY", verdict=_DENY),
        Stage(policies=allowing, action="ALLOW", verdict=_ALLOW),
    )
    return build_matcher(stages, verdict(NO_RULE, _DENY if allowing else _ALLOW), place)
