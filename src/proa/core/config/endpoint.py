"""One endpoint as users write it: the spec of a WorkloadEntry, also written inline in a ServiceEntry.

It stands beside the kinds and not in one of them, because kinds do not know each other. The rules of its fields are
here too; callers are the validators of both kinds.
"""

import re
from collections.abc import Iterator

from immutables import Map

from proa.core.config.hostnames import is_ip, name_fault
from proa.core.config.labels import check_labels
from proa.core.config.path import Path
from proa.core.config.problem import Finding
from proa.core.config.record import Count32, Port, Record
from proa.core.config.tree import shorten

UNIX_PREFIX = "unix://"

_ACCOUNT = re.compile(r"[-._a-zA-Z0-9]+")
_PORT_NAME = re.compile(r"[a-zA-Z0-9]([-.a-zA-Z0-9]*[a-zA-Z0-9])?")


class WorkloadEntry(Record, frozen=True, kw_only=True):
    """`ports` maps a service's port name to the port of this endpoint. A `weight` of 0 is not set: it counts as 1."""

    address: str = ""
    ports: Map[str, Port] = Map()
    labels: Map[str, str] = Map()
    network: str = ""
    locality: str = ""
    weight: Count32 = 0
    service_account: str = ""


def check_endpoint(entry: WorkloadEntry, at: Path) -> Iterator[Finding]:
    """Everything that holds for an endpoint wherever it is written, except what kind of address it has."""
    yield from check_labels(entry.labels, (*at, "labels"))
    if entry.service_account and not _is_account(entry.service_account):
        name = shorten(entry.service_account)
        message = f'"{name}" is no account; write letters, digits, dashes, dots and underscores, at most 253'
        yield Finding((*at, "serviceAccount"), "bad-value", message)
    for name in entry.ports:
        if len(name) > 63 or not _PORT_NAME.fullmatch(name):
            message = f'"{shorten(name)}" is no port name; write letters, digits and inner dashes or dots, at most 63'
            yield Finding((*at, "ports"), "bad-value", message)
    if not entry.address:
        if not entry.network:
            message = (
                "an address is required unless network is set; write an IP address, a host name or unix://"
            )
            yield Finding((*at, "address"), "required", message)
    elif is_unix(entry):
        yield from _check_unix(entry, at)
    elif not is_ip(entry.address) and (fault := name_fault(entry.address)):
        yield Finding((*at, "address"), "bad-value", f"{fault}, or an IP address")


def _is_account(text: str) -> bool:
    """Whether it can be the last part of a SPIFFE id."""
    return len(text) <= 253 and text not in (".", "..") and _ACCOUNT.fullmatch(text) is not None


def is_unix(entry: WorkloadEntry) -> bool:
    return entry.address.startswith(UNIX_PREFIX)


def _check_unix(entry: WorkloadEntry, at: Path) -> Iterator[Finding]:
    path = entry.address.removeprefix(UNIX_PREFIX)
    if not path.startswith(("/", "@")):
        message = f'"{shorten(path)}" is no socket; write unix:///absolute/path or unix://@abstract-name'
        yield Finding((*at, "address"), "bad-value", message)
    elif path.endswith("/"):
        yield Finding(
            (*at, "address"), "bad-value", "a Unix socket may not be a directory; remove the last slash"
        )
    if entry.ports:
        yield Finding((*at, "ports"), "conflict", "a Unix socket has no ports; remove them")
