"""A request's place in its trace, in B3's headers whichever way it was told.

Rules of 2018 read `request.headers["x-b3-traceid"]` and its kin, and their language takes no text apart. A proxy that
was given all of it in one header, B3's `b3` or W3C's `traceparent`, passes on that one.
"""

import re
from collections.abc import Mapping
from typing import Final

_TRACE, _SPAN = "x-b3-traceid", "x-b3-spanid"
_PARENT, _SAMPLED = "x-b3-parentspanid", "x-b3-sampled"
_B3, _W3C = "b3", "traceparent"
_READ: Final = frozenset((_TRACE, _SPAN, _PARENT, _SAMPLED))
_SINGLE: Final = re.compile(
    r"(?P<trace>(?:[0-9a-f]{16}){1,2})-(?P<span>[0-9a-f]{16})(?:-(?P<sampled>[01d])(?:-(?P<parent>[0-9a-f]{16}))?)?"
)
_TRACEPARENT: Final = re.compile(
    r"(?!ff)[0-9a-f]{2}-(?P<trace>[0-9a-f]{32})-(?P<span>[0-9a-f]{16})-(?P<flags>[0-9a-f]{2})(?:-.*)?"
)


def carriers_of(keys: tuple[str, ...]) -> tuple[str, ...]:
    """The headers of which a proxy must tell where these are read."""
    if _READ.isdisjoint(keys):
        return keys
    return tuple(sorted({*keys, _B3, _W3C}))


def add_b3(headers: dict[str, str]) -> None:
    """Adds those of B3 that the others tell of. None where B3's own are there."""
    if _TRACE in headers:
        return
    if found := _SINGLE.fullmatch(headers.get(_B3, "")):
        headers.update(_told(found))
        if found["sampled"]:
            headers[_SAMPLED] = "0" if found["sampled"] == "0" else "1"
        if found["parent"]:
            headers[_PARENT] = found["parent"]
    elif found := _TRACEPARENT.fullmatch(headers.get(_W3C, "")):
        headers.update(_told(found))
        headers[_SAMPLED] = str(int(found["flags"], 16) & 1)


def _told(found: re.Match[str]) -> Mapping[str, str]:
    return {_TRACE: found["trace"], _SPAN: found["span"]}
