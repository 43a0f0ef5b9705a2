"""The lists become look-ups, in whatever number, and none of them means: on to the next filter."""

from envoy.config.core.v3.extension_pb2 import TypedExtensionConfig
from envoy.config.rbac.v3.rbac_pb2 import RBAC, Action
from envoy.extensions.filters.http.rbac.v3.rbac_pb2 import RBAC as HttpRbac
from envoy.extensions.filters.network.rbac.v3.rbac_pb2 import RBAC as NetworkRbac
from google.protobuf.any_pb2 import Any as AnyMessage
from hypothesis import given
from hypothesis import strategies as st
from xds.type.matcher.v3.matcher_pb2 import Matcher

from proa.core.model.revoked import Revoked
from proa.core.pilot.resource import Resource
from proa.core.pilot.translate.filters.revocation import (
    build_revocation,
    build_stream_revocation,
    intent_of,
    revoked_since,
)

TEXTS = st.lists(st.text("abcdef0123", min_size=1, max_size=8), max_size=4, unique=True)


def matcher_of(resource: Resource) -> Matcher:
    extension = TypedExtensionConfig()
    AnyMessage.FromString(resource.body).Unpack(extension)
    http, network = HttpRbac(), NetworkRbac()
    if extension.typed_config.Unpack(http):
        return http.matcher
    assert extension.typed_config.Unpack(network)
    return network.matcher


def judged(matcher: Matcher, peer: dict[str, str]) -> int:
    """As Envoy walks it: an exact match decides, else what stands for no match."""
    tree = matcher.matcher_tree
    chosen = matcher.on_no_match
    value = peer.get(tree.input.name, "(none)")
    if matcher.WhichOneof("matcher_type") and value in tree.exact_match_map.map:
        chosen = tree.exact_match_map.map[value]
    if chosen.HasField("matcher"):
        return judged(chosen.matcher, peer)
    action = Action()
    assert chosen.action.typed_config.Unpack(action)
    return int(action.action)


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
                assert judged(matcher, {name: value}) == RBAC.DENY
            expected = RBAC.DENY if other in values else RBAC.ALLOW
            assert judged(matcher, {name: other}) == expected
        assert judged(matcher, {}) == RBAC.ALLOW


def test_the_time_changes_the_chain_and_not_the_lists() -> None:
    early, late = Revoked(serials=("a",), since=1), Revoked(serials=("a",), since=2)
    assert intent_of(early) == intent_of(late)
    assert revoked_since(1) != revoked_since(2)
