"""How one workload's Envoys are started: from which bootstrap and binary, with which logs, in which directory.

`node.envoy` decides when. The working directory is the workload's own: there the relative name of the access log, the
same in every listener, leads to its real log, and an agent recognises the Envoys of its home.
"""

import os
from pathlib import Path
from typing import Final

from proa.core.model.digest import digest_bytes
from proa.core.sidecar.bootstrap import Descent, SidecarProcess, bootstrap_json, command_line
from proa.core.sidecar.record import ProcessMark
from proa.home import write_private
from proa.runtime.adopted import Adopted, start_detached

ACCESS_LOG_FILE: Final = "access.log"
"""What Pilot writes into every listener: relative, so that one resource serves all."""


class Launch:
    """One per workload. An heir writes to the same logs as the Envoy that it replaces."""

    def __init__(self, process: SidecarProcess, *, log_file: Path, access_log: Path) -> None:
        self.process = process
        self.log_file = log_file
        self._access_log = access_log
        self._bootstrap = bootstrap_json(process)

    def prepare(self) -> None:
        """Writes what an Envoy reads when it starts. Raises OSError."""
        path = Path(self.process.bootstrap_file)
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        write_private(path, self._bootstrap)

    def build(self) -> str:
        """Digest of all that an Envoy started now would be made from; empty when there is no binary."""
        process = self.process
        try:
            facts = os.stat(process.binary)
        except OSError:
            return ""
        environment = sorted(f"{name}={value}" for name, value in process.environment.items())
        words = (
            self._bootstrap,
            *command_line(process),
            *environment,
            str(facts.st_size),
            str(facts.st_mtime_ns),
        )
        return digest_bytes("\n".join(words).encode())

    async def start(self, heir: Descent | None = None) -> tuple[Adopted, ProcessMark]:
        """Raises OSError when it cannot be started: a full disk, a binary that is being replaced."""
        folder = Path(self.process.bootstrap_file).parent
        with _log(self.log_file) as errors, _log(self._access_log) as accesses:
            _point(folder / ACCESS_LOG_FILE, self._access_log)
            child, started = await start_detached(
                command_line(self.process, heir),
                cwd=folder,
                stdout=accesses,
                stderr=errors,
                more_env=self.process.environment,
            )
        return child, ProcessMark(pid=child.pid, started=started)

    def base_id(self) -> int | None:
        """What the Envoy has written, None before it has."""
        try:
            return int(Path(self.process.base_id_file).read_text())
        except (OSError, ValueError):
            return None

    def sweep(self) -> None:
        """Removes what belongs to no Envoy any more."""
        for leftover in (self.process.admin_socket, self.process.bootstrap_file, self.process.base_id_file):
            Path(leftover).unlink(missing_ok=True)


def _point(link: Path, target: Path) -> None:
    link.unlink(missing_ok=True)
    link.symlink_to(target)


class _log:
    """An append-only log, 0600, open for as long as a child needs to inherit it."""

    def __init__(self, path: Path) -> None:
        path.touch(mode=0o600)
        self._stream = path.open("ab")

    def __enter__(self) -> int:
        return self._stream.fileno()

    def __exit__(self, *_: object) -> None:
        self._stream.close()
