"""Where an etcd is and how one is let in: the text an operator writes, parsed once.

    etcd://10.0.0.1:2379,10.0.0.2:2379/meshes/shop      plain; etcds:// is TLS

Secrets are never in that text, which everybody on the host can read in the list of processes: they come in files.
"""

import re
from pathlib import Path
from typing import Final

import msgspec

DEFAULT_PORT: Final = 2379
DEFAULT_PREFIX: Final = "proa"
SCHEMES: Final = {"etcd": "http", "etcds": "https"}

_HOST: Final = re.compile(r"(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+)(?::([0-9]{1,5}))?", re.ASCII)
_PREFIX: Final = re.compile(r"[A-Za-z0-9._-]+(/[A-Za-z0-9._-]+)*", re.ASCII)


class BadStoreAddress(ValueError):
    """Text that names no etcd; says why, and never repeats what may be a password."""


class EtcdAccess(msgspec.Struct, frozen=True, kw_only=True):
    """`endpoints` are URLs, tried in order; `prefix` is where the mesh's keys are, with slashes around it.

    `ca_file` verifies etcd's certificate (None: the system's roots), `cert_file` and `key_file` are ours. `user` is
    authenticated with the content of `password_file`.
    """

    endpoints: tuple[str, ...]
    prefix: str = f"/{DEFAULT_PREFIX}/"
    ca_file: Path | None = None
    cert_file: Path | None = None
    key_file: Path | None = None
    user: str = ""
    password_file: Path | None = None

    @property
    def is_tls(self) -> bool:
        return self.endpoints[0].startswith("https:")

    @property
    def label(self) -> str:
        """What messages call this store."""
        return f"etcd at {', '.join(each.partition('://')[2] for each in self.endpoints)}"


def parse_store_address(text: str) -> EtcdAccess:
    """`etcd://HOST[:PORT][,HOST[:PORT]...][/PREFIX]` without its files. Raises BadStoreAddress."""
    scheme, separator, rest = text.partition("://")
    if not separator or scheme not in SCHEMES:
        raise BadStoreAddress("a store is etcd://HOST:PORT[,HOST:PORT]/PREFIX, or etcds:// for TLS")
    if "@" in rest:
        raise BadStoreAddress(
            "a store's address holds no user or password: there are flags and files for them"
        )
    hosts, _, prefix = rest.partition("/")
    prefix = prefix.strip("/") or DEFAULT_PREFIX
    if not _PREFIX.fullmatch(prefix) or any(each in (".", "..") for each in prefix.split("/")):
        raise BadStoreAddress(
            f"{prefix!r} is no prefix of keys: letters, digits, dots and dashes between slashes"
        )
    return EtcdAccess(
        endpoints=tuple(f"{SCHEMES[scheme]}://{_authority(each)}" for each in hosts.split(",")),
        prefix=f"/{prefix}/",
    )


def _authority(text: str) -> str:
    match = _HOST.fullmatch(text)
    if match is None:
        raise BadStoreAddress(f"{text!r} is no host and port")
    port = int(match[2] or DEFAULT_PORT)
    if not 0 < port < 65536:
        raise BadStoreAddress(f"{text!r} has no port that can be")
    return f"{match[1]}:{port}"
