"""What a connection manager makes of a request before any route looks at it.

Paths are made canonical as Chromium's URL library does, which Envoy uses (`normalize_path`): dots are followed, letters
and digits that were escaped without need are written out, what must be escaped is.
"""

import re
from typing import Final

import msgspec
from envoy.extensions.filters.network.http_connection_manager.v3.http_connection_manager_pb2 import (
    HttpConnectionManager,
)

from proa.core.pilot.simulate.request import Request

_ESCAPE: Final = re.compile(r"%([0-9A-Fa-f]{2})")
_ESCAPED_SLASH: Final = re.compile(r"%2[Ff]|%5[Cc]")
_SLASHES: Final = re.compile(r"//+")
_PLAIN: Final = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~")
_MUST_ESCAPE: Final = frozenset('"<>^`{|}') | {chr(code) for code in (*range(0x21), 0x7F)}


def received(manager: HttpConnectionManager, request: Request, *, is_absolute: bool = False) -> Request:
    """The request as routes see it. The scheme is that of a whole URL (`is_absolute`), else what the client says it was
    called by, where clients are believed."""
    authority = _without_dot(request.authority) if manager.strip_trailing_host_dot else request.authority
    path = _path(manager, request.path) if request.path else ""
    scheme = request.scheme
    said = request.header("x-forwarded-proto")
    if said is not None and manager.use_remote_address.value:
        kept = tuple(each for each in request.headers if each[0].lower() != "x-forwarded-proto")
        request = msgspec.structs.replace(request, headers=kept)
    if said in ("http", "https") and not is_absolute and not manager.use_remote_address.value:
        scheme = said
    if (authority, path, scheme) == (request.authority, request.path, request.scheme):
        return request
    return msgspec.structs.replace(request, authority=authority, path=path, scheme=scheme)


def _path(manager: HttpConnectionManager, path: str) -> str:
    """Escaped slashes first, then dots, then slashes that stand together."""
    bare, mark, query = path.partition("?")
    if manager.path_with_escaped_slashes_action == HttpConnectionManager.UNESCAPE_AND_FORWARD:
        bare = _ESCAPED_SLASH.sub(lambda found: chr(int(found[0][1:], 16)), bare)
    if manager.normalize_path.value:
        bare = canonical(bare)
    if manager.merge_slashes:
        bare = _SLASHES.sub("/", bare)
    return bare + mark + query


def _without_dot(authority: str) -> str:
    """`name.:80` -> `name:80`."""
    host, colon, port = authority.rpartition(":")
    if colon and port.isdecimal():
        return f"{host.removesuffix('.')}:{port}"
    return authority.removesuffix(".")


def canonical(path: str) -> str:
    """A path with its query, which stays as it is."""
    bare, mark, query = path.partition("?")
    written = _ESCAPE.sub(_unescaped, bare.replace("\\", "/"))
    written = "".join(f"%{ord(each):02X}" if each in _MUST_ESCAPE else each for each in written)
    return _followed(written) + mark + query


def _unescaped(match: re.Match[str]) -> str:
    character = chr(int(match[1], 16))
    return character if character in _PLAIN else match[0]


def _followed(path: str) -> str:
    """Without `.` and `..`; an empty segment is one like any other."""
    kept: list[str] = []
    *inner, last = path.split("/")[1:]
    for segment in inner:
        if segment == "..":
            del kept[-1:]
        elif segment != ".":
            kept.append(segment)
    if last == "..":
        del kept[-1:]
    return "/" + "".join(f"{each}/" for each in kept) + ("" if last in (".", "..") else last)
