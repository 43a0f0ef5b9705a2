"""From referenced attributes to what the proxy reads of a request to recognise the same question.

A part is one such reading, written as the proxy's script takes it:

| part | reads |
|---|---|
| `h:NAME` | a header, pseudo headers included; several of one name joined by commas |
| `u`, `w` | of the caller's certificate: the SPIFFE id, the DNS name that names the workload |
| `a` | the address that the connection comes from |
| `s` | the name asked for in TLS (SNI) |
| `j` | whether there is a token of an end user |
| `t` | whether the caller showed a certificate |
| `c:NAME` | a claim of the end user's token that is a text |
| `l:NAME` | the same, or the first of a list |

An attribute that is the same for all that a proxy asks (who and where the server is) needs no part. One that no two
requests share, or that the proxy does not know when it asks, makes a verdict of no use to anybody else.
"""

from collections.abc import Iterable
from functools import lru_cache
from typing import Final

import msgspec

from proa.core.expression.tracing import Reference

MOST_PARTS: Final = 16
"""A verdict that depends on more is not kept: its key costs more than it saves."""

_WORKLOAD: Final = ("u", "w")
"""A name is a workload's of the mesh only beside an id of the mesh: a partner's authority writes what it likes."""
_ALIKE: Final = ("destination.", "context.reporter.")
_PARTS: Final = {
    "request.host": ("h::authority",),
    "request.path": ("h::path",),
    "request.method": ("h::method",),
    "request.scheme": ("h::scheme",),
    "request.referer": ("h:referer",),
    "request.useragent": ("h:user-agent",),
    "source.principal": ("u",),
    "source.user": ("u",),
    "source.uid": _WORKLOAD,
    "source.name": _WORKLOAD,
    "source.namespace": _WORKLOAD,
    "source.owner": _WORKLOAD,
    "source.labels": _WORKLOAD,
    "source.serviceAccount": ("u",),
    "source.workload.uid": _WORKLOAD,
    "source.workload.name": _WORKLOAD,
    "source.workload.namespace": _WORKLOAD,
    "source.ip": ("a", *_WORKLOAD),
    "origin.ip": ("a",),
    "connection.mtls": ("t",),
    "connection.requested_server_name": ("s",),
    "context.protocol": ("h:content-type",),
    "request.auth.principal": ("c:iss", "c:sub"),
    "request.auth.presenter": ("c:azp",),
    "request.auth.audiences": ("l:aud",),
    "api.service": ("h::path", "h::method"),
    "api.version": ("h::path", "h::method"),
    "api.operation": ("h::path", "h::method"),
    "api.protocol": ("h::path", "h::method"),
}
_UNIQUE: Final = frozenset(
    ("request.id", "request.time", "context.time", "context.timestamp", "connection.id")
)
_LONGEST_NAME: Final = 200
_MAPS: Final = {"request.headers": "h", "request.auth.claims": "c"}


_IN_WORDS: Final = {
    "u": "the caller's SPIFFE id",
    "w": "the caller's workload",
    "a": "the caller's address",
    "s": "the name asked for in TLS",
    "t": "whether the caller has a certificate",
    "j": "whether there is a token",
}
_NAMED: Final = {
    "h": "the header {}",
    "c": "the token's claim {}",
    "l": "the token's claim {}, or the first of it",
}


def part_in_words(part: str) -> str:
    kind, _, name = part.partition(":")
    return _IN_WORDS[kind] if kind in _IN_WORDS else _NAMED[kind].format(name)


class Shape(msgspec.Struct, frozen=True):
    """Parts in order, each once."""

    parts: tuple[str, ...]

    @property
    def text(self) -> str:
        """One part a line: no part holds a line's end, for no header's name does."""
        return "\n".join(self.parts)


class Unkept(msgspec.Struct, frozen=True):
    """Why a verdict can be kept by nobody."""

    attribute: str
    reason: str


_SHAPES: Final = 1024
"""That are remembered, by what they are made from."""


def shape_of(references: Iterable[Reference]) -> Shape | Unkept:
    """`references` as evaluation records them, absent attributes too."""
    return _shape_of(tuple(references))


@lru_cache(maxsize=_SHAPES)
def _shape_of(references: tuple[Reference, ...]) -> Shape | Unkept:
    parts: set[str] = set()
    for reference in references:
        found = parts_of(reference)
        if isinstance(found, Unkept):
            return found
        parts.update(found)
        if len(parts) > MOST_PARTS:
            return Unkept(str(reference), f"it depends on more than {MOST_PARTS} facts of a request")
    return Shape(tuple(sorted(parts)))


def parts_of(reference: Reference) -> tuple[str, ...] | Unkept:
    """Those that say what one attribute, or one key of a map, is; none where it is the same for all."""
    name, key = reference.name, reference.key
    if name.startswith(_ALIKE):
        return ()
    if name in _MAPS and key is not None:
        if "\n" in key or len(key) > _LONGEST_NAME or not key:
            return Unkept(str(reference), "no request has it")
        return (f"{_MAPS[name]}:{key.lower() if name == 'request.headers' else key}",)
    if name in _MAPS and reference.condition != "exact":
        # Every request has headers; claims come with a token.
        return () if name == "request.headers" else ("j",)
    if name in _MAPS:
        return Unkept(str(reference), "it is everything at once; name the keys")
    if name in _PARTS:
        return _PARTS[name]
    if name in _UNIQUE:
        return Unkept(str(reference), "no two requests share it")
    return Unkept(str(reference), "the proxy does not know it when it asks")
