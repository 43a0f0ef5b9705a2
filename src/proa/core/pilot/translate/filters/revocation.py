"""Refuses peers whose certificate, identity or workload is revoked, and those of a trust domain that is not believed
here, before any other policy is asked.

It travels by ECDS, so the next request on an open connection is judged anew, and so is each raw stream that begins.
What is open longer (a stream, a tunnel, a connection made with a key that was replaced) ends with its filter chain,
which carries the time of the newest revocation and so is another one when a revocation is added (decision 0021). The
peer's serial is put into the connection's filter state once, when the handshake is over: everything else Envoy's
matchers can read from the connection itself.

The handshake refuses whose domain has no bundle here; this does the same for connections that were open when a bundle
was taken away, lets in of a partner's whom policies name (`core.auth.federation.judge`), and refuses a certificate of
several identities: the validator looks at the first alone, and a partner could write one of ours behind it.
"""

from collections.abc import Iterable
from typing import Final

import msgspec
from envoy.config.core.v3.base_pb2 import DataSource, Metadata
from envoy.config.core.v3.config_source_pb2 import ExtensionConfigSource
from envoy.config.core.v3.extension_pb2 import TypedExtensionConfig
from envoy.config.core.v3.substitution_format_string_pb2 import SubstitutionFormatString
from envoy.config.listener.v3.listener_components_pb2 import Filter
from envoy.config.rbac.v3.rbac_pb2 import RBAC as Rules
from envoy.config.rbac.v3.rbac_pb2 import Action
from envoy.extensions.filters.common.set_filter_state.v3.value_pb2 import FilterStateValue
from envoy.extensions.filters.http.rbac.v3.rbac_pb2 import RBAC as HttpRbac
from envoy.extensions.filters.network.http_connection_manager.v3.http_connection_manager_pb2 import HttpFilter
from envoy.extensions.filters.network.rbac.v3.rbac_pb2 import RBAC as NetworkRbac
from envoy.extensions.matching.common_inputs.network.v3.network_inputs_pb2 import FilterStateInput
from envoy.extensions.matching.common_inputs.ssl.v3.ssl_inputs_pb2 import DnsSanInput, UriSanInput
from google.protobuf.any_pb2 import Any as AnyMessage
from google.protobuf.message import Message
from xds.core.v3.extension_pb2 import TypedExtensionConfig as XdsExtension
from xds.type.matcher.v3.matcher_pb2 import Matcher
from xds.type.matcher.v3.regex_pb2 import RegexMatcher
from xds.type.matcher.v3.string_pb2 import StringMatcher

from proa.core.auth.authorization.reading import TrustDomains
from proa.core.auth.federation import STRANGER, UNNAMED, Named
from proa.core.auth.spiffe import SCHEME
from proa.core.model.names import DEFAULT_TRUST_DOMAIN
from proa.core.model.revoked import Revoked
from proa.core.pilot.resource import Resource, ResourceType
from proa.core.pilot.translate.authorization.predicates import re2_escape
from proa.core.pilot.translate.encode import ADS, build_resource, pack, struct
from proa.core.pilot.translate.filters.handshake_state import HandshakeState

REVOCATION: Final = "proa.revocation"
REVOCATION_STREAMS: Final = "proa.revocation.streams"
SERIAL_KEY: Final = "proa.peer_serial"
SERIAL_BYTES_HEX: Final = 2
"""Envoy writes serials as whole bytes: an odd number of digits gets a zero in front."""
_PEER: Final = XdsExtension(name="envoy.matching.inputs.uri_san", typed_config=pack(UriSanInput()))
"""All of the peer's SPIFFE ids, with commas between them."""


class RevocationIntent(msgspec.Struct, frozen=True, kw_only=True):
    """`since` is left out: what is added shows in the lists. `own` are the mesh's names of its trust domain, `partners`
    the others that are believed by the workload."""

    serials: tuple[str, ...] = ()
    identities: tuple[str, ...] = ()
    names: tuple[str, ...] = ()
    own: tuple[str, ...] = (DEFAULT_TRUST_DOMAIN,)
    partners: tuple[Named, ...] = ()


def intent_of(
    revoked: Revoked, domains: TrustDomains = TrustDomains(), partners: tuple[Named, ...] = ()
) -> RevocationIntent:
    return RevocationIntent(
        serials=revoked.serials,
        identities=revoked.identities,
        names=revoked.names,
        own=domains.names,
        partners=partners,
    )


def build_revocation(intent: RevocationIntent) -> Resource:
    """For requests."""
    extension = TypedExtensionConfig(
        name=REVOCATION,
        typed_config=pack(HttpRbac(matcher=_matcher(intent), rules_stat_prefix="proa_revoked_")),
    )
    return build_resource(ResourceType.EXTENSION, REVOCATION, extension)


def build_stream_revocation(intent: RevocationIntent) -> Resource:
    """For raw streams that begin from now on."""
    extension = TypedExtensionConfig(
        name=REVOCATION_STREAMS,
        typed_config=pack(NetworkRbac(matcher=_matcher(intent), stat_prefix="proa_revoked_")),
    )
    return build_resource(ResourceType.EXTENSION, REVOCATION_STREAMS, extension)


def request_filter() -> HttpFilter:
    """First of all that judge. A configuration that does not come keeps the listener from opening."""
    return HttpFilter(name=REVOCATION, config_discovery=_discovery(HttpRbac))


def stream_filters() -> list[Filter]:
    return [Filter(name=REVOCATION_STREAMS, config_discovery=_discovery(NetworkRbac))]


def peer_serial() -> Filter:
    """Keeps the peer's serial for the matchers above. The first network filter of a chain with mesh TLS."""
    value = FilterStateValue(
        object_key=SERIAL_KEY,
        factory_key="envoy.string",
        format_string=SubstitutionFormatString(
            text_format_source=DataSource(inline_string="%DOWNSTREAM_PEER_SERIAL%")
        ),
    )
    return Filter(name="envoy.filters.network.set_filter_state", typed_config=HandshakeState.after(value))


def revoked_since(millis: int) -> Metadata:
    """Makes a filter chain another one, so that Envoy drains the connections of the one before."""
    return Metadata(filter_metadata={"proa.revocation": struct(since=str(millis))})


def _discovery(kind: type[Message]) -> ExtensionConfigSource:
    return ExtensionConfigSource(
        config_source=ADS, type_urls=[f"type.googleapis.com/{kind.DESCRIPTOR.full_name}"]
    )


def _matcher(intent: RevocationIntent) -> Matcher:
    """Three look-ups, whatever the lists' length: identity, workload, serial. None of them: whose domain it is."""
    found = _domains(intent)
    levels: tuple[tuple[str, Message, Iterable[str]], ...] = (
        (
            "envoy.matching.inputs.filter_state",
            FilterStateInput(key=SERIAL_KEY),
            (_whole_bytes(serial) for serial in intent.serials),
        ),
        ("envoy.matching.inputs.dns_san", DnsSanInput(), intent.names),
        ("envoy.matching.inputs.uri_san", UriSanInput(), intent.identities),
    )
    refused = _action("revoked", denies=True)
    for name, source, values in levels:
        entries = dict.fromkeys(values, refused)
        if not entries:
            continue
        tree = Matcher.MatcherTree(
            input=XdsExtension(name=name, typed_config=pack(source)),
            exact_match_map=Matcher.MatcherTree.MatchMap(map=entries),
        )
        found = Matcher(matcher_tree=tree, on_no_match=Matcher.OnMatch(matcher=found))
    return found


def _domains(intent: RevocationIntent) -> Matcher:
    """One look-up for the mesh's own workloads, who are let on to the next filter. Its other ids open no program."""
    let_on = _action("not revoked", denies=False)
    known = {f"{SCHEME}{name}/ns/": let_on for name in intent.own}
    known |= {
        f"{SCHEME}{each.trust_domain}/": Matcher.OnMatch(matcher=_partner(each)) for each in intent.partners
    }
    tree = Matcher.MatcherTree(input=_PEER, prefix_match_map=Matcher.MatcherTree.MatchMap(map=known))
    return Matcher(matcher_tree=tree, on_no_match=_action(STRANGER, denies=True))


def _partner(named: Named) -> Matcher:
    """Those that are named, then all others with one identity, then the rest."""
    let_on = _action("not revoked", denies=False)
    anybody = _pattern(f"{SCHEME}{re2_escape(named.trust_domain)}/[^,]+")
    if named.whole:
        matchers = [Matcher.MatcherList.FieldMatcher(predicate=anybody, on_match=let_on)]
    else:
        prefixes = (_pattern(f"{SCHEME}{re2_escape(each)}[^,]*") for each in named.prefixes)
        matchers = [
            *(Matcher.MatcherList.FieldMatcher(predicate=each, on_match=let_on) for each in prefixes),
            Matcher.MatcherList.FieldMatcher(predicate=anybody, on_match=_action(UNNAMED, denies=True)),
        ]
    found = Matcher(
        matcher_list=Matcher.MatcherList(matchers=matchers), on_no_match=_action(STRANGER, denies=True)
    )
    if not named.exact:
        return found
    exact = Matcher.MatcherTree.MatchMap(map={f"{SCHEME}{each}": let_on for each in named.exact})
    return Matcher(
        matcher_tree=Matcher.MatcherTree(input=_PEER, exact_match_map=exact),
        on_no_match=Matcher.OnMatch(matcher=found),
    )


def _pattern(text: str) -> Matcher.MatcherList.Predicate:
    value = StringMatcher(safe_regex=RegexMatcher(google_re2=RegexMatcher.GoogleRE2(), regex=text))
    single = Matcher.MatcherList.Predicate.SinglePredicate(input=_PEER, value_match=value)
    return Matcher.MatcherList.Predicate(single_predicate=single)


def _action(name: str, *, denies: bool) -> Matcher.OnMatch:
    packed: AnyMessage = pack(Action(name=name, action=Rules.DENY if denies else Rules.ALLOW))
    return Matcher.OnMatch(action=XdsExtension(name="envoy.filters.rbac.action", typed_config=packed))


def _whole_bytes(serial: str) -> str:
    return serial if len(serial) % SERIAL_BYTES_HEX == 0 else f"0{serial}"
