"""KeptKeys in a directory: a file for each source, written beside itself and put in place whole.

The keys are public; the directory is private all the same, because who writes there decides whose tokens are good.
"""

import hashlib
import logging
import os
from collections.abc import AsyncGenerator, Mapping
from pathlib import Path

import msgspec
from immutables import Map

from proa.core.auth.key_sets import BadAnswer, read_key_set
from proa.core.model.token_keys import KeySource
from proa.ports.token_keys import KeptSet

log = logging.getLogger("proa.adapters.token_keys")


class _File(msgspec.Struct, frozen=True, kw_only=True):
    """`fetched` None: of an older program; the file's own time stands for it."""

    source: KeySource
    keys: str
    fetched: float | None = None


class KeysOnDisk:
    """Nothing that is kept is fresh: after a start everything is fetched once, as soon as somebody answers."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory

    async def load(self) -> Map[KeySource, KeptSet]:
        found: dict[KeySource, KeptSet] = {}
        for path in sorted(self._directory.glob("*.json")):
            try:
                read = msgspec.json.decode(path.read_bytes(), type=_File)
                fetched = path.stat().st_mtime if read.fetched is None else read.fetched
                found[read.source] = KeptSet(keys=read_key_set(read.keys.encode()), fetched=fetched)
            except (OSError, msgspec.DecodeError, BadAnswer) as error:
                log.warning("%s is not read, the keys are fetched anew: %s", path, error)
        return Map(found)

    async def keep(self, source: KeySource, kept: KeptSet) -> None:
        path = self._path(source)
        beside = path.with_suffix(".new")
        try:
            self._directory.mkdir(mode=0o700, exist_ok=True)
            file = _File(source=source, keys=kept.keys, fetched=kept.fetched)
            beside.write_bytes(msgspec.json.encode(file))
            os.replace(beside, path)
        except OSError as error:
            log.warning("the keys of %s are not kept for the next start: %s", source, error)

    async def forget(self, source: KeySource) -> None:
        try:
            self._path(source).unlink(missing_ok=True)
        except OSError as error:
            log.warning("the keys of %s are not taken away: %s", source, error)

    async def watch(self) -> AsyncGenerator[Mapping[KeySource, KeptSet]]:
        return
        yield

    def _path(self, source: KeySource) -> Path:
        digest = hashlib.sha256(msgspec.json.encode(source)).hexdigest()
        return self._directory / f"{digest[:32]}.json"
