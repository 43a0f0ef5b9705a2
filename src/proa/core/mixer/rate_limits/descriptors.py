"""The parts as a rate limit of Envoy's: one descriptor with an entry for each part that the request has.

Each entry is a CEL expression that has no value where the request lacks the part; then the entry is left out, so that
absent and empty are two things. Keys are ours and fixed: a caller has a word in the values of headers alone.

The address is a part that CEL knows only as `x-forwarded-for` would have it. `address_state` puts the connection's own
into the request's filter state first.
"""

from collections.abc import Iterable, Iterator
from typing import Final

from envoy.config.core.v3.base_pb2 import DataSource
from envoy.config.core.v3.extension_pb2 import TypedExtensionConfig
from envoy.config.core.v3.substitution_format_string_pb2 import SubstitutionFormatString
from envoy.config.route.v3.route_components_pb2 import RateLimit
from envoy.extensions.filters.common.set_filter_state.v3.value_pb2 import FilterStateValue
from envoy.extensions.filters.http.set_filter_state.v3.set_filter_state_pb2 import Config as SetFilterState
from envoy.extensions.rate_limit_descriptors.expr.v3.expr_pb2 import Descriptor
from google.protobuf.any_pb2 import Any as AnyMessage
from google.protobuf.message import Message

from proa.core.expression.cel import (
    EMPTY_TEXT,
    FAILURE,
    Cel,
    Literal,
    Operation,
    cel_text,
    choice,
    has,
    infix,
    path,
)
from proa.core.expression.envoy_attributes import IN_ENVOY, at_key, is_text
from proa.core.mixer.rate_limits.parts import ADDRESS, CONNECTION, MOMENT

ADDRESS_KEY: Final = "proa.mixer.address"
ASKED_KEY: Final = "?"
"""Of the entry that is there when there is something to charge. It says nothing."""

_CLAIMS: Final = IN_ENVOY["request.auth.claims"]
_FIXED: Final[dict[str, Cel]] = {
    "u": choice(
        has("connection.uri_san_peer_certificate"), path("connection.uri_san_peer_certificate"), FAILURE
    ),
    "w": choice(
        has("connection.dns_san_peer_certificate"), path("connection.dns_san_peer_certificate"), FAILURE
    ),
    "s": choice(
        infix(path("connection.requested_server_name"), "!=", EMPTY_TEXT),
        path("connection.requested_server_name"),
        FAILURE,
    ),
    ADDRESS: at_key(path("filter_state"), ADDRESS_KEY),
    CONNECTION: path("connection.id"),
    MOMENT: path("request.time"),
}


def rate_limit(parts: Iterable[str], asked: str = "") -> RateLimit:
    """`asked`, in CEL, false or without a value: there is no descriptor, and nobody is called. "": always."""
    actions = [_action(part, cel_text(cel_of(part)), or_none=True) for part in parts]
    if asked:
        actions.insert(0, _action(ASKED_KEY, f'(({asked}) ? "yes" : {cel_text(FAILURE)})', or_none=False))
    return RateLimit(actions=actions)


def address_state(parts: Iterable[str]) -> Iterator[TypedExtensionConfig]:
    """What has to stand in front of the filter: one filter, where a part needs it."""
    if ADDRESS in parts:
        value = FilterStateValue(
            object_key=ADDRESS_KEY,
            factory_key="envoy.string",
            format_string=SubstitutionFormatString(
                text_format_source=DataSource(inline_string="%DOWNSTREAM_DIRECT_REMOTE_ADDRESS_WITHOUT_PORT%")
            ),
        )
        config = SetFilterState(on_request_headers=[value])
        yield TypedExtensionConfig(name="proa.mixer.address", typed_config=_packed(config))


def cel_of(part: str) -> Cel:
    """Its value, or none. Raises ValueError for what is no part."""
    kind, _, name = part.partition(":")
    if kind == "h" and name:
        return at_key(path("request.headers"), name)
    if kind == "j":
        assert _CLAIMS.present is not None
        return choice(_CLAIMS.present, Literal("yes"), FAILURE)
    if kind in ("c", "l") and name:
        claim = at_key(_CLAIMS.value, name)
        text = choice(is_text(claim), claim, FAILURE)
        return text if kind == "c" else choice(is_text(claim), claim, _first(claim))
    if part in _FIXED:
        return _FIXED[part]
    raise ValueError(f"{part!r} is no part of a request that a proxy tells")


def _first(claim: Cel) -> Cel:
    """Of a list, where it is a text."""
    first = Operation("_[_]", (claim, Literal(0)))
    return choice(is_text(first), first, FAILURE)


def _action(key: str, value: str, *, or_none: bool) -> RateLimit.Action:
    config = Descriptor(descriptor_key=key, skip_if_error=or_none, text=value)
    extension = TypedExtensionConfig(name="envoy.rate_limit_descriptors.expr", typed_config=_packed(config))
    return RateLimit.Action(extension=extension)


def _packed(message: Message) -> AnyMessage:
    return AnyMessage(
        type_url=f"type.googleapis.com/{message.DESCRIPTOR.full_name}",
        value=message.SerializeToString(deterministic=True),
    )
