"""The lists become look-ups, in whatever number, and none of them means: on to the next filter."""

import re

import msgspec
from envoy.config.core.v3.extension_pb2 import TypedExtensionConfig
from envoy.config.rbac.v3.rbac_pb2 import RBAC, Action
from envoy.extensions.filters.http.rbac.v3.rbac_pb2 import RBAC as HttpRbac
from envoy.extensions.filters.network.rbac.v3.rbac_pb2 import RBAC as NetworkRbac
from google.protobuf.any_pb2 import Any as AnyMessage
from hypothesis import given
from hypothesis import strategies as st
from xds.type.matcher.v3.matcher_pb2 import Matcher

from proa.core.auth.authorization.reading import TrustDomains
from proa.core.auth.federation import STRANGER, Named, judge, refusal
from proa.core.model.revoked import Revoked
from proa.core.pilot.resource import Resource
from proa.core.pilot.translate.filters.revocation import (
    build_revocation,
    build_stream_revocation,
    intent_of,
    revoked_since,
)

PEER = "envoy.matching.inputs.uri_san"
OURS = {PEER: "spiffe://cluster.local/ns/a/sa/b"}
TEXTS = st.lists(st.text("abcdef0123", min_size=1, max_size=8), max_size=4, unique=True)


def matcher_of(resource: Resource) -> Matcher:
    extension = TypedExtensionConfig()
    AnyMessage.FromString(resource.body).Unpack(extension)
    http, network = HttpRbac(), NetworkRbac()
    if extension.typed_config.Unpack(http):
        return http.matcher
    assert extension.typed_config.Unpack(network)
    return network.matcher


def judged(matcher: Matcher, peer: dict[str, str]) -> str:
    """As Envoy walks it: an exact match decides, a prefix, or the first predicate; else what stands for no match."""
    tree = matcher.matcher_tree
    chosen = matcher.on_no_match
    value = peer.get(tree.input.name, "(none)")
    if value in tree.exact_match_map.map:
        chosen = tree.exact_match_map.map[value]
    for prefix in sorted(tree.prefix_match_map.map, key=len):
        if value.startswith(prefix):
            chosen = tree.prefix_match_map.map[prefix]
    for each in reversed(matcher.matcher_list.matchers):
        asked = each.predicate.single_predicate
        value = peer.get(asked.input.name, "(none)")
        if re.fullmatch(asked.value_match.safe_regex.regex, value):
            chosen = each.on_match
    if chosen.HasField("matcher"):
        return judged(chosen.matcher, peer)
    action = Action()
    assert chosen.action.typed_config.Unpack(action)
    return str(action.name) if action.action == RBAC.DENY else ""


@given(TEXTS, TEXTS, TEXTS, st.text("abcdef0123", max_size=8))
def test_who_is_on_a_list_is_refused_and_nobody_else(
    serials: list[str], identities: list[str], names: list[str], other: str
) -> None:
    revoked = Revoked(serials=tuple(serials), identities=tuple(identities), names=tuple(names), since=5)
    for build in (build_revocation, build_stream_revocation):
        matcher = matcher_of(build(intent_of(revoked)))
        inputs = {
            "envoy.matching.inputs.filter_state": [f"0{each}" if len(each) % 2 else each for each in serials],
            "envoy.matching.inputs.uri_san": identities,
            "envoy.matching.inputs.dns_san": names,
        }
        for name, values in inputs.items():
            for value in values:
                assert judged(matcher, {**OURS, name: value}) == "revoked"
            if name != PEER:
                expected = "revoked" if other in values else ""
                assert judged(matcher, {**OURS, name: other}) == expected
        assert judged(matcher, OURS) == ""
        assert judged(matcher, {}) == STRANGER, "who shows no identity of a domain that is believed"


PRINCIPALS = st.builds(
    lambda domain, path, more: f"{domain}/{path}{more}",
    st.sampled_from(("cluster.local", "old", "partner", "partner.b", "other", "cluster.local.evil", "")),
    st.sampled_from(("ns/a/sa/b", "ns/a/sa/c", "ns/ab/sa/b", "x", "proa/node/n", "ns/")),
    st.sampled_from(("", "", ",spiffe://cluster.local/ns/a/sa/b", ",spiffe://partner/ns/a/sa/b")),
)


@given(
    PRINCIPALS,
    st.lists(
        st.builds(
            Named,
            trust_domain=st.sampled_from(("partner", "partner.b")),
            whole=st.booleans(),
            exact=st.sampled_from(((), ("partner/ns/a/sa/b", "partner.b/x"))),
            prefixes=st.sampled_from(((), ("partner/ns/a/",), ("partner.b/ns/ab/sa", "partner/x"))),
        ),
        max_size=2,
        unique_by=lambda named: named.trust_domain,
    ),
)
def test_envoy_judges_domains_as_the_decision_does(principal: str, partners: list[Named]) -> None:
    found = tuple(
        msgspec.structs.replace(
            each,
            exact=tuple(text for text in each.exact if text.startswith(f"{each.trust_domain}/")),
            prefixes=tuple(text for text in each.prefixes if text.startswith(f"{each.trust_domain}/")),
        )
        for each in partners
    )
    domains = TrustDomains(own="cluster.local", aliases=("old",))
    decided = judge(principal, domains.names, found)
    for build in (build_revocation, build_stream_revocation):
        matcher = matcher_of(build(intent_of(Revoked(), domains, found)))
        assert judged(matcher, {PEER: f"spiffe://{principal}"}) == refusal(decided)


def test_the_time_changes_the_chain_and_not_the_lists() -> None:
    early, late = Revoked(serials=("a",), since=1), Revoked(serials=("a",), since=2)
    assert intent_of(early) == intent_of(late)
    assert revoked_since(1) != revoked_since(2)
