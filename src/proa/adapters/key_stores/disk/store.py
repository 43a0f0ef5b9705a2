"""A KeyStore in a directory: `<name>.pem` holds the key and, after it, its chain. A note is a line before the key,
where RFC 7468 lets text stand that readers of PEM skip.

One file for both because a rename is atomic and two renames are not: a key can never be read with another's
certificate. Files are 0600 and directories 0700; a key that others can read is refused, not quietly repaired,
since nobody knows who has read it already.

File calls are synchronous: they take microseconds and happen at start and at rotation. No state is held here;
several processes may use one directory.
"""

import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from stat import S_IMODE, S_ISREG

from proa.ports.failures import StorePermanent, StoreTemporary
from proa.ports.key_store import KeyEntry, checked_name

SUFFIX = ".pem"
OTHERS = 0o077
KEY_END = "-----END PRIVATE KEY-----\n"
NOTE = "note: "

TEMPORARY = (InterruptedError, BlockingIOError, TimeoutError)
"""OSErrors after which the same call may succeed; all others need somebody to change something."""


class DiskKeyStore:
    """Keeps the contract of ports.key_store.KeyStore in `directory`, which is made when missing."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory

    async def load(self, name: str) -> KeyEntry | None:
        path = self._path(name)
        with _mapped(path):
            return _read(path)

    async def create(self, name: str, entry: KeyEntry) -> KeyEntry:
        path = self._path(name)
        with _mapped(path):
            self._make_directories(path.parent)
            with _written_beside(path, entry) as temporary, suppress(FileExistsError):
                os.link(temporary, path)  # unlike a rename it fails when the name is taken
            _sync_directory(path.parent)
            kept = _read(path)
        if kept is None:
            raise StoreTemporary(f"{path} was removed while it was made")
        return kept

    async def replace(self, name: str, entry: KeyEntry) -> None:
        path = self._path(name)
        with _mapped(path):
            self._make_directories(path.parent)
            with _written_beside(path, entry) as temporary:
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


def _read(path: Path) -> KeyEntry | None:
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
    except FileNotFoundError:
        return None
    with open(descriptor, encoding="ascii", errors="replace") as file:
        status = os.fstat(descriptor)
        if not S_ISREG(status.st_mode):
            raise StorePermanent(f"{path} is not a file")
        _refuse_if_open(path, S_IMODE(status.st_mode), "600")
        key, end, chain = file.read().partition(KEY_END)
    if not end:
        raise StorePermanent(f"{path} holds no private key; restore it from a backup or move it away")
    note, has_note, rest = key.partition("\n") if key.startswith(NOTE) else ("", "", key)
    if has_note:
        key = rest
    return KeyEntry(key_pem=key + end, chain_pem=chain, note=note.removeprefix(NOTE))


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
