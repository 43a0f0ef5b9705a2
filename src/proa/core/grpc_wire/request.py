"""What a request's headers say: which method is called, for how long, with what metadata; or why it is no call."""

import re
from collections.abc import Iterable
from typing import Final

import msgspec

from proa.core.grpc_wire.status import Code, Status

_TIMEOUT: Final = re.compile(r"(\d{1,8})([HMSmun])\Z", re.ASCII)
_SECONDS: Final = {"H": 3600.0, "M": 60.0, "S": 1.0, "m": 1e-3, "u": 1e-6, "n": 1e-9}
_NAME: Final = re.compile(rb"[!#$%&'*+.^_`|~0-9a-z-]+\Z")
_NOT_IN_VALUES: Final = re.compile(rb"[\x00\r\n]")
_OF_CONNECTIONS: Final = frozenset(
    (b"connection", b"proxy-connection", b"keep-alive", b"transfer-encoding", b"upgrade")
)
_PSEUDO: Final = frozenset((b":method", b":scheme", b":path", b":authority"))


class Malformed(Exception):
    """RFC 9113 8.1.1: the stream is reset with PROTOCOL_ERROR."""


class Head(msgspec.Struct, frozen=True, kw_only=True):
    """A call. `metadata` in the order it came, binary keys left out; `timeout_s` from now."""

    path: str
    metadata: tuple[tuple[str, str], ...] = ()
    timeout_s: float | None = None
    is_compressed: bool = False
    """Whether a message may carry the flag of compression, which we do not know."""


class NoCall(msgspec.Struct, frozen=True, kw_only=True):
    """An HTTP request that gRPC does not know: answered with this HTTP status."""

    http_status: int


def read_head(fields: Iterable[tuple[bytes, bytes]]) -> Head | NoCall | Status:
    """Raises Malformed."""
    pseudo, rest = _sorted(fields)
    if pseudo.get(b":method") != b"POST":
        return NoCall(http_status=405)
    regular = dict(rest)
    if not _is_grpc(regular.get(b"content-type", b"")):
        return NoCall(http_status=415)
    timeout = None
    if b"grpc-timeout" in regular:
        timeout = read_timeout(_text(regular[b"grpc-timeout"]))
        if timeout is None:
            return Status(Code.INTERNAL, "grpc-timeout is malformed")
    return Head(
        path=_text(pseudo[b":path"]),
        metadata=tuple((_text(name), _text(value)) for name, value in rest if not name.endswith(b"-bin")),
        timeout_s=timeout,
        is_compressed=regular.get(b"grpc-encoding", b"identity") != b"identity",
    )


def _sorted(
    fields: Iterable[tuple[bytes, bytes]],
) -> tuple[dict[bytes, bytes], list[tuple[bytes, bytes]]]:
    """(pseudo fields, others). RFC 9113 8.2 and 8.3."""
    pseudo: dict[bytes, bytes] = {}
    rest: list[tuple[bytes, bytes]] = []
    for name, value in fields:
        if _NOT_IN_VALUES.search(value):
            raise Malformed("a value has a byte it must not have")
        if name.startswith(b":"):
            if rest or name in pseudo or name not in _PSEUDO:
                raise Malformed("a pseudo field is unknown, comes twice, or too late")
            pseudo[name] = value
            continue
        if not _NAME.match(name) or name in _OF_CONNECTIONS or (name == b"te" and value != b"trailers"):
            raise Malformed("a field has no place in HTTP/2")
        rest.append((name, value))
    if not (pseudo.get(b":method") and pseudo.get(b":scheme") and pseudo.get(b":path")):
        raise Malformed("method, scheme or path is missing")
    return pseudo, rest


def check_trailers(fields: Iterable[tuple[bytes, bytes]]) -> None:
    """Of a request. Raises Malformed."""
    if any(name.startswith(b":") or not _NAME.match(name) for name, _ in fields):
        raise Malformed("trailers have regular fields only")


def _is_grpc(content_type: bytes) -> bool:
    """`application/grpc`, alone or with a subtype of messages: `+proto`, `;charset`. Not `application/grpc-web`."""
    rest = content_type.removeprefix(b"application/grpc")
    return rest != content_type and (not rest or rest[:1] in (b"+", b";"))


def _text(value: bytes) -> str:
    return value.decode("utf-8", "replace")


def read_timeout(text: str) -> float | None:
    """Seconds; None when the text is no timeout of gRPC's."""
    found = _TIMEOUT.match(text)
    return int(found[1]) * _SECONDS[found[2]] if found else None
