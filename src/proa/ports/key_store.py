"""Where private keys rest, each with the certificates that belong to it.

A key and its chain are one entry and change together: a pair that does not match cannot be read back. The
authority keeps its root and intermediate here; an agent may keep its node's and workloads' keys the same way.
"""

import re
from typing import Final, Protocol

import msgspec

_NAME: Final = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9._-]*(/[A-Za-z0-9_-][A-Za-z0-9._-]*)*", re.ASCII)


class KeyEntry(msgspec.Struct, frozen=True, kw_only=True):
    """`key_pem` is an unencrypted PKCS#8 private key with its newline; `chain_pem` its certificate first,
    then the issuers. `note` is one line of printable ASCII, or nothing, that its owner keeps with them: it changes when
    they change."""

    key_pem: str
    chain_pem: str
    note: str = ""


def checked_name(name: str) -> str:
    """The name itself, for adapters to call first. Raises ValueError for what is no name (`..` among it)."""
    if not _NAME.fullmatch(name):
        raise ValueError(f"{name!r} is no name of a key")
    return name


class KeyStore(Protocol):
    """Names are slash-separated segments of letters, digits, dots, dashes and underscores, none starting
    with a dot; another name raises ValueError. Every method may raise StoreTemporary or StorePermanent and
    has then changed nothing; StorePermanent too when others than the owner can read a key.
    """

    async def load(self, name: str) -> KeyEntry | None:
        """The entry, None when there is none."""

    async def create(self, name: str, entry: KeyEntry) -> KeyEntry:
        """Keeps the entry if the name is free; durable when it returns. Returns what is kept under the name
        now, so that of several that start at once all go on with the same key."""

    async def replace(self, name: str, entry: KeyEntry) -> None:
        """Keeps the entry in place of any other, in one step: readers see the old one or the new one."""

    async def remove(self, name: str) -> bool:
        """Forgets the entry; False when there was none."""

    async def names(self) -> tuple[str, ...]:
        """All names, sorted."""
