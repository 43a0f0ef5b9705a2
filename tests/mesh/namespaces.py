"""Hosts for tests: network namespaces on one bridge, which stands in a namespace of its own.

    with network("cp", "a", "b") as hosts:
        hosts["a"].address              # 10.x.x.2
        hosts["a"].run(lambda: ...)     # here, but with the sockets of that host

The machine's own namespace gets nothing, not even a route: what runs in the hosts reaches each other and no one else.
Needs root (mark tests `root`). Removing the namespaces ends the links; programs inside must have ended before.
"""

import contextlib
import ctypes
import os
import secrets
import subprocess
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Final, TypeVar

import msgspec

T = TypeVar("T")
NAMESPACES: Final = Path("/run/netns")
CLONE_NEWNET: Final = 0x40000000


class Host(msgspec.Struct, frozen=True, kw_only=True):
    """One namespace with one address on the bridge."""

    name: str
    namespace: str
    address: str

    @property
    def inside(self) -> tuple[str, ...]:
        """In front of a command line: runs it on this host."""
        return ("ip", "netns", "exec", self.namespace)

    def run(self, work: Callable[[], T]) -> T:
        """Does the work in a thread whose sockets, and those of threads it starts, are this host's."""
        with ThreadPoolExecutor(max_workers=1, initializer=self._enter) as pool:
            return pool.submit(work).result()

    def _enter(self) -> None:
        # os.setns comes with Python 3.12.
        libc = ctypes.CDLL(None, use_errno=True)
        descriptor = os.open(NAMESPACES / self.namespace, os.O_RDONLY)
        try:
            if libc.setns(descriptor, CLONE_NEWNET) != 0:
                raise OSError(ctypes.get_errno(), f"entering {self.namespace}")
        finally:
            os.close(descriptor)


@contextlib.contextmanager
def network(*names: str) -> Iterator[Mapping[str, Host]]:
    """A host for each name, in order 10.x.y.1, .2, ...; unique to this process."""
    mark = f"proa-{os.getpid()}-{secrets.token_hex(3)}"
    subnet = f"10.{secrets.randbelow(200) + 20}.{secrets.randbelow(250) + 1}"
    hosts = {
        name: Host(name=name, namespace=f"{mark}-{name}", address=f"{subnet}.{number}")
        for number, name in enumerate(names, start=1)
    }
    switch = f"{mark}-switch"
    with contextlib.ExitStack() as stack:
        _add_namespace(stack, switch)
        _ip("-n", switch, "link", "add", "name", "switch", "type", "bridge")
        _ip("-n", switch, "link", "set", "dev", "switch", "up")
        for number, host in enumerate(hosts.values()):
            _add_namespace(stack, host.namespace)
            port = f"port{number}"
            peer = ("peer", "name", port, "netns", switch)
            _ip("-n", host.namespace, "link", "add", "eth0", "type", "veth", *peer)
            _ip("-n", switch, "link", "set", port, "master", "switch", "up")
            _ip("-n", host.namespace, "address", "add", f"{host.address}/24", "dev", "eth0")
            _ip("-n", host.namespace, "link", "set", "eth0", "up")
        yield hosts


def _add_namespace(stack: contextlib.ExitStack, name: str) -> None:
    _ip("netns", "add", name)
    stack.callback(_ip, "netns", "delete", name)
    _ip("-n", name, "link", "set", "lo", "up")


def _ip(*words: str) -> None:
    done = subprocess.run(("ip", *words), capture_output=True, text=True, timeout=20, check=False)
    if done.returncode:
        raise OSError(f"ip {' '.join(words)}: {done.stderr.strip()}")
