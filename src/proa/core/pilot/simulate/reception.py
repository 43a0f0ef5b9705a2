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

from proa.core.model.settings import PathNormalization
from proa.core.pilot.simulate.request import Request

_ESCAPE: Final = re.compile(r"%([0-9A-Fa-f]{2})")
_HEX: Final = re.compile(r"[0-9A-Fa-f]{2}")
_DOT: Final = re.compile(r"\.|%2[Ee]")
_DOTS: Final = re.compile(rf"(?:{_DOT.pattern}){{1,2}}")
_DOTS_WITH_PARAMETERS: Final = re.compile(r"(?<![^/])(\.\.?);[^/]*")
LONE_REACH: Final = 3
"""How far behind a `%` that begins no escape a character may still become a part of one."""
_ESCAPED_SLASH: Final = re.compile(r"%2[Ff]|%5[Cc]")
_SLASHES: Final = re.compile(r"//+")
_PLAIN: Final = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~")
_MUST_ESCAPE: Final = frozenset('"<>^`{|}') | {chr(code) for code in (*range(0x21), 0x7F)}


def received(manager: HttpConnectionManager, request: Request, *, is_absolute: bool = False) -> Request:
    """The request as routes see it. The scheme is that of a whole URL (`is_absolute`), else what the client says it was
    called by, where clients are believed."""
    authority = _without_dot(request.authority) if manager.strip_trailing_host_dot else request.authority
    unescapes = manager.path_with_escaped_slashes_action == HttpConnectionManager.UNESCAPE_AND_FORWARD
    path = request.path and _path(
        request.path,
        unescapes=unescapes,
        follows=manager.normalize_path.value,
        merges=manager.merge_slashes,
    )
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


def path_in_mode(path: str, mode: PathNormalization) -> str:
    """A path with its query, as rules and programs see it where the mesh's settings say `mode`."""
    return _path(
        path,
        unescapes=mode == "DECODE_AND_MERGE_SLASHES",
        follows=mode != "NONE",
        merges=mode in ("MERGE_SLASHES", "DECODE_AND_MERGE_SLASHES"),
    )


def _path(path: str, *, unescapes: bool, follows: bool, merges: bool) -> str:
    """Escaped slashes first, then dots, then slashes that stand together."""
    bare, mark, query = path.partition("?")
    if unescapes:
        bare = _ESCAPED_SLASH.sub(lambda found: chr(int(found[0][1:], 16)), bare)
    if follows:
        bare = canonical(bare)
    if merges:
        # Of slashes alone Envoy keeps the first and the last.
        bare = _SLASHES.sub("/", bare) if bare.strip("/") else bare[:2]
    return bare + mark + query


def _without_dot(authority: str) -> str:
    """`name.:80` -> `name:80`."""
    host, colon, port = authority.rpartition(":")
    if colon and port.isdecimal():
        return f"{host.removesuffix('.')}:{port}"
    return authority.removesuffix(".")


def canonical(path: str) -> str:
    """A path with its query, which stays as it is. Made canonical once more it is the same, but for segments that are
    `DOTS_AGAIN`, which our proxies refuse."""
    bare, mark, query = path.partition("?")
    bare = _DOTS_WITH_PARAMETERS.sub(r"\1", bare)
    return _followed(bare.replace("\\", "/")) + mark + query


def _followed(path: str) -> str:
    """Written anew without `.` and `..`; an empty segment is one like any other. What begins with no slash, as the `*`
    of OPTIONS, gets one."""
    kept: list[str] = []
    *inner, last = path.removeprefix("/").split("/")
    for segment in inner:
        dots = _dots(segment)
        if dots == "..":
            del kept[-1:]
        elif not dots:
            kept.append(_written(segment))
    dots = _dots(last)
    if dots == "..":
        del kept[-1:]
    return "/" + "".join(f"{each}/" for each in kept) + ("" if dots else _written(last))


def _dots(segment: str) -> str:
    """`.` or `..` when the segment means that, also escaped."""
    return "." * len(_DOT.findall(segment)) if _DOTS.fullmatch(segment) else ""


def _written(segment: str) -> str:
    """Without needless escapes. Where taking one off would make another one of a lone `%` and what follows it, that
    `%` is escaped itself: `%2%65` is no dot at the next proxy either."""
    out = ""
    lone, at = -LONE_REACH, 0
    while at < len(segment):
        char, escape = segment[at], _ESCAPE.match(segment, at)
        if escape is None:
            if char == "%":
                lone = len(out)
            out += f"%{ord(char):02X}" if char in _MUST_ESCAPE else char
            at += 1
            continue
        at = escape.end()
        plain = chr(int(escape[1], 16))
        out += plain if plain in _PLAIN else escape[0]
        if plain in _PLAIN and lone >= len(out) - LONE_REACH:
            following = out[lone + 1 :] + segment[at : at + 1] * (lone == len(out) - 2)
            if _HEX.fullmatch(following):
                out = f"{out[:lone]}%25{out[lone + 1 :]}"
    return out
