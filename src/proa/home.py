"""Where one mesh keeps its things on one machine: files below the home, sockets in a short private directory.

Every process of a mesh finds the others through a Home, so two meshes (two homes) never meet. This module
decides paths and their modes; what stands in the files is their owners' business.

Sockets cannot live in the home: the path of a Unix socket has 107 bytes at most, a home may be deep. They live
in `run_dir`, which the first process makes and `HOME/run` points to, so that processes started with different
environments (a login shell, a service manager) still meet.
"""

import hashlib
import os
import stat
from collections.abc import Mapping
from pathlib import Path
from typing import Final

SOCKET_PATH_MAX: Final = 100  # bytes; Linux has 107 and Envoy refuses 108, the rest is room for a suffix
RUN_PARENT_MAX: Final = 40
"""A runtime directory longer than this would leave no room for workloads' names: /tmp is taken instead."""


class HomeUnusable(Exception):
    """A directory cannot be made, belongs to somebody else, or others may enter it: nothing secret can be put
    there."""


class Home:
    """The places of one mesh on this machine. Making a Home touches nothing; `prepare` makes the directories.

    `runtime_dir` is where the run directory is made when there is none yet (`$XDG_RUNTIME_DIR`).
    """

    def __init__(self, path: str | Path, runtime_dir: str | Path = "/tmp") -> None:
        self.path = Path(os.path.abspath(Path(path).expanduser()))
        self._runtime_dir = Path(runtime_dir)

    def __repr__(self) -> str:
        return f"Home({str(self.path)!r})"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Home) and other.path == self.path

    def __hash__(self) -> int:
        return hash(self.path)

    @property
    def run_dir(self) -> Path:
        """The directory of sockets: where `HOME/run` points, else where `prepare` would make it."""
        try:
            noted = Path(os.readlink(self.path / "run"))
        except OSError:
            return self._wanted_run_dir
        return noted if _is_private(noted) else self._wanted_run_dir

    @property
    def _wanted_run_dir(self) -> Path:
        parent = self._runtime_dir
        if len(os.fsencode(parent)) > RUN_PARENT_MAX or not os.access(parent, os.W_OK):
            parent = Path("/tmp")
        digest = hashlib.sha256(os.fsencode(self.path)).hexdigest()[:8]
        return parent / f"proa-{os.getuid()}-{digest}"

    @property
    def admin_socket(self) -> Path:
        """The control plane's admin API."""
        return self.run_dir / "admin.sock"

    @property
    def node_socket(self) -> Path:
        """The node agent's local protocol (`core.sidecar.local`)."""
        return self.run_dir / "node.sock"

    @property
    def store(self) -> Path:
        return self.path / "store.db"

    @property
    def ca_dir(self) -> Path:
        return self.path / "ca"

    def secret_file(self, namespace: str, name: str) -> Path:
        """A certificate that an operator gave, for the proxies of a namespace on this host."""
        return self.secrets_dir / namespace / f"{name}.json"

    @property
    def secrets_dir(self) -> Path:
        return self.path / "secrets"

    @property
    def token_keys_dir(self) -> Path:
        """The last good keys of end users' tokens."""
        return self.path / "token-keys"

    @property
    def trust_bundles_dir(self) -> Path:
        """The last good bundles of other trust domains."""
        return self.path / "trust-bundles"

    @property
    def node_dir(self) -> Path:
        """The node's key and certificate, and those of its workloads."""
        return self.path / "node"

    @property
    def node_lock(self) -> Path:
        """Held by the one node agent of this home."""
        return self.node_dir / "lock"

    @property
    def logs(self) -> Path:
        return self.path / "logs"

    @property
    def endpoints(self) -> Path:
        """`control-plane.json`: the addresses the control plane really listens on."""
        return self.path / "control-plane.json"

    def workload_log(self, workload: str, kind: str) -> Path:
        """`<workload>.envoy.log`, `.access.log`, `.app.log`; `workload` is `namespace/name`."""
        return self.logs / f"{workload.replace('/', '_')}.{kind}.log"

    def workload_dir(self, workload: str) -> Path:
        """Where the workload's key, certificate and table persist; `workload` is `namespace/name`."""
        return self.node_dir / "workloads" / workload.replace("/", "_")

    def workload_socket(self, workload: str, kind: str) -> Path:
        """`<start of the name>-<digest>.<kind>`: readable, unique, and short whatever the name."""
        digest = hashlib.sha256(workload.encode()).hexdigest()[:8]
        start = workload.replace("/", "_")[:24]
        return checked_socket(self.run_dir / f"{start}-{digest}.{kind}")

    def prepare(self) -> None:
        """Makes home, logs and run directory, 0700 each. Raises HomeUnusable when one is not ours alone."""
        for directory in (self.path, self.logs, self.node_dir, self.node_dir / "workloads"):
            _make_private(directory)
        run_dir = self.run_dir
        _make_private(run_dir)
        _point(self.path / "run", run_dir)

    def tidy(self) -> None:
        """Takes the run directory away when nobody has a socket there any more; the last process to end calls it
        with success."""
        run_dir = self.run_dir
        try:
            run_dir.rmdir()
        except OSError:
            return
        (self.path / "run").unlink(missing_ok=True)


def find_home(chosen: str | Path | None, environ: Mapping[str, str]) -> Home:
    """The home a user means: the one chosen on the command line, else `$PROA_HOME`, else `~/.proa`."""
    path = chosen or environ.get("PROA_HOME") or "~/.proa"
    return Home(path, environ.get("XDG_RUNTIME_DIR") or "/tmp")


def checked_socket(path: Path) -> Path:
    """The path, when a Unix socket may have it. Raises HomeUnusable for a longer one."""
    if len(os.fsencode(path)) >= SOCKET_PATH_MAX:
        raise HomeUnusable(f"{path}: longer than a Unix socket's path may be ({SOCKET_PATH_MAX} bytes)")
    return path


def write_private(path: Path, content: str | bytes) -> None:
    """Writes 0600 in one step: readers see the old content or the new, and others than the owner see nothing. What
    cannot be written (a full disk) leaves no piece behind, and what a writer that was killed left is taken away."""
    _forget_unfinished(path)
    waiting = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        descriptor = os.open(waiting, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW, 0o600)
        with os.fdopen(descriptor, "wb") as stream:
            stream.write(content.encode() if isinstance(content, str) else content)
            stream.flush()
            os.fsync(stream.fileno())
        waiting.replace(path)
    except OSError:
        waiting.unlink(missing_ok=True)
        raise


def _forget_unfinished(path: Path) -> None:
    start = f".{path.name}."
    for name in os.listdir(path.parent):
        writer = name.removeprefix(start)
        if name.startswith(start) and writer.isdigit() and not Path(f"/proc/{writer}").exists():
            path.with_name(name).unlink(missing_ok=True)


def _make_private(directory: Path) -> None:
    try:
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise HomeUnusable(
            f"{directory} cannot be made: {error.strerror}; --home names another place"
        ) from None
    facts = directory.lstat()
    if not stat.S_ISDIR(facts.st_mode) or facts.st_uid != os.getuid():
        raise HomeUnusable(f"{directory} is not a directory of ours (uid {os.getuid()})")
    if facts.st_mode & 0o077:
        directory.chmod(0o700)


def _is_private(directory: Path) -> bool:
    try:
        facts = directory.lstat()
    except OSError:
        return False
    return stat.S_ISDIR(facts.st_mode) and facts.st_uid == os.getuid() and not facts.st_mode & 0o077


def _point(link: Path, target: Path) -> None:
    """Several processes may prepare at once: the last link wins, and all point to the same place."""
    waiting = link.with_name(f".run.{os.getpid()}")
    waiting.unlink(missing_ok=True)
    waiting.symlink_to(target)
    waiting.replace(link)
