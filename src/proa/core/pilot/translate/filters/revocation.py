"""Refuses peers whose certificate, identity or workload is revoked, before any other policy is asked.

It travels by ECDS, so the next request on an open connection is judged anew, and so is each raw stream that begins.
What is open longer (a stream, a tunnel, a connection made with a key that was replaced) ends with its filter chain,
which carries the time of the newest revocation and so is another one when a revocation is added (decision 0021). The
peer's serial is put into the connection's filter state once, when the handshake is over: everything else Envoy's
matchers can read from the connection itself.
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

from proa.core.model.revoked import Revoked
from proa.core.pilot.resource import Resource, ResourceType
from proa.core.pilot.translate.encode import ADS, build_resource, pack, struct
from proa.core.pilot.translate.filters.handshake_state import HandshakeState

REVOCATION: Final = "proa.revocation"
REVOCATION_STREAMS: Final = "proa.revocation.streams"
SERIAL_KEY: Final = "proa.peer_serial"
SERIAL_BYTES_HEX: Final = 2
"""Envoy writes serials as whole bytes: an odd number of digits gets a zero in front."""


class RevocationIntent(msgspec.Struct, frozen=True, kw_only=True):
    """`since` is left out: what is added shows in the lists."""

    serials: tuple[str, ...] = ()
    identities: tuple[str, ...] = ()
    names: tuple[str, ...] = ()


def intent_of(revoked: Revoked) -> RevocationIntent:
    return RevocationIntent(serials=revoked.serials, identities=revoked.identities, names=revoked.names)


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
    """Three look-ups, whatever the lists' length: identity, workload, serial. None of them: on to the next filter."""
    found = Matcher(on_no_match=_action("not revoked", denies=False))
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
        below = found.on_no_match if not found.WhichOneof("matcher_type") else Matcher.OnMatch(matcher=found)
        found = Matcher(matcher_tree=tree, on_no_match=below)
    return found


def _action(name: str, *, denies: bool) -> Matcher.OnMatch:
    packed: AnyMessage = pack(Action(name=name, action=Rules.DENY if denies else Rules.ALLOW))
    return Matcher.OnMatch(action=XdsExtension(name="envoy.filters.rbac.action", typed_config=packed))


def _whole_bytes(serial: str) -> str:
    return serial if len(serial) % SERIAL_BYTES_HEX == 0 else f"0{serial}"
