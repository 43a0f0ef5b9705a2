"""What goes on while the control plane is away: requests, Envoys that are killed, and a host that lost its power.

One mesh for the file, its control plane and its agent programs of their own, so that each can be killed.
"""

import asyncio
import contextlib
import functools
import os
import shutil
import signal
import socket
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

import msgspec
import pytest

from proa.core.pilot.resource import ResourceType
from proa.core.sidecar.table_file import decode_table
from proa.node.client import AgentUnreachable
from proa.servers.admin.addresses import read_addresses
from proa.testing.faults import killed, paused
from proa.testing.load import LoadResult, acceptance_plan, offer_load
from tests.mesh.harness import FOREVER, Mesh, app, curl_status, until, why_no_envoy

pytestmark = [pytest.mark.mesh, pytest.mark.timeout(240)]

ECHO: Final = "http://echo:8080"
DOOR: Final = """
apiVersion: networking.istio.io/v1
kind: Gateway
metadata: {name: door}
spec:
  selector: {istio: ingressgateway}
  servers:
  - port: {number: 18473, name: http, protocol: HTTP}
    hosts: ["door.example.com"]
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: door}
spec:
  hosts: ["door.example.com"]
  gateways: [door]
  http:
  - route:
    - destination: {host: echo, port: {number: 8080}}
"""
AWAY_S: Final = 5.0
BACK_S: Final = 20.0


class Host(msgspec.Struct, frozen=True, kw_only=True):
    """`control` can be ended and started again at the same addresses; `node` knows them from its credential."""

    control: Mesh
    node: Mesh
    flags: tuple[str, ...]

    def kill_control(self) -> None:
        program = self.control.parts["serve"]
        with killed(program.pid):
            program.wait()

    def start_control(self) -> None:
        self.control.start("serve", *self.flags)

    def metric(self, name: str) -> float:
        """The sum over all labels."""
        addresses = read_addresses(self.control.home.endpoints)
        assert addresses is not None
        with urllib.request.urlopen(f"http://{addresses.metrics}/metrics", timeout=10) as answer:
            lines = answer.read().decode().splitlines()
        return sum(float(line.rpartition(" ")[2]) for line in lines if line.startswith(name))

    def reconnected(self) -> bool:
        return {each.id.name for each in self.control.admin.proxies().proxies if each.connected} == {
            "caller",
            "echo",
        }

    def table(self, workload: str) -> Path:
        return self.node.home.workload_dir(f"default/{workload}") / "table"


@pytest.fixture(scope="module")
def host() -> Iterator[Host]:
    if reason := why_no_envoy():
        pytest.skip(reason)
    if shutil.which("curl") is None:
        pytest.skip("needs the command curl")
    flags = tuple(
        f"--{name}-port={port}" for name, port in zip(("xds", "join", "metrics"), free_ports(3), strict=True)
    )
    with contextlib.ExitStack() as stack:
        control = stack.enter_context(Mesh("serve", *flags))
        token = control.proa("token", "create", "--node", "here", "--allow=*/*/*", check=True).stdout.strip()
        node = stack.enter_context(Mesh("node", f"--token={token}", control=control))
        host = Host(control=control, node=node, flags=flags)
        place(node)
        node.until_healthy("caller", "echo")
        yield host


def free_ports(count: int) -> list[int]:
    with contextlib.ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for each in sockets:
            each.bind(("127.0.0.1", 0))
        return [each.getsockname()[1] for each in sockets]


def place(node: Mesh) -> None:
    node.run("caller", FOREVER, wait=False)
    node.run("echo", app("echo"), port="8080:auto", wait=False)


def serves(node: Mesh) -> bool:
    return curl_status(node.curl("caller", "-i", f"{ECHO}/there")) == 200


def under_load(node: Mesh, fault: Callable[[], None]) -> LoadResult:
    """The acceptance load for the whole of `fault`, two seconds before it and after it."""
    url = f"{ECHO}/there"
    plan = acceptance_plan(url, url, b'{"stars": 5}', seconds=120, proxy=node.proxy("caller"))

    async def scene() -> LoadResult:
        stop = asyncio.Event()
        async with asyncio.TaskGroup() as tasks:
            load = tasks.create_task(offer_load(plan, stop=stop))
            await asyncio.sleep(2)
            try:
                await asyncio.to_thread(fault)
                await asyncio.sleep(2)
            finally:
                stop.set()
        return load.result()

    return asyncio.run(scene())


def test_the_control_plane_is_killed_and_nobody_notices(host: Host) -> None:
    back_after: list[float] = []

    def fault() -> None:
        host.kill_control()
        threading.Event().wait(AWAY_S)
        began = time.monotonic()
        host.start_control()
        until(host.reconnected, "proxies are back", BACK_S)
        back_after.append(time.monotonic() - began)
        host.node.until_healthy("caller", "echo")

    result = under_load(host.node, fault)
    print(f"{result.summary()}; proxies back {back_after[0]:.2f} s after the start of a new control plane")
    assert not result.failures, result.summary()
    assert result.sent > 50 * AWAY_S
    assert host.metric("proa_xds_resources_sent_total{") == 0, "nothing changed, so nothing is sent"


def test_the_control_plane_stands_still_and_nobody_notices(host: Host) -> None:
    """Longer than an agent waits for a sign of life, so that it gives the connection up."""
    sent = host.metric("proa_xds_resources_sent_total{")

    def fault() -> None:
        with paused(host.control.parts["serve"].pid):
            until(lambda: not host.node.node().connected, "the agent gives up", 40)
        until(host.reconnected, "proxies are back", BACK_S)
        host.node.until_healthy("caller", "echo")

    result = under_load(host.node, fault)
    assert not result.failures, result.summary()
    assert host.metric("proa_xds_resources_sent_total{") == sent, "nothing changed, so nothing is sent"


def test_an_envoy_killed_while_the_control_plane_is_away_serves_again(host: Host) -> None:
    host.kill_control()
    try:
        until(lambda: not host.node.node().connected, "the agent knows")
        for name in ("echo", "caller"):
            victim = host.node.summary(name).envoy_pid
            assert victim is not None
            began = time.monotonic()
            with killed(victim):
                pass
            until(functools.partial(renewed, host.node, name, victim), f"{name}'s Envoy is back")
            until(lambda: serves(host.node), "it serves again")
            print(f"{name}: serves again {time.monotonic() - began:.2f} s after kill -9")
    finally:
        host.start_control()
    host.node.until_healthy("caller", "echo")


def renewed(node: Mesh, name: str, victim: int) -> bool:
    now = node.summary(name)
    return now.proxy == "ready" and now.envoy_pid not in (None, victim)


def test_after_a_power_cut_a_host_comes_up_from_disk_alone(host: Host) -> None:
    host.control.settle()
    until(lambda: all(host.table(name).exists() for name in ("caller", "echo")), "tables are on disk")
    host.kill_control()
    began = time.monotonic()
    try:
        power_cut(host.node)
        start_alone(host.node)
        place(host.node)
        for name in ("caller", "echo"):
            host.node.workloads[name].until_printed("is in the mesh")
            assert "the control plane is away" in host.node.workloads[name].output
        until(lambda: serves(host.node), "requests are answered")
        print(f"serving {time.monotonic() - began:.2f} s after the power cut")
        refused = host.node.run("stranger", FOREVER, wait=False)
        refused.until_printed("still waiting")
        assert "is in the mesh" not in refused.output, "nobody has ever accepted it"
        refused.stop()
        del host.node.workloads["stranger"]
    finally:
        host.start_control()
    host.node.until_healthy("caller", "echo")
    for name in ("caller", "echo"):
        host.node.workloads[name].until_printed("is back and has accepted")
    assert serves(host.node)


def start_alone(node: Mesh) -> None:
    """The agent, from its own disk: no token, and not waiting for the control plane."""
    agent = node.parts["node"] = node.background("node", "node", "--metrics=127.0.0.1:0")

    def answers() -> bool:
        assert agent.code is None, f"the agent ended:\n{agent.output}"
        try:
            return not node.node().connected
        except AgentUnreachable:
            return False

    until(answers, "the agent takes workloads")


def test_a_gateway_serves_its_ports_from_disk(host: Host) -> None:
    with host.control.applied(DOOR):
        host.node.gateway()
        port = host.node.gateway_port(18473)
        url = f"http://127.0.0.1:{port}/through"
        until(lambda: is_answered(url), "the gateway serves")
        table = host.node.home.workload_dir("istio-system/ingressgateway") / "table"
        until(lambda: holds_route(table) and host.table("echo").exists(), "tables are on disk")
        host.control.settle()
        host.kill_control()
        try:
            power_cut(host.node)
            assert not is_answered(url)
            start_alone(host.node)
            place(host.node)
            gateway = host.node.gateway(wait=False)
            gateway.until_printed(f"gateway port 18473: http://127.0.0.1:{port}")
            until(lambda: is_answered(url), "the gateway serves again at the same port")
        finally:
            host.start_control()
        host.node.until_healthy("caller", "echo", "ingressgateway")
        assert host.node.gateway_port(18473) == port
        assert is_answered(url)
        host.node.stop("ingressgateway")


def holds_route(table: Path) -> bool:
    """A route is the last thing that an Envoy asks for: when it is there, all is."""
    if not table.exists():
        return False
    read = decode_table(table.read_bytes())
    return bool(read.gateway_ports) and any(each.type is ResourceType.ROUTE for each in read.resources)


def is_answered(url: str) -> bool:
    try:
        with urllib.request.urlopen(
            urllib.request.Request(url, headers={"host": "door.example.com"}), timeout=5
        ) as answer:
            return bool(answer.status == 200)
    except OSError:
        return False


def power_cut(node: Mesh) -> None:
    """kill -9 of everything of the node: agent, owners, apps, Envoys. Sockets and files stay as they lie."""
    for pid in node.left_processes():
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    for program in (*node.workloads.values(), *node.parts.values()):
        program.kill()
        program.log.write_text("")
    until(lambda: not node.left_processes(), "everything is dead")
    node.workloads.clear()


def test_a_spoiled_table_is_not_believed(host: Host) -> None:
    host.node.stop("echo")
    host.table("echo").write_bytes(b"proa-table 1 0\nnonsense")
    host.node.run("echo", app("echo"), port="8080:auto")
    assert serves(host.node)
    log = host.node.parts["node"].output
    assert "default_echo: the table on disk is of no use and removed: the checksum is wrong" in log
    until(lambda: host.table("echo").stat().st_size > 1000, "a good one is written")
