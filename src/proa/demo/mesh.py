"""The demo's mesh from outside: applies files, finds ports, runs commands. What `demo.check` calls its context.

Made by `demo.run`. It asks the admin API; it starts no part of the mesh.
"""

import asyncio
import sys
from collections import deque
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from proa.core.model.endpoint import Endpoint
from proa.core.model.names import ObjectRef, WorkloadId, parse_workload_id
from proa.demo.bookstore import GATEWAY, GATEWAY_PORT, PAGE_PATH
from proa.home import Home
from proa.servers.admin.client import AdminClient, Unreachable
from proa.servers.admin.operations import (
    ApplyOutcome,
    ApplyRequest,
    DeleteRequest,
    OperationFailed,
    Problems,
    SourceFile,
    WaitStatus,
)
from proa.servers.asgi import is_answering

WAIT_S: Final = 60.0
AUTHOR: Final = "demo"


class DemoMesh:
    """`page_url` is known once the gateway serves. Methods raise OperationFailed or Unreachable,
    both with words for people."""

    def __init__(self, home: Home) -> None:
        self._home = home
        self._admin = AdminClient(home.admin_socket)
        self._page_url = ""

    @property
    def page_url(self) -> str:
        return self._page_url

    def command(self, *words: str) -> tuple[str, ...]:
        """One of our own command lines for this mesh."""
        return (sys.executable, "-m", "proa.cli", "--home", str(self._home.path), *words)

    async def is_joined(self) -> bool:
        """Whether the control plane runs and the node agent has joined it."""
        try:
            joined = (await asyncio.to_thread(self._admin.status)).nodes > 0
        except Unreachable:
            return False
        return joined and await asyncio.to_thread(is_answering, self._home.node_socket)

    async def healthy(self) -> frozenset[WorkloadId]:
        """The workloads that are healthy at every port."""
        endpoints = await self._endpoints()
        ill = {each.workload for each in endpoints if each.health != "HEALTHY"}
        return frozenset(
            parse_workload_id(each.workload) for each in endpoints if each.workload not in ill | {""}
        )

    async def is_gateway_served(self) -> bool:
        """Whether the gateway serves its port; from then on `page_url` is known."""
        for proxy in (await asyncio.to_thread(self._admin.proxies)).proxies:
            if proxy.id == GATEWAY.id:
                for each in proxy.gateway_ports:
                    if each.port == GATEWAY_PORT:
                        self._page_url = f"http://127.0.0.1:{each.bound_port}{PAGE_PATH}"
                        return True
        return False

    async def apply(self, files: Sequence[str]) -> None:
        """Returns when all connected proxies have it."""
        sources = await asyncio.to_thread(_read, files)
        answer = await asyncio.to_thread(self._admin.apply, ApplyRequest(files=sources, author=AUTHOR))
        if isinstance(answer, Problems):
            raise OperationFailed("\n".join(str(problem) for problem in answer.problems))
        await self._until_live(answer)

    async def delete(self, refs: Sequence[ObjectRef]) -> None:
        """As `apply`."""
        request = DeleteRequest(refs=tuple(refs), author=AUTHOR)
        await self._until_live(await asyncio.to_thread(self._admin.delete, request))

    async def _until_live(self, outcome: ApplyOutcome) -> None:
        last = await asyncio.to_thread(self._last_status, outcome.version)
        behind = [
            f"{each.id} {each.state}" + "".join(f" ({problem.error})" for problem in each.problems)
            for each in last.proxies
            if each.state != "live"
        ]
        if behind or not last.done:
            raise OperationFailed(f"version {outcome.version} is not live: {', '.join(behind)}")

    def _last_status(self, version: int) -> WaitStatus:
        statuses = deque(self._admin.wait(version, WAIT_S), maxlen=1)
        return statuses[0] if statuses else WaitStatus(version=version, done=False)

    async def inbound_address(self, workload: WorkloadId) -> tuple[str, int]:
        """Where the sidecar of one of the programs listens."""
        for each in await self._endpoints():
            if each.workload == str(workload):
                return each.address, each.port
        raise OperationFailed(f"{workload} serves nothing here")

    async def _endpoints(self) -> list[Endpoint]:
        services = (await asyncio.to_thread(self._admin.services)).services
        return [each for service in services for each in service.endpoints]

    async def exec(self, workload: WorkloadId, argv: Sequence[str]) -> tuple[int, str, str]:
        """`proa exec`: exit code, standard output, standard error."""
        pipe = asyncio.subprocess.PIPE
        command = self.command("exec", str(workload), "--", *argv)
        process = await asyncio.create_subprocess_exec(*command, stdout=pipe, stderr=pipe)
        try:
            out, err = await process.communicate()
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()
        return process.returncode or 0, out.decode(errors="replace"), err.decode(errors="replace")


def _read(files: Sequence[str]) -> tuple[SourceFile, ...]:
    return tuple(SourceFile(name=file, text=Path(file).read_text(encoding="utf-8")) for file in files)
