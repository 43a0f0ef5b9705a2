"""What one host goes through when parts of its mesh die, as scenes that return what was measured.

    with one_host() as host:
        outage = control_plane_killed(host, away_s=30, around_s=10)

The short tests (`test_without_control_plane.py`) and the acceptance forms (`tests/endurance`) play the same scenes for
different times. A scene offers the acceptance load from before its fault until after it; what must hold of the result
is for the test to say. A scene that raises leaves the mesh as it is: its `Mesh` blocks clean up.
"""

import contextlib
import functools
import os
import signal
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final, TypeVar

import msgspec

from proa.node.client import AgentUnreachable
from proa.servers.admin.addresses import read_addresses
from proa.testing.faults import killed, partition, paused
from proa.testing.load import LoadResult
from tests.mesh import namespaces
from tests.mesh.harness import FOREVER, Mesh, app, curl_status, until
from tests.mesh.load import ECHO, load_during
from tests.ports import held_ports

T = TypeVar("T")

BACK_S: Final = 60.0
"""How long a scene waits for what should take a second or five; the test judges the time."""


class Host(msgspec.Struct, frozen=True, kw_only=True):
    """`control` can be ended and started again at the same addresses; `node` knows them from its credential.

    `networks` are the namespaces of control plane and node, None on one machine without any.
    """

    control: Mesh
    node: Mesh
    flags: tuple[str, ...]
    networks: tuple[namespaces.Host, namespaces.Host] | None = None

    def kill_control(self) -> None:
        program = self.control.parts["serve"]
        with killed(program.pid):
            program.wait()

    def start_control(self) -> None:
        self.control.start("serve", *self.flags)

    def at_control(self, work: Callable[[], T]) -> T:
        """Does the work with the sockets of the control plane's host."""
        return self.networks[0].run(work) if self.networks else work()

    def at_node(self, work: Callable[[], T]) -> T:
        return self.networks[1].run(work) if self.networks else work()

    def metric(self, name: str) -> float:
        """The control plane's; the sum over all labels."""
        return self.at_control(lambda: metric(self.control, name))

    def resources_sent(self) -> float:
        return self.metric("proa_xds_resources_sent_total{")

    def reconnected(self, since: float) -> bool:
        """Every proxy has a stream that began after `since` (seconds since the epoch), and no other."""
        proxies = self.control.admin.proxies().proxies
        fresh = {each.id.name for each in proxies if each.connected and each.since > since}
        return fresh == set(self.node.workloads) and self.node.node().connected

    def table(self, workload: str) -> Path:
        return self.node.home.workload_dir(f"default/{workload}") / "table"

    def envoys(self) -> dict[str, int | None]:
        """The pid of each workload's Envoy."""
        return {each.id.name: each.envoy_pid for each in self.node.node().workloads}


@contextlib.contextmanager
def one_host() -> Iterator[Host]:
    """Everything on loopback."""
    with contextlib.ExitStack() as stack:
        flags = stack.enter_context(held_flags())
        control = stack.enter_context(Mesh("serve", *flags))
        node = stack.enter_context(Mesh("node", f"--token={token(control)}", control=control))
        yield _populated(Host(control=control, node=node, flags=flags))


@contextlib.contextmanager
def two_hosts() -> Iterator[Host]:
    """Control plane and node in network namespaces of their own (mark tests `root`)."""
    with contextlib.ExitStack() as stack:
        hosts = stack.enter_context(namespaces.network("control", "node"))
        own, other = hosts["control"], hosts["node"]
        flags = (f"--listen={own.address}", "--xds-port=15012", "--join-port=15013", "--metrics-port=15014")
        control = stack.enter_context(Mesh("serve", *flags, inside=own.inside))
        node_flags = (f"--token={token(control)}", f"--address={other.address}")
        node = stack.enter_context(Mesh("node", *node_flags, inside=other.inside, control=control))
        yield _populated(Host(control=control, node=node, flags=flags, networks=(own, other)))


def metric(control: Mesh, name: str) -> float:
    """One of a control plane's, asked from its own host; the sum over all labels."""
    addresses = read_addresses(control.home.endpoints)
    assert addresses is not None
    with urllib.request.urlopen(f"http://{addresses.metrics}/metrics", timeout=30) as answer:
        lines = str(answer.read(), "utf-8").splitlines()
    return sum(float(line.rpartition(" ")[2]) for line in lines if line.startswith(name))


def door(port: int) -> str:
    """A gateway `door` that listens at `port`, as few tests may: echo is behind it."""
    return f"""
apiVersion: networking.istio.io/v1
kind: Gateway
metadata: {{name: door}}
spec:
  selector: {{istio: ingressgateway}}
  servers:
  - port: {{number: {port}, name: http, protocol: HTTP}}
    hosts: ["door.example.com"]
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {{name: door}}
spec:
  hosts: ["door.example.com"]
  gateways: [door]
  http:
  - route:
    - destination: {{host: echo, port: {{number: 8080}}}}
"""


def token(control: Mesh, node: str = "here") -> str:
    """A token for a node that may place anything."""
    return control.proa("token", "create", "--node", node, "--allow=*/*/*", check=True).stdout.strip()


def _populated(host: Host) -> Host:
    place(host.node)
    host.node.until_healthy("caller", "echo")
    return host


@contextlib.contextmanager
def held_flags() -> Iterator[tuple[str, ...]]:
    """Ports for a control plane that comes back to them, nobody else's while the block lasts."""
    with held_ports(3) as ports:
        named = zip(("xds", "join", "metrics"), ports, strict=True)
        yield tuple(f"--{name}-port={port}" for name, port in named)


def place(node: Mesh) -> None:
    node.run("caller", FOREVER, wait=False)
    node.run("echo", app("echo"), port="8080:auto", wait=False)


def serves(node: Mesh) -> bool:
    return curl_status(node.curl("caller", "-i", f"{ECHO}/there")) == 200


def pass_time(seconds: float) -> None:
    """For the duration of a fault, which is what the test is about; never for waiting until something is done."""
    threading.Event().wait(seconds)


def under_load(host: Host, fault: Callable[[], None], *, around_s: float) -> LoadResult:
    return host.at_node(lambda: load_during(host.node, fault, around_s=around_s))


# The control plane goes away


class Outage(msgspec.Struct, frozen=True, kw_only=True):
    """`back_s` is from the return of the control plane (the start of its process, for one that was killed) until every
    proxy has a new stream; `resent` counts resources that it sent since, to whomever."""

    load: LoadResult
    back_s: float
    resent: float


def control_plane_killed(host: Host, *, away_s: float, around_s: float) -> Outage:
    """kill -9, and another one from the same store."""
    back_s: list[float] = []

    def fault() -> None:
        host.kill_control()
        pass_time(away_s)
        began, since = time.monotonic(), time.time()
        host.start_control()
        _until_reconnected(host, since)
        back_s.append(time.monotonic() - began)
        host.node.until_healthy(*host.node.workloads)

    load = under_load(host, fault, around_s=around_s)
    return Outage(load=load, back_s=back_s[0], resent=host.resources_sent())


def control_plane_stopped(host: Host, *, away_s: float, around_s: float) -> Outage:
    """SIGSTOP, for `away_s` at least and until the agent has given the connection up."""
    pid = host.control.parts["serve"].pid
    return _absent(host, lambda: paused(pid, at_most_s=away_s + 60), away_s, around_s)


def control_plane_parted(host: Host, *, away_s: float, around_s: float) -> Outage:
    """No packet in or out of the control plane's host. Needs `two_hosts`."""
    assert host.networks is not None
    namespace = host.networks[0].namespace
    return _absent(host, lambda: partition(namespace, at_most_s=away_s + 60), away_s, around_s)


def _absent(
    host: Host,
    absence: Callable[[], contextlib.AbstractContextManager[None]],
    away_s: float,
    around_s: float,
) -> Outage:
    sent = host.resources_sent()
    back_s: list[float] = []

    def fault() -> None:
        with absence():
            pass_time(away_s)
            until(lambda: not host.node.node().connected, "the agent gives up", 40)
            since = time.time()
        began = time.monotonic()
        _until_reconnected(host, since)
        back_s.append(time.monotonic() - began)
        host.node.until_healthy(*host.node.workloads)

    load = under_load(host, fault, around_s=around_s)
    return Outage(load=load, back_s=back_s[0], resent=host.resources_sent() - sent)


def _until_reconnected(host: Host, since: float) -> None:
    until(lambda: host.reconnected(since), "all proxies have new streams", BACK_S)


# An Envoy dies


class Recovery(msgspec.Struct, frozen=True, kw_only=True):
    """`serving_s` is from the kill to the end of the first request after which none failed."""

    load: LoadResult
    serving_s: float


def envoy_killed(host: Host, name: str, *, around_s: float) -> Recovery:
    """kill -9 of the Envoy of one workload; the agent starts it again."""
    victim = host.node.summary(name).envoy_pid
    assert victim is not None
    killed_at: list[float] = []

    def fault() -> None:
        killed_at.append(time.monotonic())
        with killed(victim):
            pass
        until(functools.partial(renewed, host.node, name, victim), f"{name}'s Envoy is back")

    load = under_load(host, fault, around_s=around_s)
    return Recovery(load=load, serving_s=_served_again(load, killed_at[0]) - killed_at[0])


def _served_again(load: LoadResult, killed_at: float) -> float:
    """Fails when requests failed before the kill, or go on to fail until the end."""
    early = [each for each in load.failures if each.ended < killed_at]
    assert not early, f"failed before the kill: {early[0]}"
    last = max((each.intended for each in load.failures), default=killed_at)
    good = [each.ended for each in load.records if each.failure is None and each.intended > last]
    assert good, f"it never served again: {load.summary()}"
    return good[0]


def renewed(node: Mesh, name: str, victim: int) -> bool:
    now = node.summary(name)
    return now.proxy == "ready" and now.envoy_pid not in (None, victim)


@contextlib.contextmanager
def without_control_plane(host: Host) -> Iterator[None]:
    """Killed for the block, and the agent knows; started again after it."""
    host.kill_control()
    try:
        until(lambda: not host.node.node().connected, "the agent knows")
        yield
    finally:
        host.start_control()
    host.node.until_healthy(*host.node.workloads)


# The agent dies


class Adoption(msgspec.Struct, frozen=True, kw_only=True):
    """`envoys` and `apps` are the pids before and after, by workload; `resent` counts resources that the control plane
    sent meanwhile."""

    load: LoadResult
    envoys: tuple[dict[str, int | None], dict[str, int | None]]
    apps: tuple[dict[str, int | None], dict[str, int | None]]
    resent: float
    back_s: float


def agent_killed(host: Host, *, away_s: float, around_s: float) -> Adoption:
    """kill -9 of `proa node` alone, and another one at the same home."""
    sent, envoys, apps = host.resources_sent(), host.envoys(), _apps(host)
    back_s: list[float] = []

    def fault() -> None:
        program = host.node.parts["node"]
        with killed(program.pid):
            program.wait()
        pass_time(away_s)
        began, since = time.monotonic(), time.time()
        host.node.start("node", *_address(host.node))
        _until_reconnected(host, since)
        back_s.append(time.monotonic() - began)
        host.node.until_healthy(*host.node.workloads)

    load = under_load(host, fault, around_s=around_s)
    return Adoption(
        load=load,
        envoys=(envoys, host.envoys()),
        apps=(apps, _apps(host)),
        resent=host.resources_sent() - sent,
        back_s=back_s[0],
    )


def _apps(host: Host) -> dict[str, int | None]:
    return {each.id.name: each.pid for each in host.node.node().workloads}


# The power goes


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


def start_alone(node: Mesh) -> None:
    """The agent, from its own disk: no token, and not waiting for the control plane."""
    agent = node.parts["node"] = node.background("node", "node", "--metrics=127.0.0.1:0", *_address(node))

    def answers() -> bool:
        assert agent.code is None, f"the agent ended:\n{agent.output}"
        try:
            return not node.node().connected
        except AgentUnreachable:
            return False

    until(answers, "the agent takes workloads")


def _address(node: Mesh) -> tuple[str, ...]:
    return tuple(flag for flag in node.flags if flag.startswith("--address="))


def power_cut_and_back(host: Host) -> float:
    """With the control plane away: seconds from the cut until requests are answered again, all from disk."""
    until(lambda: all(host.table(name).exists() for name in ("caller", "echo")), "tables are on disk")
    began = time.monotonic()
    power_cut(host.node)
    start_alone(host.node)
    place(host.node)
    for name in ("caller", "echo"):
        host.node.workloads[name].until_printed("is in the mesh")
        assert "the control plane is away" in host.node.workloads[name].output
    until(lambda: serves(host.node), "requests are answered")
    return time.monotonic() - began
