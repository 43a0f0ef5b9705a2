"""The files of a CA that the operator brings: read at start, and again whenever one of them is another file.

`proa serve --ca-cert --ca-key --ca-chain`. What they must hold is `core.auth.plugged`'s to say.
"""

import asyncio
from pathlib import Path
from typing import Protocol

import msgspec

from proa.core.auth.ca import Ca
from proa.core.auth.plugged import PluggedFiles, Unusable, read_plugged

MAX_BYTES = 1024 * 1024
Signature = tuple[tuple[int, int, int], ...]


class PluggedPaths(msgspec.Struct, frozen=True, kw_only=True):
    """`chain` None: the signer is a root."""

    cert: Path
    key: Path
    chain: Path | None = None


class BroughtCa(Protocol):
    """Where a CA comes from that we do not make ourselves."""

    async def read(self, now: float) -> Ca | Unusable:
        """The one that is to sign now."""

    def look_again(self) -> None:
        """What was read was not taken: it is news again."""

    async def news(self, now: float) -> Ca | Unusable | None:
        """Another one since the last look, None while there is none."""


class PluggedUnusable(Exception):
    """The files at start: all that is wrong with them, a line each."""


class PluggedSource:
    """`read` gives what the files hold now; `news` only when they were replaced since the last look."""

    def __init__(self, paths: PluggedPaths, trust_domain: str) -> None:
        self._paths = paths
        self._trust_domain = trust_domain
        self._seen: Signature = ()

    async def read(self, now: float) -> Ca | Unusable:
        self._seen = await asyncio.to_thread(self._signature)
        return await asyncio.to_thread(self._read, now)

    def look_again(self) -> None:
        """What was read was not taken: it is news again."""
        self._seen = ()

    async def news(self, now: float) -> Ca | Unusable | None:
        if await asyncio.to_thread(self._signature) == self._seen:
            return None
        return await self.read(now)

    def _signature(self) -> Signature:
        found = []
        for path in self._all():
            try:
                status = path.stat()
            except OSError:
                continue
            found.append((status.st_ino, status.st_mtime_ns, status.st_size))
        return tuple(found)

    def _read(self, now: float) -> Ca | Unusable:
        texts: list[str] = []
        faults: list[str] = []
        for flag, path in zip(("--ca-cert", "--ca-key", "--ca-chain"), self._all(), strict=False):
            try:
                with path.open("rb") as file:
                    texts.append(file.read(MAX_BYTES).decode(errors="replace"))
            except OSError as error:
                faults.append(
                    f"{flag}: {path} cannot be read ({error.strerror}); give a file that this user may read"
                )
        if faults:
            return Unusable(faults=tuple(faults))
        cert, key, *chain = texts
        return read_plugged(PluggedFiles(cert=cert, key=key, chain="".join(chain)), self._trust_domain, now)

    def _all(self) -> tuple[Path, ...]:
        paths = (self._paths.cert, self._paths.key)
        return paths if self._paths.chain is None else (*paths, self._paths.chain)
