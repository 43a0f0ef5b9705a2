"""A server with a swarm on it: our control plane as it is shipped, and the naive peer. Started, fed, and asked."""

import asyncio
import os
import shutil
import signal
import sys
import time
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Final, Protocol

import msgspec

from benchmarks.cpu import cpu_seconds, resident_bytes
from benchmarks.propagation.h2_client import connect
from benchmarks.propagation.mesh import (
    FLIPPER,
    Churn,
    NodeSpec,
    Shape,
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
SETTLE_S: Final = 120.0
_LINE_MAX: Final = 2**20


class System:
    """A running server, its swarm, and the sessions by which changes are made. `number` is the last change's."""

    def __init__(
        self,
        name: str,
        host: "Host",
        serving: Mapping[str, Credential],
        sessions: dict[str, Session],
        swarm: "SwarmProcess",
    ) -> None:
        """`serving`: the credentials of the nodes that are not the swarm's, for when they must come again.
        `empty_bytes`: what the server occupied before anybody came."""
        self.name = name
        self.host = host
        self.serving = serving
        self.swarm = swarm
        self.sessions = sessions
        self.number = 1
        self.empty_bytes = 0

    @property
    def flipper(self) -> Session:
        return self.sessions[FLIPPER]

    @property
    def pid(self) -> int:
        return self.host.server.pid

    def cpu(self) -> float:
        return cpu_seconds(self.pid)

    def flip(self) -> int:
        """Makes the next change. Returns the monotonic ns of its sending."""
        self.number += 1
        return self.flipper.tell(flipping_workloads(self.number))

    async def add(self, shop: Workshop, first: int, proxies: int) -> None:
        """Puts the proxies from `first` on, below `proxies`, on the server too; they have nothing yet."""
        nodes = client_nodes(proxies, first)
        file = shop.directory / f"{self.name}-from-{first}.json"
        write_spec(file, swarm_spec(await self.host.credentials(list(nodes)), nodes))
        self.swarm.proxies = proxies
        await self.swarm.ask(Command(join=str(file)))


class Host(Protocol):
    """Where a server runs: its process, and how to get in."""

    server: Child

    async def credentials(self, nodes: Iterable[str]) -> dict[str, Credential]: ...

    async def restart(self) -> None:
        """Kills the server and starts it again at the same address, with what it kept. Returns when it serves."""


class SwarmProcess:
    """The other end of `swarm.main`."""

    def __init__(self, process: asyncio.subprocess.Process, dump: Path, proxies: int) -> None:
        self.proxies = proxies
        self._process = process
        self._dump = dump

    async def until(self, number: int, endpoint_sets: int = 0) -> None:
        """Returns when every proxy has that change. Raises RuntimeError when one lost its stream."""
        await self.ask(Command(until=number, endpoint_sets=endpoint_sets))

    async def cpu(self) -> float:
        return (await self.ask(Command())).cpu

    async def samples(self) -> list[list[Sample]]:
        """Per sampled proxy, what was noted since the last call."""
        await self.ask(Command(dump=str(self._dump)))
        return msgspec.msgpack.decode(self._dump.read_bytes(), type=list[list[Sample]])

    async def ask(self, command: Command) -> Report:
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


class OurHost:
    """`proa serve`; nodes join it with tokens."""

    def __init__(self, shop: Workshop, name: str, profile: Path | None) -> None:
        self._shop = shop
        self._name = name
        self._profile = profile
        self._port = free_port()
        self.home = Home(shop.directory / f"home-{name}")
        self.admin = AdminClient(self.home.admin_socket)
        shop.stack().callback(_remove_run_dir, self.home)
        self.server = self._start()

    def _start(self) -> Child:
        arguments = [str(self.home.path), str(self._port), *([str(self._profile)] if self._profile else [])]
        return self._shop.start_python(
            self._name, "benchmarks.propagation.serve", *arguments, cores=self._shop.cores.measured
        )

    async def until_up(self) -> None:
        await until("the control plane is up", self._is_up, START_S)

    async def _is_up(self) -> bool:
        if self.server.code is not None:
            raise RuntimeError(f"the control plane ended: {self._shop.log_of(self._name)}")
        return self.home.endpoints.exists()

    async def credentials(self, nodes: Iterable[str]) -> dict[str, Credential]:
        found: dict[str, Credential] = {}
        for node in nodes:
            request = TokenRequest(node=node, placements=BROAD)
            found[node] = await join((await asyncio.to_thread(self.admin.mint_token, request)).token)
        return found

    async def restart(self) -> None:
        await _kill(self.server)
        self.home.endpoints.unlink()
        self.server = self._start()
        await self.until_up()


class NaiveHost:
    def __init__(self, shop: Workshop, name: str) -> None:
        self._shop = shop
        self._name = name
        self._address = f"127.0.0.1:{free_port()}"
        key, chain = shop.certificates.control_plane()
        spec = NaiveSpec(
            address=self._address, key_pem=key, chain_pem=chain, root_pem=shop.certificates.root_pem
        )
        self._file = shop.directory / f"{name}.json"
        self._file.write_bytes(msgspec.json.encode(spec))
        self.server = self._start()

    def _start(self) -> Child:
        return self._shop.start_python(
            self._name, "benchmarks.propagation.naive", str(self._file), cores=self._shop.cores.measured
        )

    async def until_up(self) -> None:
        await until("the naive server is up", self._is_up, START_S)

    async def _is_up(self) -> bool:
        if self.server.code is not None:
            raise RuntimeError(f"the naive server ended: {self._shop.log_of(self._name)}")
        try:
            (await connect(self._credential(FLIPPER))).close()
        except OSError:
            return False
        return True

    async def credentials(self, nodes: Iterable[str]) -> dict[str, Credential]:
        return {node: self._credential(node) for node in nodes}

    def _credential(self, node: str) -> Credential:
        key, chain = self._shop.certificates.node(node)
        trust_domain = self._shop.certificates.trust_domain
        return Credential(
            key_pem=key,
            chain_pem=chain,
            bundles={trust_domain: self._shop.certificates.root_pem},
            identity=str(node_id(trust_domain, node)),
            not_before=0,
            not_after=int(time.time()) + 3600,
            node=node,
            servers=(self._address,),
        )

    async def restart(self) -> None:
        await _kill(self.server)
        self.server = self._start()
        await self.until_up()


async def _kill(server: Child) -> None:
    os.kill(server.pid, signal.SIGKILL)

    async def is_gone() -> bool:
        return server.code is not None

    await until("the server has ended", is_gone, START_S)


async def our_system(
    shop: Workshop, shape: Shape, *, name: str = "", churn: Churn | None = None, profile: Path | None = None
) -> System:
    """`proa serve` as it is shipped, populated."""
    host = OurHost(shop, f"serve-{name or shape.proxies}", profile)
    await host.until_up()
    return await _populate(shop, f"serve-{name or shape.proxies}", host, shape, churn)


async def naive_system(shop: Workshop, shape: Shape, *, name: str = "", churn: Churn | None = None) -> System:
    host = NaiveHost(shop, f"naive-{name or shape.proxies}")
    await host.until_up()
    return await _populate(shop, f"naive-{name or shape.proxies}", host, shape, churn)


async def open_servers(
    shop: Workshop, credentials: Mapping[str, Credential], shape: Shape, number: int
) -> dict[str, Session]:
    """The sessions of the nodes whose services are seen: those that stand still and the flipping one."""
    sessions = {}
    told = {**serving_nodes(shape.services, shape.replicas), FLIPPER: flipping_workloads(number)}
    for node, workloads in told.items():
        connection = await connect(credentials[node])
        shop.stack().callback(connection.close)
        sessions[node] = await open_session(connection, workloads)
    return sessions


async def _populate(shop: Workshop, name: str, host: Host, shape: Shape, churn: Churn | None) -> System:
    empty = resident_bytes(host.server.pid)
    credentials = await host.credentials((FLIPPER, *serving_nodes(shape.services, shape.replicas)))
    sessions = await open_servers(shop, credentials, shape, 1)
    nodes = client_nodes(shape.proxies)
    spec = swarm_spec(await host.credentials(list(nodes)), nodes, churn)
    swarm = await _start_swarm(shop, name, spec, shape.proxies)
    shop.stack().push_async_callback(swarm.end)
    await swarm.until(churn.number if churn else 1, shape.visible)
    await swarm.samples()
    system = System(name, host, credentials, sessions, swarm)
    system.empty_bytes = empty
    return system


def swarm_spec(
    credentials: Mapping[str, Credential],
    nodes: Mapping[str, tuple[Registration, ...]],
    churn: Churn | None = None,
) -> SwarmSpec:
    """With a churn few proxies note times: their notes would be what is measured."""
    every = tuple(
        NodeSpec(credential=credentials[node], workloads=workloads) for node, workloads in nodes.items()
    )
    return SwarmSpec(nodes=every, flipping=churn.flipping, sampled=10) if churn else SwarmSpec(nodes=every)


def write_spec(file: Path, spec: SwarmSpec) -> None:
    file.write_bytes(msgspec.json.encode(spec, enc_hook=SwarmSpec.enc_hook))


async def _start_swarm(shop: Workshop, name: str, spec: SwarmSpec, proxies: int) -> SwarmProcess:
    file = shop.directory / f"{name}-swarm.json"
    write_spec(file, spec)
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
