"""Another peer of B9: Sovereign, a control plane in Python from the package index, set up as cheaply as it goes.

It is no dependency of ours: it is installed into a directory that the run throws away, and where that does not work
the comparison is skipped with the reason. It speaks the REST form of xDS: proxies poll. Its template is a Python
function (no Jinja, no YAML) that reads the mesh's file only when that has changed, and one worker serves.
"""

import asyncio
import contextlib
import json
import os
import signal
import sys
import time
from pathlib import Path
from typing import Final

from benchmarks.cpu import cpu_seconds
from benchmarks.figures import Skipped
from benchmarks.propagation.mesh import FLIPPING, Shape, cluster_of, flipping_workloads, serving_nodes
from benchmarks.propagation.systems import SwarmProcess
from benchmarks.workshop import Workshop, free_port, until
from proa.core.sidecar.session import Registration
from proa.runtime.processes import Child

PACKAGE: Final = "sovereign==0.32.12"
PEER_NAME: Final = f"{PACKAGE}, REST, polled every 2 s"
INSTALL_S: Final = 180.0
START_S: Final = 30.0
REFRESH_S: Final = 2.0
"""Once a second would be more than half of what its one worker can answer: that would measure its queue."""
_LINE_MAX: Final = 2**20

_TEMPLATE: Final = """
import json, os

PATH = os.environ["BENCH_MESH"]
known = (0, {})


def call(discovery_request, **context):
    global known
    changed = os.stat(PATH).st_mtime_ns
    if known[0] != changed:
        with open(PATH) as file:
            known = (changed, json.load(file))
    for name, endpoints in known[1].items():
        yield {"cluster_name": name, "endpoints": [{"lb_endpoints": endpoints}]}
"""


class SovereignSystem:
    """Has what B9 needs of a `System`. A change is a new mesh file, put in place at once."""

    def __init__(self, server: Child, file: Path, shape: Shape) -> None:
        self.name = f"sovereign-{shape.proxies}"
        self.number = 0
        self.swarm: SwarmProcess
        self.flipper = self
        self._server = server
        self._file = file
        self._still = _endpoint_sets(serving_nodes(shape.services, shape.replicas))

    def cpu(self) -> float:
        """Of the master and its worker."""
        return cpu_seconds(self._server.pid) + sum(map(cpu_seconds, self._workers()))

    def _workers(self) -> list[int]:
        children = Path(f"/proc/{self._server.pid}/task/{self._server.pid}/children")
        return [int(each) for each in children.read_text().split()] if children.exists() else []

    def end_workers(self) -> None:
        """They outlive a master that is killed."""
        for worker in self._workers():
            with contextlib.suppress(ProcessLookupError):
                os.kill(worker, signal.SIGKILL)

    def flip(self) -> int:
        self.number += 1
        sets = {**self._still, **_endpoint_sets({"flipper": flipping_workloads(self.number)})}
        body = json.dumps(sets)
        now = time.monotonic_ns()
        draft = self._file.with_suffix(".new")
        draft.write_text(body)
        draft.replace(self._file)
        return now

    async def answered(self) -> None:
        """Nobody answers: the file is there."""


def _endpoint_sets(nodes: dict[str, tuple[Registration, ...]]) -> dict[str, list[object]]:
    found: dict[str, list[object]] = {}
    for registration in (each for registrations in nodes.values() for each in registrations):
        for port in registration.ports:
            address = {"address": registration.address, "port_value": port.sidecar_port}
            found.setdefault(cluster_of(port.service), []).append(
                {
                    "endpoint": {"address": {"socket_address": address}},
                    "health_status": port.health,
                    "load_balancing_weight": registration.weight,
                }
            )
    return found


async def sovereign_system(shop: Workshop, shape: Shape) -> SovereignSystem:
    """Raises Skipped when it cannot be had or does not start here."""
    program = await _install(shop)
    own = shop.directory / "sovereign"
    own.mkdir()
    (own / "endpoints.py").write_text(_TEMPLATE)
    template = {"type": "endpoints", "spec": {"protocol": "python", "path": str(own / "endpoints.py")}}
    # YAML is a superset of JSON.
    (own / "config.yaml").write_text(
        json.dumps(
            {
                "templates": {"default": [template]},
                "authentication": {"enabled": False},
                "logging": {"access_logs": {"enabled": False}, "application_logs": {"enabled": False}},
                "template_context": {"context": {}, "refresh": False},
            }
        )
    )
    port = free_port()
    settings = {
        "BENCH_MESH": str(own / "mesh.json"),
        "SOVEREIGN_CONFIG": f"file://{own / 'config.yaml'}",
        "SOVEREIGN_HOST": "127.0.0.1",
        "SOVEREIGN_PORT": str(port),
        "SOVEREIGN_WORKERS": "1",
        "SOVEREIGN_KEEPALIVE": "60",
    }
    argv = ["env", *(f"{key}={value}" for key, value in settings.items()), str(program)]
    server = shop.start("sovereign", argv, shop.cores.measured)
    system = SovereignSystem(server, own / "mesh.json", shape)
    shop.stack().callback(system.end_workers)
    system.flip()

    async def is_up() -> bool:
        if server.code is not None:
            raise Skipped(f"sovereign ended: {shop.log_of('sovereign')[-300:]}")
        try:
            _, writer = await asyncio.open_connection("127.0.0.1", port)
        except OSError:
            return False
        writer.close()
        return True

    await until("sovereign is up", is_up, START_S)
    system.swarm = await _start_pollers(shop, port, shape)
    await system.swarm.until(system.number)
    await system.swarm.samples()
    return system


async def _install(shop: Workshop) -> Path:
    where = shop.directory / "sovereign-venv"
    shop.tell(f"installing {PACKAGE} for this run")
    for argv in (
        [sys.executable, "-m", "venv", str(where)],
        [str(where / "bin" / "pip"), "install", "--quiet", "--no-compile", PACKAGE],
    ):
        process = await asyncio.create_subprocess_exec(
            *argv, stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.PIPE
        )
        try:
            async with asyncio.timeout(INSTALL_S):
                _, errors = await process.communicate()
        except TimeoutError:
            process.kill()
            await process.wait()
            raise Skipped(f"{PACKAGE} was not installed within {INSTALL_S:g} s") from None
        if process.returncode:
            last = errors.decode(errors="replace").strip().splitlines()[-1:]
            raise Skipped(f"{PACKAGE} cannot be installed: {' '.join(last)}")
    return where / "bin" / "sovereign"


async def _start_pollers(shop: Workshop, port: int, shape: Shape) -> SwarmProcess:
    module = "benchmarks.propagation.pollers"
    argv = [sys.executable, "-m", module, str(port), str(shape.proxies), str(REFRESH_S), FLIPPING]
    process = await asyncio.create_subprocess_exec(
        *shop.cores.pinned(shop.cores.driving, argv),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        limit=_LINE_MAX,
    )
    swarm = SwarmProcess(process, shop.directory / "sovereign-samples", shape.proxies)
    shop.stack().push_async_callback(swarm.end)
    return swarm
