"""The file in which a control plane says where it is reached (`home.endpoints`), written when it is ready.

`proa serve` writes it, `proa up` and the other commands of this machine read it. The file may outlive its
writer: a reader asks the admin socket whether anybody is there.
"""

import os
import tempfile
from pathlib import Path

import msgspec


class Addresses(msgspec.Struct, frozen=True, kw_only=True):
    """`host:port` of xDS and signing, of the join server and of the metrics server; `pid` is the writer's."""

    xds: str
    join: str
    metrics: str
    pid: int


def write_addresses(path: Path, addresses: Addresses) -> None:
    """In one step: a reader sees the old file or the new one."""
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=path.name)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(msgspec.json.encode(addresses) + b"\n")
        os.replace(temporary, path)
    except OSError:
        Path(temporary).unlink(missing_ok=True)
        raise


def read_addresses(path: Path) -> Addresses | None:
    """None when there is no such file, or one of another version."""
    try:
        return msgspec.json.decode(path.read_bytes(), type=Addresses)
    except (FileNotFoundError, msgspec.DecodeError):
        return None
