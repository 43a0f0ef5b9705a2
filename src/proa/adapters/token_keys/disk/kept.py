"""KeptKeys in a directory: a file for each source, written beside itself and put in place whole.

The keys are public; the directory is private all the same, because who writes there decides whose tokens are good.
"""

import hashlib
import logging
import os
from pathlib import Path

import msgspec
from immutables import Map

from proa.core.auth.key_sets import BadAnswer, read_key_set
from proa.core.model.token_keys import KeySource

log = logging.getLogger("proa.adapters.token_keys")


class _File(msgspec.Struct, frozen=True, kw_only=True):
    source: KeySource
    keys: str


class KeysOnDisk:
    def __init__(self, directory: Path) -> None:
        self._directory = directory

    def load(self) -> Map[KeySource, str]:
        found: dict[KeySource, str] = {}
        for path in sorted(self._directory.glob("*.json")):
            try:
                read = msgspec.json.decode(path.read_bytes(), type=_File)
                found[read.source] = read_key_set(read.keys.encode())
            except (OSError, msgspec.DecodeError, BadAnswer) as error:
                log.warning("%s is not read, the keys are fetched anew: %s", path, error)
        return Map(found)

    def keep(self, source: KeySource, keys: str) -> None:
        path = self._path(source)
        beside = path.with_suffix(".new")
        try:
            self._directory.mkdir(mode=0o700, exist_ok=True)
            beside.write_bytes(msgspec.json.encode(_File(source=source, keys=keys)))
            os.replace(beside, path)
        except OSError as error:
            log.warning("the keys of %s are not kept for the next start: %s", source, error)

    def forget(self, source: KeySource) -> None:
        try:
            self._path(source).unlink(missing_ok=True)
        except OSError as error:
            log.warning("the keys of %s are not taken away: %s", source, error)

    def _path(self, source: KeySource) -> Path:
        digest = hashlib.sha256(msgspec.json.encode(source)).hexdigest()
        return self._directory / f"{digest[:32]}.json"
