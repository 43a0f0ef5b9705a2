"""An operator's certificates, from this host's disk to the proxies here that ask for them.

A proxy asks by SDS, with a name that its configuration gives it (`model.secret_names`): of a secret in this home, or
of files. Whatever lies there is read again when it changes, so a renewed certificate is served without anybody's word.
What is missing or wrong is told in the log and not served; what was served before goes on.
"""

import asyncio
import logging
from collections.abc import Iterable
from pathlib import Path
from typing import Final, Protocol

import msgspec

from proa.core.auth.operator_secret import OperatorSecret, good_until, secret_faults
from proa.core.model.names import WorkloadId
from proa.core.model.secret_names import Wanted, parse_secret_name
from proa.core.pilot.resource import Resource
from proa.core.sidecar.secrets import build_certificate, build_trusted
from proa.home import Home, write_private
from proa.runtime.cell import Cell
from proa.runtime.races import first_of

LOOK_S: Final = 1.0
"""How often files are looked at; only those that proxies ask for."""
SIZE_MAX: Final = 1 << 20
log = logging.getLogger("proa.node.operator_secrets")


class NoSecret(Exception):
    """It is not there, or cannot be served; the text says why."""


class Asking(Protocol):
    """A relay, as far as its proxy asks for secrets."""

    @property
    def asked(self) -> Cell[frozenset[str]]: ...

    def set_secret(self, secret: Resource) -> None: ...


def store_secret(home: Home, namespace: str, name: str, secret: OperatorSecret) -> Path:
    """In one file, 0600, written in one step: key and certificate always belong together. Raises OSError."""
    path = home.secret_file(namespace, name)
    for directory in (path.parent.parent, path.parent):
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    write_private(path, msgspec.json.encode(secret).decode())
    return path


def load_secret(home: Home, namespace: str, name: str) -> OperatorSecret:
    """Raises NoSecret."""
    path = home.secret_file(namespace, name)
    if path.exists() and path.stat().st_mode & 0o077:
        raise NoSecret(f"others may read {path}: its key may be known; give the secret anew")
    try:
        return msgspec.json.decode(_read(path), type=OperatorSecret)
    except msgspec.DecodeError as error:
        raise NoSecret(f"{path} is damaged: {error}") from None


class SecretSummary(msgspec.Struct, frozen=True, kw_only=True):
    """One that is kept, without what is secret. `holds` are parts of an OperatorSecret; `good_until` is 0 and `fault`
    says why when it cannot be served."""

    namespace: str
    name: str
    holds: tuple[str, ...] = ()
    good_until: int = 0
    fault: str = ""


def list_secrets(home: Home) -> tuple[SecretSummary, ...]:
    return tuple(
        _summary(home, path.parent.name, path.name.removesuffix(".json"))
        for path in sorted(home.secrets_dir.glob("*/*.json"))
        if not path.name.startswith(".")
    )


def _summary(home: Home, namespace: str, name: str) -> SecretSummary:
    try:
        secret = load_secret(home, namespace, name)
    except NoSecret as reason:
        return SecretSummary(namespace=namespace, name=name, fault=str(reason))
    fault = "; ".join(secret_faults(secret))
    until = 0 if fault else good_until(secret)
    return SecretSummary(namespace=namespace, name=name, holds=secret.parts, good_until=until, fault=fault)


def find_secret(home: Home, namespace: str, wanted: Wanted) -> OperatorSecret:
    """What a proxy of this namespace asks for, with what it asks for in it. Raises NoSecret."""
    if wanted.credential:
        secret = load_secret(home, namespace, wanted.credential)
    elif wanted.part == "certificate":
        chain, key = (_read(Path(path)).decode(errors="replace") for path in wanted.files)
        secret = OperatorSecret(chain=chain, key=key)
    else:
        roots, crl = (*(_read(Path(path)).decode(errors="replace") for path in wanted.files), "")[:2]
        secret = OperatorSecret(roots=roots, crl=crl)
    faults = secret_faults(secret)
    if faults:
        raise NoSecret("; ".join(faults))
    if not (secret.chain if wanted.part == "certificate" else secret.roots):
        what = "certificate" if wanted.part == "certificate" else "roots to check clients with"
        raise NoSecret(f"it has no {what}")
    return secret


def _read(path: Path) -> bytes:
    try:
        with path.open("rb") as stream:
            content = stream.read(SIZE_MAX + 1)
    except OSError as error:
        raise NoSecret(f"{path}: {error.strerror or error}") from None
    if len(content) > SIZE_MAX:
        raise NoSecret(f"{path}: longer than {SIZE_MAX} bytes")
    return content


class OperatorSecrets:
    """Of one workload. `run` reads and hands on, until cancelled."""

    def __init__(self, workload: WorkloadId, home: Home, proxy: Asking) -> None:
        self._workload = workload
        self._home = home
        self._proxy = proxy
        self._given: dict[str, str] = {}
        self._told: dict[str, str] = {}

    async def run(self) -> None:
        asked = self._proxy.asked
        while True:
            seen = asked.version
            names = sorted(asked.value)
            for found in await asyncio.to_thread(self._find, names):
                self._hand(found)
            for gone in self._given.keys() - asked.value:
                del self._given[gone]
            pause = [asyncio.sleep(LOOK_S)] if any(map(parse_secret_name, names)) else []
            await first_of(asked.changed(seen), *pause)

    def _find(self, names: Iterable[str]) -> list[Resource | tuple[str, str]]:
        """Per name the secret, or why there is none."""
        found: list[Resource | tuple[str, str]] = []
        for name in names:
            wanted = parse_secret_name(name)
            if wanted is None:
                continue
            try:
                secret = find_secret(self._home, self._workload.namespace, wanted)
            except NoSecret as reason:
                found.append((name, str(reason)))
                continue
            if wanted.part == "certificate":
                found.append(build_certificate(name, secret.chain, secret.key))
            else:
                found.append(build_trusted(name, secret.roots, secret.crl))
        return found

    def _hand(self, found: Resource | tuple[str, str]) -> None:
        if not isinstance(found, Resource):
            name, reason = found
            if self._told.get(name) != reason:
                self._told[name] = reason
                log.error("%s: no secret %s for its proxy: %s", self._workload, name, reason)
        elif self._given.get(found.name) != found.digest:
            self._given[found.name] = found.digest
            self._told.pop(found.name, None)
            log.info("%s: secret %s given to its proxy", self._workload, found.name)
            self._proxy.set_secret(found)
