"""KeptBundles in a directory: a file for each trust domain's source, written beside itself and put in place whole.

Bundles are public; the directory is private all the same, because who writes there decides whom a partner's authority
is.
"""

import hashlib
import logging
import os
from pathlib import Path

import msgspec
from immutables import Map

from proa.core.auth.trust_bundle import BadBundle, TrustBundle, read_bundle
from proa.ports.trust_bundles import BundleSource

log = logging.getLogger("proa.adapters.trust_bundles")


class _File(msgspec.Struct, frozen=True, kw_only=True):
    source: BundleSource
    bundle: TrustBundle


class BundlesOnDisk:
    def __init__(self, directory: Path) -> None:
        self._directory = directory

    def load(self) -> Map[BundleSource, TrustBundle]:
        found: dict[BundleSource, TrustBundle] = {}
        for path in sorted(self._directory.glob("*.json")):
            try:
                read = msgspec.json.decode(path.read_bytes(), type=_File)
                spelled = read_bundle(read.bundle.pem, read.source.trust_domain).pem
                found[read.source] = msgspec.structs.replace(read.bundle, pem=spelled)
            except (OSError, msgspec.DecodeError, BadBundle) as error:
                log.warning("%s is not read, the bundle is fetched anew: %s", path, error)
        return Map(found)

    def keep(self, source: BundleSource, bundle: TrustBundle) -> None:
        path = self._path(source)
        beside = path.with_suffix(".new")
        try:
            self._directory.mkdir(mode=0o700, exist_ok=True)
            beside.write_bytes(msgspec.json.encode(_File(source=source, bundle=bundle)))
            os.replace(beside, path)
        except OSError as error:
            log.warning("the bundle of %s is not kept for the next start: %s", source.trust_domain, error)

    def forget(self, source: BundleSource) -> None:
        try:
            self._path(source).unlink(missing_ok=True)
        except OSError as error:
            log.warning("the bundle of %s is not taken away: %s", source.trust_domain, error)

    def _path(self, source: BundleSource) -> Path:
        digest = hashlib.sha256(msgspec.json.encode(source)).hexdigest()
        return self._directory / f"{digest[:32]}.json"
