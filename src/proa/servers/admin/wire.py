"""How the admin API's Structs are spelled as JSON. The one place: server and client both call it."""

from typing import TypeVar

import msgspec

from proa.core.model.maps import plain_map, typed_map
from proa.servers.admin.operations import OperationFailed

T = TypeVar("T")


class WireError(OperationFailed):
    """JSON that is not what this version of the API says; mostly two versions of Proa that meet."""


class ErrorReply(msgspec.Struct, frozen=True, kw_only=True):
    """Body of every failure but bad documents: `error` says what is wrong and what to do."""

    error: str


_ENCODER = msgspec.json.Encoder(enc_hook=plain_map)


def encode(value: object) -> bytes:
    """One JSON text on one line."""
    return _ENCODER.encode(value)


def decode(body: bytes, kind: type[T]) -> T:
    """Raises WireError with the path of the first thing that is wrong."""
    try:
        return msgspec.json.decode(body, type=kind, dec_hook=typed_map)
    except (msgspec.DecodeError, ValueError) as error:
        raise WireError(f"not a {kind.__name__}: {error}") from None


def plain(value: object) -> object:
    """The value as dicts, lists and scalars: what JSON would hold. For callers that print it."""
    return msgspec.json.decode(encode(value))
