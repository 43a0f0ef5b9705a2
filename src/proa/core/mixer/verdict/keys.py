"""What a request has of a shape's parts, as text: the same that the proxy's script puts together, byte for byte.

Each part is `-` when the request lacks it, else `LENGTH:VALUE`, so that no two lists of values are the same text.
"""

from collections.abc import Mapping
from typing import Final

import msgspec
from immutables import Map

from proa.core.mixer.verdict.shapes import Shape

LONGEST: Final = 2048
"""Bytes of a key that is kept."""


class Facts(msgspec.Struct, frozen=True, kw_only=True):
    """A request as the proxy told it. Header names in lower case, values of one name joined by commas. `claims` are the
    payload of the end user's token; what is neither text nor a list of texts does not count. None: not there."""

    headers: Mapping[str, str] = Map()
    identity: str | None = None
    workload: str | None = None
    address: str | None = None
    server_name: str | None = None
    claims: Mapping[str, object] = Map()


def key_of(shape: Shape, facts: Facts) -> str | None:
    """None when it would be too long to keep."""
    pieces: list[str] = []
    for part in shape.parts:
        value = _value(part, facts)
        pieces.append("-" if value is None else f"{len(value.encode())}:{value}")
    key = ",".join(pieces)
    return key if len(key.encode()) <= LONGEST else None


def _value(part: str, facts: Facts) -> str | None:
    kind, _, name = part.partition(":")
    match kind:
        case "h":
            return facts.headers.get(name)
        case "u":
            return facts.identity
        case "w":
            return facts.workload
        case "a":
            return facts.address
        case "s":
            return facts.server_name
        case "t":
            return "yes" if facts.identity is not None else "no"
        case "j":
            return "yes" if facts.claims else "no"
        case "c":
            return _text(facts.claims.get(name))
        case "l":
            claim = facts.claims.get(name)
            return _text(claim[0] if isinstance(claim, (list, tuple)) and claim else claim)
        case _:
            raise ValueError(f"{part!r} is no part")


def _text(claim: object) -> str | None:
    return claim if isinstance(claim, str) else None
