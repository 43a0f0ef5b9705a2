"""Where a program listens, as a Sidecar's `defaultEndpoint` writes it. Read by its validator and by Pilot."""

import re
from typing import Final

import msgspec

_PLACE: Final = re.compile(r"(127\.0\.0\.1|0\.0\.0\.0|\[::1\]|\[::\]):([0-9]{1,5})")
_UNIX: Final = "unix://"
_LONGEST_PATH: Final = 107
"""Of a Unix socket's path, in bytes."""


class AppEndpoint(msgspec.Struct, frozen=True):
    """`socket` is a path, or a name after `@`; else `address` with `port`, the address empty for the workload's own."""

    address: str = "127.0.0.1"
    port: int = 0
    socket: str = ""


def parse_app_endpoint(text: str) -> AppEndpoint | None:
    """None when it is no such place."""
    if text.startswith(_UNIX):
        path = text.removeprefix(_UNIX)
        is_fine = (path.startswith("/") and not path.endswith("/")) or (
            path.startswith("@") and len(path) > 1
        )
        return AppEndpoint(socket=path) if is_fine and len(path.encode()) <= _LONGEST_PATH else None
    found = _PLACE.fullmatch(text)
    if found is None or not 1 <= int(found[2]) <= 65535:
        return None
    address = found[1].strip("[]")
    return AppEndpoint(address="" if address in ("0.0.0.0", "::") else address, port=int(found[2]))
