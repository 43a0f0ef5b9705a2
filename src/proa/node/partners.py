"""Which partners' bundles the control plane told last, on this node's disk: an agent that starts while the control
plane is away goes on with what its proxies had.

In a file of their own: they change when partners do, and the node's certificate, whose every change is a new
connection to the control plane, has nothing to do with it.
"""

import logging
from pathlib import Path
from typing import Final

import msgspec

from proa.core.sidecar.session import PartnerBundle
from proa.home import write_private

FILE: Final = "partners.json"
FILE_VERSION: Final = 1
log = logging.getLogger("proa.node.partners")


class _File(msgspec.Struct, frozen=True, kw_only=True):
    partners: tuple[PartnerBundle, ...] = ()
    version: int = FILE_VERSION


def load_partners(directory: Path) -> tuple[PartnerBundle, ...]:
    """None when there is nothing, or nothing of use: then no partner is believed until the control plane says so."""
    path = directory / FILE
    try:
        read = msgspec.json.decode(path.read_bytes(), type=_File)
    except FileNotFoundError:
        return ()
    except (OSError, msgspec.DecodeError) as error:
        log.warning("%s is not read: %s", path, error)
        return ()
    return read.partners if read.version == FILE_VERSION else ()


def save_partners(directory: Path, partners: tuple[PartnerBundle, ...]) -> None:
    """Raises OSError."""
    write_private(directory / FILE, msgspec.json.encode(_File(partners=partners)).decode())
