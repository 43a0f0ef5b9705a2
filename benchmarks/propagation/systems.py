"""A server with a swarm on it: our control plane as it is shipped, and the naive peer. Started, fed, and asked."""

import asyncio
import shutil
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Final

import msgspec

from benchmarks.cpu import cpu_seconds
from benchmarks.propagation.h2_client import connect
from benchmarks.propagation.mesh import (
    FLIPPER,
    NodeSpec,
    SwarmSpec,
    client_nodes,
    flipping_workloads,
    serving_nodes,
)
from benchmarks.propagation.naive import NaiveSpec
from benchmarks.propagation.session import Session, open_session
from benchmarks.propagation.swarm import Command, Report, Sample
from benchmarks.workshop import Workshop, free_port, until
from proa.core.auth.grants import BROAD
from proa.core.auth.spiffe import node_id
from proa.core.sidecar.session import Registration
from proa.home import Home
from proa.node.credentials import Credential
from proa.node.join import join
from proa.runtime.processes import Child
from proa.servers.admin.client import AdminClient
from proa.servers.admin.operations import TokenRequest

START_S: Final = 20.0
SETTLE_S: Final = 90.0
_LINE_MAX: Final = 2**20


class System:
    """A running server, its swarm, and the session by which changes are made. `number` is the last change's."""

    def __init__(self, name: str, server: Child, flipper: Session, swarm: "SwarmProcess") -> None:
        self.name = name
        self.flipper = flipper
        self.swarm = swarm
        self.number = 1
        self._server = server

    def cpu(self) -> float:
        return cpu_seconds(self._server.pid)

    def flip(self) -> int:
        """Makes the next change. Returns the monotonic ns of its sending."""
        self.number += 1
        return self.flipper.tell(flipping_workloads(self.number))


class SwarmProcess:
    """The other end of `swarm.main`."""

    def __init__(self, process: asyncio.subprocess.Process, dump: Path, proxies: int) -> None:
        self.proxies = proxies
        self._process = process
        self._dump = dump

    async def until(self, number: int, endpoint_sets: int = 0) -> None:
        """Returns when every proxy has that change. Raises RuntimeError when one lost its stream."""
        await self._ask(Command(until=number, endpoint_sets=endpoint_sets))

    async def cpu(self) -> float:
        return (await self._ask(Command())).cpu

    async def samples(self) -> list[list[Sample]]:
        """Per proxy, what was noted since the last call."""
        await self._ask(Command(dump=str(self._dump)))
        return msgspec.msgpack.decode(self._dump.read_bytes(), type=list[list[Sample]])

    async def _ask(self, command: Command) -> Report:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(msgspec.json.encode(command) + b"\n")
        async with asyncio.timeout(SETTLE_S):
            line = await self._process.stdout.readline()
        if not line:
            raise RuntimeError("the swarm ended")
        report = msgspec.json.decode(line, type=Report)
        if report.trouble:
            raise RuntimeError(f"the swarm: {len(report.trouble)} calls ended: {report.trouble[0]}")
        return report

    async def end(self) -> None:
        if self._process.returncode is None:
            self._process.kill()
        await self._process.wait()


async def our_system(shop: Workshop, proxies: int, services: int, profile: Path | None = None) -> System:
    """`proa serve`, and nodes that joined with tokens."""
    name = f"serve-{proxies}"
    home = Home(shop.directory / f"home-{proxies}")
    shop.stack().callback(_remove_run_dir, home)
    arguments = [str(home.path), *([str(profile)] if profile else [])]
    server = shop.start_python(name, "benchmarks.propagation.serve", *arguments, cores=shop.cores.measured)

    async def is_up() -> bool:
        if server.code is not None:
            raise RuntimeError(f"the control plane ended: {shop.log_of(name)}")
        return home.endpoints.exists()

    await until("the control plane is up", is_up, START_S)
    admin = AdminClient(home.admin_socket)
    credentials: dict[str, Credential] = {}
    for node in (FLIPPER, *serving_nodes(services), *client_nodes(proxies)):
        request = TokenRequest(node=node, placements=BROAD)
        minted = await asyncio.to_thread(admin.mint_token, request)
        credentials[node] = await join(minted.token)
    return await _populate(shop, name, server, credentials, proxies, services)


async def naive_system(shop: Workshop, proxies: int, services: int) -> System:
    name = f"naive-{proxies}"
    address = f"127.0.0.1:{free_port()}"
    key, chain = shop.certificates.control_plane()
    spec = NaiveSpec(address=address, key_pem=key, chain_pem=chain, root_pem=shop.certificates.root_pem)
    file = shop.directory / f"{name}.json"
    file.write_bytes(msgspec.json.encode(spec))
    server = shop.start_python(name, "benchmarks.propagation.naive", str(file), cores=shop.cores.measured)

    async def is_up() -> bool:
        if server.code is not None:
            raise RuntimeError(f"the naive server ended: {shop.log_of(name)}")
        try:
            (await connect(_credential(shop, FLIPPER, address))).close()
        except OSError:
            return False
        return True

    await until("the naive server is up", is_up, START_S)
    nodes = (FLIPPER, *serving_nodes(services), *client_nodes(proxies))
    credentials = {node: _credential(shop, node, address) for node in nodes}
    return await _populate(shop, name, server, credentials, proxies, services)


def _credential(shop: Workshop, node: str, address: str) -> Credential:
    key, chain = shop.certificates.node(node)
    trust_domain = shop.certificates.trust_domain
    return Credential(
        key_pem=key,
        chain_pem=chain,
        bundles={trust_domain: shop.certificates.root_pem},
        identity=str(node_id(trust_domain, node)),
        not_before=0,
        not_after=int(time.time()) + 3600,
        node=node,
        servers=(address,),
    )


async def _populate(
    shop: Workshop,
    name: str,
    server: Child,
    credentials: Mapping[str, Credential],
    proxies: int,
    services: int,
) -> System:
    async def session(node: str, workloads: tuple[Registration, ...]) -> Session:
        connection = await connect(credentials[node])
        shop.stack().callback(connection.close)
        return await open_session(connection, workloads)

    for node, workloads in serving_nodes(services).items():
        await session(node, workloads)
    flipper = await session(FLIPPER, flipping_workloads(1))
    spec = SwarmSpec(
        nodes=tuple(
            NodeSpec(credential=credentials[node], workloads=workloads)
            for node, workloads in client_nodes(proxies).items()
        )
    )
    swarm = await _start_swarm(shop, name, spec, proxies)
    shop.stack().push_async_callback(swarm.end)
    await swarm.until(1, services)
    await swarm.samples()
    return System(name, server, flipper, swarm)


async def _start_swarm(shop: Workshop, name: str, spec: SwarmSpec, proxies: int) -> SwarmProcess:
    file = shop.directory / f"{name}-swarm.json"
    file.write_bytes(msgspec.json.encode(spec, enc_hook=SwarmSpec.enc_hook))
    argv = [sys.executable, "-m", "benchmarks.propagation.swarm", str(file)]
    process = await asyncio.create_subprocess_exec(
        *shop.cores.pinned(shop.cores.driving, argv),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        limit=_LINE_MAX,
    )
    return SwarmProcess(process, shop.directory / f"{name}-samples", proxies)


def _remove_run_dir(home: Home) -> None:
    """Homes keep their sockets outside; this one's nobody needs any more."""
    shutil.rmtree(home.run_dir, ignore_errors=True)
