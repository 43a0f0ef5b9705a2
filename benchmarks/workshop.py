"""What every benchmark works in: a private directory, child processes that end with it, ports, certificates.

Nothing outlives a Workshop: children get a signal from the kernel when this process dies, however it dies.
"""

import asyncio
import os
import signal
import socket
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AsyncExitStack
from pathlib import Path
from types import TracebackType
from typing import Final

from cryptography.hazmat.primitives.asymmetric import ec

from benchmarks.cpu import Cores
from benchmarks.machine import REPOSITORY
from proa.core.auth.ca import Ca, issue, make_intermediate, make_root, private_pem
from proa.core.auth.template import (
    CertificateTemplate,
    Validity,
    control_plane_leaf,
    node_leaf,
    serial_from,
    workload_leaf,
)
from proa.core.model.names import DEFAULT_TRUST_DOMAIN, WorkloadId
from proa.runtime.held_ports import HeldPort, hold_port
from proa.runtime.processes import Child, start_child

LEAF_TTL_S: Final = 24 * 3600


class Workshop:
    """Owner of the run's directory and processes. `tell` prints progress."""

    def __init__(self, tell: Callable[[str], None]) -> None:
        self.tell = tell
        self.cores = Cores()
        self.certificates = Certificates()
        self.directory = Path()
        self._stack = AsyncExitStack()

    async def __aenter__(self) -> "Workshop":
        self._temporary = tempfile.TemporaryDirectory(prefix="proa-bench-")
        self.directory = Path(self._temporary.name)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            await self._stack.aclose()
        finally:
            self._temporary.cleanup()

    def start(self, name: str, argv: Sequence[str], cores: list[int]) -> Child:
        """A child in a directory of its own, `name`, with `name.log` holding what it prints to stderr and
        `name.out` the rest."""
        own = self.directory / name
        own.mkdir(exist_ok=True)
        # env changes the directory, taskset the cores; both become the program, so the pid is the program's.
        command = [
            "env",
            "-C",
            str(own),
            f"PYTHONPATH={REPOSITORY}:{REPOSITORY}/src",
            *self.cores.pinned(cores, list(argv)),
        ]
        with (
            (self.directory / f"{name}.log").open("ab") as log,
            (self.directory / f"{name}.out").open("ab") as out,
        ):
            child = start_child(command, stdout=out, stderr=log, own_group=True, dies_with_us=signal.SIGKILL)
        self._stack.enter_context(child)
        return child

    def start_python(self, name: str, module: str, *arguments: str, cores: list[int]) -> Child:
        return self.start(name, [sys.executable, "-m", module, *arguments], cores)

    def log_of(self, name: str) -> str:
        """The end of a child's log, for an error's text."""
        return (self.directory / f"{name}.log").read_text(errors="replace")[-2000:]

    def hold_port(self) -> HeldPort:
        """A free port of loopback for an Envoy, held until the end."""
        return self._stack.enter_context(hold_port("127.0.0.1"))

    def stack(self) -> AsyncExitStack:
        """For what else must end with the run."""
        return self._stack

    async def end_all(self) -> None:
        """Ends everything started so far; the directory stays."""
        await self._stack.aclose()
        self._stack = AsyncExitStack()


def free_port() -> int:
    """A port that was free a moment ago, for programs that cannot share one."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


async def until(what: str, question: Callable[[], Awaitable[bool]], seconds: float) -> None:
    """Raises TimeoutError, naming `what`, when the answer does not become yes in time."""
    due = time.monotonic() + seconds
    while not await question():
        if time.monotonic() > due:
            raise TimeoutError(f"{what}: not within {seconds:g} s")
        await asyncio.sleep(0.05)


class Certificates:
    """An authority for what does not go through a control plane: the same keys, chains and ids as Proa's own."""

    def __init__(self, trust_domain: str = DEFAULT_TRUST_DOMAIN) -> None:
        self.trust_domain = trust_domain
        self._root = make_root(trust_domain, _new_key(), _serial(), time.time())
        self._signer = make_intermediate(trust_domain, self._root, _new_key(), _serial(), time.time())

    @property
    def root_pem(self) -> str:
        return self._root.pem

    def workload(self, workload: WorkloadId, account: str) -> tuple[str, str]:
        """(key, chain), PEM."""
        return self._issue(workload_leaf(self.trust_domain, workload, account, _serial(), self._validity()))

    def node(self, name: str) -> tuple[str, str]:
        return self._issue(node_leaf(self.trust_domain, name, _serial(), self._validity()))

    def control_plane(self) -> tuple[str, str]:
        return self._issue(control_plane_leaf(self.trust_domain, _serial(), self._validity()))

    def _validity(self) -> Validity:
        return self._signer.validity(time.time(), LEAF_TTL_S)

    def _issue(self, template: CertificateTemplate) -> tuple[str, str]:
        key = _new_key()
        signer: Ca = self._signer
        leaf = issue(template, key.public_key(), signer)
        chain = Ca(key=key, certificate=leaf).pem + signer.pem
        return private_pem(key), chain


def _new_key() -> ec.EllipticCurvePrivateKey:
    return ec.generate_private_key(ec.SECP256R1())


def _serial() -> int:
    return serial_from(os.urandom(20))
