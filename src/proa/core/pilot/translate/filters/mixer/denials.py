"""Denials that a proxy says itself: three filters, which are there only where some rule's denials are pushed down.

1. `set_filter_state` asks all their conditions and writes down what they came to: `true`, `false`, or `-` where one has
   no value. A denial that names a value of the request has that written down beside it.
2. Lua answers as Mixer would: with the status of the first call that denies, and what all of them say. It tells the
   rule in the request's metadata, where the script of kept verdicts tells it too.
3. RBAC lets pass what met no condition, and nothing else. So a script that is broken refuses as many as one that is
   not, with fewer words, and a state that is missing or unreadable refuses everybody.

Callers are known by the DNS name in a certificate of the mesh's own trust domain, whatever names a partner may write.
"""

from collections.abc import Iterable, Sequence
from typing import Final

from envoy.config.core.v3.base_pb2 import DataSource
from envoy.config.core.v3.extension_pb2 import TypedExtensionConfig
from envoy.config.core.v3.substitution_format_string_pb2 import SubstitutionFormatString
from envoy.config.rbac.v3.rbac_pb2 import RBAC as Rules
from envoy.extensions.filters.common.set_filter_state.v3.value_pb2 import FilterStateValue
from envoy.extensions.filters.http.lua.v3.lua_pb2 import Lua
from envoy.extensions.filters.http.rbac.v3.rbac_pb2 import RBAC
from envoy.extensions.filters.http.set_filter_state.v3.set_filter_state_pb2 import Config as HttpState
from xds.type.matcher.v3.matcher_pb2 import Matcher
from xds.type.matcher.v3.regex_pb2 import RegexMatcher
from xds.type.matcher.v3.string_pb2 import StringMatcher

from proa.core.auth.spiffe import SCHEME, workload_dns_name
from proa.core.expression.cel import (
    FALSE,
    TRUE,
    Cel,
    Literal,
    Method,
    Texts,
    cel_text,
    choice,
    has,
    infix,
    path,
)
from proa.core.mixer.pushdown.values import Denial
from proa.core.model.names import WorkloadId
from proa.core.pilot.translate.authorization import inputs
from proa.core.pilot.translate.authorization.tree import verdict
from proa.core.pilot.translate.encode import pack
from proa.core.pilot.translate.filters.mixer.responder import responder

STATE: Final = "proa.mixer.denials"
STATS: Final = "proa_mixer_"
_NONE_MET: Final = "(false|-)(,(false|-))*"
_PEER: Final = "connection.uri_san_peer_certificate"
_WORKLOAD: Final = "connection.dns_san_peer_certificate"


def denial_filters(denials: Sequence[Denial], trust_domain: str) -> list[TypedExtensionConfig]:
    """`denials` in the order in which they count; none of them, no filters."""
    if not denials:
        return []
    conditions = ",".join(f"%CEL({cel_text(_condition(each, trust_domain))})%" for each in denials)
    values = [
        _state(f"{STATE}.{number}", f"%CEL({cel_text(denial.value)})%")
        for number, denial in enumerate(denials, 1)
        if denial.value is not None
    ]
    state = HttpState(on_request_headers=[_state(STATE, conditions), *values])
    lua = Lua(default_source_code=DataSource(inline_string=responder(denials, STATE)))
    rules = RBAC(matcher=_none_met(), rules_stat_prefix=STATS)
    return [
        TypedExtensionConfig(name="proa.mixer.denials.state", typed_config=pack(state)),
        TypedExtensionConfig(name="proa.mixer.denials.answer", typed_config=pack(lua)),
        TypedExtensionConfig(name="proa.mixer.denials.rules", typed_config=pack(rules)),
    ]


def _state(key: str, text: str) -> FilterStateValue:
    return FilterStateValue(
        object_key=key,
        factory_key="envoy.string",
        format_string=SubstitutionFormatString(text_format_source=DataSource(inline_string=text)),
    )


def _none_met() -> Matcher:
    regex = RegexMatcher(google_re2=RegexMatcher.GoogleRE2(), regex=_NONE_MET)
    predicate = Matcher.MatcherList.Predicate(
        single_predicate=Matcher.MatcherList.Predicate.SinglePredicate(
            input=inputs.state(STATE), value_match=StringMatcher(safe_regex=regex)
        )
    )
    passes = Matcher.MatcherList.FieldMatcher(
        predicate=predicate, on_match=verdict("nothing denies it", Rules.Action.ALLOW)
    )
    return Matcher(
        matcher_list=Matcher.MatcherList(matchers=[passes]),
        on_no_match=verdict("a rule denies it", Rules.Action.DENY),
    )


def _condition(denial: Denial, trust_domain: str) -> Cel:
    whose, condition = denial.whose, denial.condition
    if whose is None:
        return condition
    is_own, is_named = _is_own(trust_domain), _is_named(whose.names, trust_domain)
    match whose.kind:
        case "named":
            return choice(_both(is_own, is_named), condition, FALSE)
        case "newcomers":
            return choice(choice(is_own, _not(is_named), FALSE), condition, FALSE)
        case "strangers":
            return choice(is_own, FALSE, condition)
        case "others":
            return choice(_both(is_own, is_named), FALSE, condition)


def _both(first: Cel, second: Cel) -> Cel:
    return choice(first, second, FALSE)


def _not(condition: Cel) -> Cel:
    return choice(condition, FALSE, TRUE)


def _is_own(trust_domain: str) -> Cel:
    """Whether a certificate of the mesh's own has a workload's name in it. Always has a value."""
    is_ours = Method("startsWith", path(_PEER), (Literal(f"{SCHEME}{trust_domain}/"),))
    is_name = Method("endsWith", path(_WORKLOAD), (Literal(f".workload.{trust_domain}"),))
    return _both(has(_PEER), _both(is_ours, _both(has(_WORKLOAD), is_name)))


def _is_named(names: Iterable[str], trust_domain: str) -> Cel:
    """Of a name that is there."""
    whole: list[str] = []
    found: list[Cel] = []
    for name in names:
        workload, _, namespace = name.rpartition(".")
        if workload == "*":
            ending = Literal(f".{namespace}.workload.{trust_domain}")
            found.append(Method("endsWith", path(_WORKLOAD), (ending,)))
        else:
            whole.append(workload_dns_name(WorkloadId(namespace, workload), trust_domain))
    if whole:
        found.append(infix(path(_WORKLOAD), "in", Texts(tuple(whole))))
    is_named: Cel = FALSE
    for each in reversed(found):
        is_named = each if is_named == FALSE else choice(each, TRUE, is_named)
    return is_named
