"""A KeyStore in a directory: `<name>.pem` holds the key and, after it, its chain. A note is a line before the key,
where RFC 7468 lets text stand that readers of PEM skip.

One file for both because a rename is atomic and two renames are not: a key can never be read with another's
certificate. Files are 0600 and directories 0700; a key that others can read is refused, not quietly repaired,
since nobody knows who has read it already.

With a passphrase keys are encrypted (PKCS#8, PBES2 as the `cryptography` package recommends it: scrypt or PBKDF2 with
AES-256). Keys that were kept before are read in the clear still, and encrypted when they are next written; without the
passphrase an encrypted key is refused by name.

File calls are synchronous: they take microseconds and happen at start and at rotation. No state is held here;
several processes may use one directory.
"""

import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from stat import S_IMODE, S_ISREG

import msgspec
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)

from proa.ports.failures import StorePermanent, StoreTemporary
from proa.ports.key_store import KeyEntry, checked_name

SUFFIX = ".pem"
OTHERS = 0o077
KEY_END = "-----END PRIVATE KEY-----\n"
ENCRYPTED_END = "-----END ENCRYPTED PRIVATE KEY-----\n"
LEAST_PASSPHRASE = 16
"""Bytes. Whoever has the file may guess as fast as he can."""
NOTE = "note: "

TEMPORARY = (InterruptedError, BlockingIOError, TimeoutError)
"""OSErrors after which the same call may succeed; all others need somebody to change something."""


class DiskKeyStore:
    """Keeps the contract of ports.key_store.KeyStore in `directory`, which is made when missing."""

    def __init__(self, directory: Path, passphrase: bytes | None = None) -> None:
        self._directory = directory
        self._passphrase = passphrase

    async def load(self, name: str) -> KeyEntry | None:
        path = self._path(name)
        with _mapped(path):
            return _read(path, self._passphrase)

    async def create(self, name: str, entry: KeyEntry) -> KeyEntry:
        path = self._path(name)
        with _mapped(path):
            self._make_directories(path.parent)
            kept_as = self._sealed(entry)
            with _written_beside(path, kept_as) as temporary, suppress(FileExistsError):
                os.link(temporary, path)  # unlike a rename it fails when the name is taken
            _sync_directory(path.parent)
            kept = _read(path, self._passphrase)
        if kept is None:
            raise StoreTemporary(f"{path} was removed while it was made")
        return kept

    async def replace(self, name: str, entry: KeyEntry) -> None:
        path = self._path(name)
        with _mapped(path):
            self._make_directories(path.parent)
            with _written_beside(path, self._sealed(entry)) as temporary:
                os.replace(temporary, path)
            _sync_directory(path.parent)

    async def remove(self, name: str) -> bool:
        path = self._path(name)
        with _mapped(path):
            try:
                path.unlink()
            except FileNotFoundError:
                return False
            _sync_directory(path.parent)
            return True

    async def names(self) -> tuple[str, ...]:
        with _mapped(self._directory):
            files = [
                path.relative_to(self._directory).as_posix() for path in self._directory.rglob("*" + SUFFIX)
            ]
        return tuple(
            sorted(file[: -len(SUFFIX)] for file in files if not file.rpartition("/")[2].startswith("."))
        )

    def _sealed(self, entry: KeyEntry) -> KeyEntry:
        if self._passphrase is None:
            return entry
        key = load_pem_private_key(entry.key_pem.encode(), password=None)
        encryption = BestAvailableEncryption(self._passphrase)
        sealed = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, encryption).decode()
        return msgspec.structs.replace(entry, key_pem=sealed)

    def _path(self, name: str) -> Path:
        return self._directory / (checked_name(name) + SUFFIX)

    def _make_directories(self, leaf: Path) -> None:
        """0700 whatever the umask; one that is there already and open to others is the operator's to close."""
        missing = [each for each in (leaf, *leaf.parents) if not each.exists()]
        for each in reversed(missing):
            with suppress(FileExistsError):
                each.mkdir(mode=0o700)
        for each in (self._directory, leaf):
            _refuse_if_open(each, S_IMODE(each.stat().st_mode), "700")


@contextmanager
def _mapped(path: Path) -> Iterator[None]:
    """The border where OSErrors become the port's failures."""
    try:
        yield
    except TEMPORARY as error:
        raise StoreTemporary(f"{path}: {error.strerror}") from error
    except OSError as error:
        raise StorePermanent(f"{path}: {error.strerror}") from error


def _read(path: Path, passphrase: bytes | None = None) -> KeyEntry | None:
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
    except FileNotFoundError:
        return None
    with open(descriptor, encoding="ascii", errors="replace") as file:
        status = os.fstat(descriptor)
        if not S_ISREG(status.st_mode):
            raise StorePermanent(f"{path} is not a file")
        _refuse_if_open(path, S_IMODE(status.st_mode), "600")
        text = file.read()
    key, end, chain = text.partition(ENCRYPTED_END if ENCRYPTED_END in text else KEY_END)
    if not end:
        raise StorePermanent(f"{path} holds no private key; restore it from a backup or move it away")
    note, has_note, rest = key.partition("\n") if key.startswith(NOTE) else ("", "", key)
    if has_note:
        key = rest
    key_pem = _opened(path, key + end, passphrase) if end == ENCRYPTED_END else key + end
    return KeyEntry(key_pem=key_pem, chain_pem=chain, note=note.removeprefix(NOTE))


def _opened(path: Path, sealed: str, passphrase: bytes | None) -> str:
    if passphrase is None:
        raise StorePermanent(f"{path} is encrypted; give --ca-passphrase-file")
    try:
        key = load_pem_private_key(sealed.encode(), password=passphrase)
    except (ValueError, TypeError):
        raise StorePermanent(f"{path} is encrypted with another passphrase, or damaged") from None
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()


def read_passphrase(path: Path) -> bytes:
    """The file's first line. Raises StorePermanent when others may read it, or it is too short."""
    with _mapped(path):
        _refuse_if_open(path, S_IMODE(path.stat().st_mode), "600")
        found = path.read_bytes().partition(b"\n")[0].strip()
    if len(found) < LEAST_PASSPHRASE:
        raise StorePermanent(f"{path}: a passphrase has {LEAST_PASSPHRASE} bytes at least")
    return found


def _refuse_if_open(path: Path, mode: int, wanted: str) -> None:
    if mode & OTHERS:
        raise StorePermanent(
            f"{path} has mode {mode:04o}, others than its owner can use it: chmod {wanted} {path} "
            "(and make new keys if somebody may have read it)"
        )


@contextmanager
def _written_beside(path: Path, entry: KeyEntry) -> Iterator[Path]:
    """A complete, synced file next to `path`, gone afterwards unless it was renamed."""
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    try:
        with open(descriptor, "w", encoding="ascii") as file:
            os.fchmod(file.fileno(), 0o600)
            file.write((f"{NOTE}{entry.note}\n" if entry.note else "") + entry.key_pem + entry.chain_pem)
            file.flush()
            os.fsync(file.fileno())
        yield temporary
    finally:
        temporary.unlink(missing_ok=True)


def _sync_directory(directory: Path) -> None:
    """A rename is durable when its directory is."""
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
