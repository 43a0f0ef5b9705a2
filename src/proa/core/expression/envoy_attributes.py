"""Which of Mixer's attributes a stock Envoy has in CEL, by what name, and how their absence shows.

An attribute that is not here reaches Envoy only as a fact that Pilot knew before, or not at all; `missing_reason` says
which. The table is held to a real Envoy by tests.
"""

from collections.abc import Mapping
from types import MappingProxyType

import msgspec

from proa.core.attributes.vocabulary import ATTRIBUTES, Producer
from proa.core.expression.cel import (
    EMPTY_TEXT,
    FALSE,
    Cel,
    Literal,
    Method,
    Operation,
    choice,
    has,
    infix,
    path,
)

_SCHEME = "spiffe://"
_JWT = "envoy.filters.http.jwt_authn"


class EnvoyAttribute(msgspec.Struct, frozen=True):
    """`value` may be read where `present` is true; None is always. `prefix`: Envoy's text has it in front of Mixer's.
    `at_end`: known when the response or connection is over, to what reports. Of maps: `texts_alone`, what is no text
    is not there; `small_keys`, only keys in small letters are."""

    value: Cel
    present: Cel | None = None
    prefix: str = ""
    at_end: bool = False
    texts_alone: bool = False
    small_keys: bool = False


def _with_default(name: str, default: str) -> EnvoyAttribute:
    return EnvoyAttribute(choice(has(name), path(name), Literal(default)))


def _identity(name: str) -> EnvoyAttribute:
    """The first URI of a certificate, if it is a SPIFFE id. Mixer's attribute has no scheme."""
    is_spiffe = Method("startsWith", path(name), (Literal(_SCHEME),))
    return EnvoyAttribute(path(name), choice(has(name), is_spiffe, FALSE), prefix=_SCHEME)


def _protocol() -> EnvoyAttribute:
    """Parameters of the content type do not count."""
    headers = path("request.headers")
    spellings = "^application/grpc([+](proto|json))?(;.*)?$"
    is_grpc = Method("matches", at_key(headers, "content-type"), (Literal(spellings),))
    is_said = choice(has_key(headers, "content-type"), is_grpc, FALSE)
    return EnvoyAttribute(choice(is_said, Literal("grpc"), Literal("http")))


def at_key(content: Cel, key: str) -> Cel:
    return Operation("_[_]", (content, Literal(key)))


def has_key(content: Cel, key: str) -> Cel:
    return infix(Literal(key), "in", content)


def is_text(value: Cel) -> Cel:
    return infix(Operation("type", (value,)), "==", path("string"))


def _claims() -> EnvoyAttribute:
    """What the JWT filter keeps of a token that it took."""
    everything = path("metadata.filter_metadata")
    payload = at_key(at_key(everything, _JWT), "payload")
    is_filled = infix(Operation("size", (payload,)), ">", Literal(0))
    is_there = choice(has_key(at_key(everything, _JWT), "payload"), is_filled, FALSE)
    return EnvoyAttribute(payload, choice(has_key(everything, _JWT), is_there, FALSE), texts_alone=True)


def _claim(name: str) -> EnvoyAttribute:
    claims = _claims()
    assert claims.present is not None
    value = at_key(claims.value, name)
    is_there = choice(has_key(claims.value, name), is_text(value), FALSE)
    return EnvoyAttribute(value, choice(claims.present, is_there, FALSE))


_PEER = _identity("connection.uri_san_peer_certificate")
_LOCAL = _identity("connection.uri_san_local_certificate")
_SERVER_NAME = path("connection.requested_server_name")

# For requests: a raw stream has no CEL before its connection is over.
IN_ENVOY: Mapping[str, EnvoyAttribute] = MappingProxyType(
    {
        "request.headers": EnvoyAttribute(path("request.headers"), small_keys=True),
        "request.auth.claims": _claims(),
        "request.auth.presenter": _claim("azp"),
        "request.host": _with_default("request.host", ""),
        "request.path": _with_default("request.path", ""),
        "request.scheme": _with_default("request.scheme", "http"),
        "request.method": EnvoyAttribute(path("request.method")),
        "request.referer": EnvoyAttribute(path("request.referer"), has("request.referer")),
        "request.useragent": EnvoyAttribute(path("request.useragent"), has("request.useragent")),
        "request.time": EnvoyAttribute(path("request.time")),
        "context.protocol": _protocol(),
        "connection.mtls": EnvoyAttribute(path("connection.mtls")),
        "connection.requested_server_name": EnvoyAttribute(
            _SERVER_NAME, infix(_SERVER_NAME, "!=", EMPTY_TEXT)
        ),
        "source.principal": _PEER,
        "source.user": _PEER,
        "destination.principal": _LOCAL,
        "destination.user": _LOCAL,
        "response.code": EnvoyAttribute(path("response.code"), has("response.code"), at_end=True),
        "response.headers": EnvoyAttribute(path("response.headers"), at_end=True, small_keys=True),
        "response.duration": EnvoyAttribute(path("request.duration"), has("request.duration"), at_end=True),
        "response.size": EnvoyAttribute(path("response.size"), at_end=True),
    }
)

_PRODUCERS = {row.name: frozenset(row.producers) for row in ATTRIBUTES}
_REASONS = {
    "origin.ip": "CEL has addresses as text with a port; RBAC's own matcher compares them",
    "request.size": "Envoy counts it by content-length",
    "request.total_size": "Envoy counts it by content-length",
    "response.grpc_status": "Envoy has it as a number",
    "request.auth.principal": "Envoy has issuer and subject apart; compare request.auth.claims with both",
    "request.auth.audiences": "Envoy has a list where Mixer has its first",
}


def missing_reason(name: str) -> str:
    """Why an attribute is not in Envoy, for people."""
    producers = _PRODUCERS.get(name, frozenset())
    if name in _REASONS:
        return _REASONS[name]
    if producers & {Producer.PROXY_CONFIG, Producer.ROUTE_CONFIG, Producer.GENERATOR}:
        return "Pilot knows it, and does not know it of this request before it comes"
    if Producer.API_SPEC in producers:
        return "an HTTPAPISpec gives it, which Envoy does not match"
    return "Envoy does not have it" if producers else "nothing produces it"
