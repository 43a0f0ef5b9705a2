"""Where the kill list is played: a control plane and two nodes, on hosts and disks of their own where root allows.

Node `a` has the caller and one replica of echo, node `b` the other replica. What ends is started again by a `Keeper`,
as an init system would. `Arena.play` performs a list and says what happened; it judges nothing.
"""

import contextlib
import functools
import signal
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Final, TypeVar, assert_never

import msgspec

from proa.node.client import AgentUnreachable, NoSuchWorkload
from proa.servers.admin.client import Unreachable
from proa.servers.admin.operations import OperationFailed
from proa.testing.faults import FaultUnavailable, full_disk, killed, partition, paused, slow_disk, small_disk
from tests.conftest import why_no_namespaces
from tests.endurance.keeper import Keeper
from tests.endurance.kill_list import CALLER, EVERY_S, LEAF_TTL_S, RULES, Change, Fault, KillList, Window
from tests.mesh.harness import FOREVER, Mesh, Program, app, until
from tests.mesh.namespaces import Host, network
from tests.mesh.outages import held_flags, metric, pass_time, token

T = TypeVar("T")

WORKLOADS: Final = {CALLER: "a", "echo-a": "a", "echo-b": "b"}
WELL_S: Final = 40.0
"""Until a workload serves again after what killed it; the tables show what it really took."""
ASKED_TO_END: Final = (128 + signal.SIGTERM, 128 + signal.SIGINT)
"""Exit codes of `proa run` for a program that SIGTERM ended, and for one that it had not started yet."""
DISK: Final = 200 << 20
"""Bytes: the access logs of twenty minutes of load are 60 MB."""
OBJECTS: Final = tuple(
    f"""
apiVersion: networking.istio.io/v1
kind: {kind}
metadata: {{name: {name}}}
spec: {spec}
"""
    for kind, name, spec in (
        (
            "VirtualService",
            "echo",
            "{hosts: [echo], http: [{timeout: 14s, route: [{destination: {host: echo}}]}]}",
        ),
        ("VirtualService", "echo", "{hosts: [echo], http: [{route: [{destination: {host: echo}}]}]}"),
        (
            "DestinationRule",
            "echo",
            "{host: echo, trafficPolicy: {loadBalancer: {simple: LEAST_REQUEST}}}",
        ),
        (
            "ServiceEntry",
            "outside",
            "{hosts: [outside.example.com], ports: [{number: 80, name: http, protocol: HTTP}],"
            " resolution: STATIC, endpoints: [{address: 192.0.2.7}]}",
        ),
    )
)


class Answered(msgspec.Struct, frozen=True, kw_only=True):
    """What a change of the configuration came to."""

    change: Change
    began: float
    ended: float
    code: int
    said: str


class Played(msgspec.Struct, frozen=True, kw_only=True):
    """On the clock of `time.monotonic`."""

    windows: tuple[Window, ...]
    answers: tuple[Answered, ...]


class Arena:
    """`hosts` is empty without namespaces, `disks` without disks."""

    def __init__(
        self, control: Mesh, nodes: Mapping[str, Mesh], hosts: Mapping[str, Host], disks: Mapping[str, Path]
    ) -> None:
        self.control = control
        self.nodes = nodes
        self.hosts = hosts
        self.disks = disks
        self.keeper = Keeper()
        self._serve_flags = control.flags

    @property
    def able(self) -> tuple[str, ...]:
        return (*(("networks",) if self.hosts else ()), *(("disks",) if self.disks else ()))

    @property
    def meshes(self) -> tuple[Mesh, ...]:
        return (self.control, *self.nodes.values())

    @property
    def serve(self) -> Program:
        return self.control.parts["serve"]

    def node_of(self, workload: str) -> Mesh:
        return self.nodes[WORKLOADS[workload]]

    def start_workloads(self) -> None:
        for name in WORKLOADS:
            self._place(name)
        self.until_well()

    def keep_all(self) -> None:
        """Hands everything to the keeper."""
        self.keeper.keep("control", lambda: self.serve, self._start_serve)
        for name, mesh in self.nodes.items():
            running = functools.partial(mesh.parts.__getitem__, "node")
            self.keeper.keep(name, running, functools.partial(_start_node, mesh))
        for name in WORKLOADS:
            running = functools.partial(self.node_of(name).workloads.__getitem__, name)
            self.keeper.keep(name, running, functools.partial(self._place, name))

    def _start_serve(self) -> None:
        self.control.parts["serve"] = self.control.background("serve", "serve", *self._serve_flags)

    def _place(self, name: str) -> None:
        if name == CALLER:
            self.node_of(name).run(name, FOREVER, wait=False)
        else:
            self.node_of(name).run(name, app("echo"), "--service=echo", port="8080:auto/http", wait=False)

    def until_well(self) -> None:
        """Everything is there, and every proxy has what the control plane knows."""
        until(self._is_serving, "the control plane serves", WELL_S)
        for mesh in self.nodes.values():
            mesh.until_healthy(*(name for name in WORKLOADS if self.node_of(name) is mesh), timeout_s=90)

    def _is_serving(self) -> bool:
        try:
            return self.control.admin.status().ready
        except (Unreachable, OperationFailed):
            return False

    # Playing a list

    def play(self, drawn: KillList, say: Callable[[str], None]) -> Played:
        """Performs the list in its own time; returns when all is broken, mended and answered. What a fault or a change
        raised is raised after the last."""
        moments: list[tuple[Fault | Change, Callable[[], Window | Answered]]] = [
            *((fault, functools.partial(self.perform, fault)) for fault in drawn.faults),
            *((change, functools.partial(self.change, change)) for change in drawn.changes),
        ]
        began = time.monotonic()
        done: list[Future[Window | Answered]] = []
        with ThreadPoolExecutor(max_workers=32, thread_name_prefix="fault") as pool:
            for moment, work in sorted(moments, key=lambda each: each[0].at):
                pass_time(max(0.0, began + moment.at - time.monotonic()))
                say(str(moment))
                done.append(pool.submit(work))
            pass_time(max(0.0, began + drawn.seconds - time.monotonic()))
        results = [each.result() for each in done]
        return Played(
            windows=tuple(each for each in results if isinstance(each, Window)),
            answers=tuple(each for each in results if isinstance(each, Answered)),
        )

    def perform(self, fault: Fault) -> Window:
        """The fault from its beginning until what it killed is well again, as far as its own node can tell."""
        before = {name: self._processes(name) for name in self._hurt(fault)}
        began = time.monotonic()
        with self._broken(fault):
            pass_time(fault.lasts)
        for name, old in before.items():
            until(functools.partial(self._is_back, name, old, fault), f"{name} is back: {fault}", WELL_S)
        changed = [name for name, old in before.items() if self._processes(name) != old]
        adoption = tuple(changed) if fault.kind == "kill agent" else ()
        return Window(fault=fault, began=began, ended=time.monotonic(), not_adopted=adoption)

    def _hurt(self, fault: Fault) -> tuple[str, ...]:
        """The workloads that have to come back, or to be adopted."""
        if fault.kind == "kill agent":
            return tuple(name for name, node in WORKLOADS.items() if node == fault.target)
        return (fault.target,) if RULES[fault.kind].harms else ()

    def _processes(self, workload: str) -> tuple[int | None, int | None]:
        summary = self.node_of(workload).summary(workload)
        return summary.pid, summary.envoy_pid

    def _is_back(self, workload: str, old: tuple[int | None, int | None], fault: Fault) -> bool:
        try:
            now = self.node_of(workload).summary(workload)
        except (AgentUnreachable, NoSuchWorkload):
            return False
        match fault.kind:
            case "kill app":
                changed = now.pid != old[0]
            case "kill envoy":
                changed = now.envoy_pid != old[1]
            case _:
                changed = True
        well = now.health == "HEALTHY" or workload == CALLER
        return changed and well and now.proxy == "ready" and None not in (now.pid, now.envoy_pid)

    @contextlib.contextmanager
    def _broken(self, fault: Fault) -> Iterator[None]:
        """The fault as long as the block lasts; a killed program is held down for it."""
        longest = fault.lasts + 30
        with contextlib.ExitStack() as stack:
            match fault.kind:
                case "kill control plane":
                    stack.enter_context(self.keeper.holding("control"))
                    _kill(self.serve)
                case "pause control plane":
                    stack.enter_context(paused(self.serve.pid, at_most_s=longest))
                case "part control plane":
                    stack.enter_context(partition(self.hosts["control"].namespace, at_most_s=longest))
                case "part agent":
                    peers = (self.hosts["control"].address,)
                    namespace = self.hosts[fault.target].namespace
                    stack.enter_context(partition(namespace, peers=peers, at_most_s=longest))
                case "fill disk of control plane" | "fill disk of agent":
                    stack.enter_context(full_disk(self.disks[fault.target], at_most_s=longest))
                case "slow disk of control plane" | "slow disk of agent":
                    stack.enter_context(slow_disk(self.disks[fault.target], at_most_s=longest))
                case "kill agent":
                    stack.enter_context(self.keeper.holding(fault.target))
                    _kill(self.nodes[fault.target].parts["node"])
                case "pause agent":
                    pid = self.nodes[fault.target].parts["node"].pid
                    stack.enter_context(paused(pid, at_most_s=longest))
                case "kill envoy" | "pause envoy" | "kill app":
                    app_pid, envoy_pid = self._processes(fault.target)
                    victim = app_pid if fault.kind == "kill app" else envoy_pid
                    assert victim is not None, f"{fault.target} does not run: {fault}"
                    stop = fault.kind == "pause envoy"
                    stack.enter_context(paused(victim, at_most_s=longest) if stop else killed(victim))
                case _:
                    assert_never(fault.kind)
            yield

    # Changes

    def change(self, change: Change) -> Answered:
        began = time.monotonic()
        match change.kind:
            case "apply" | "delete":
                text = OBJECTS[int(change.choice * len(OBJECTS))]
                absent = ("--ignore-not-found",) if change.kind == "delete" else ()
                code, said = self._configure(change.kind, "--filename=-", *absent, stdin=text)
            case "roll back":
                code, said = self._roll_back(change)
            case "join":
                code, said = self._join(change)
            case _:
                assert_never(change.kind)
        return Answered(change=change, began=began, ended=time.monotonic(), code=code, said=said)

    def _configure(self, *words: str, stdin: str | None = None) -> tuple[int, str]:
        done = self.control.proa(*words, stdin=stdin, timeout_s=120)
        return done.returncode, done.stdout + done.stderr

    def _roll_back(self, change: Change) -> tuple[int, str]:
        try:
            version = self.control.admin.status().config_version
        except (Unreachable, OperationFailed) as error:
            return 1, str(error)
        return self._configure("rollback", str(int(change.choice * version)))

    def _join(self, change: Change) -> tuple[int, str]:
        """A workload that comes and goes by SIGTERM, however far it has come."""
        node, name = guest_of(change)
        with contextlib.closing(_Guest(self.nodes[node], name)) as guest:
            pass_time(change.lasts)
            code, said = guest.end()
            return (0 if code in ASKED_TO_END else code), said

    def where(self, host: str, work: Callable[[], T]) -> T:
        """Does the work with the sockets of that host."""
        return self.hosts[host].run(work) if self.hosts else work()

    # Afterwards

    def resources_sent(self) -> float:
        """By the control plane that runs now."""
        return self.where("control", lambda: metric(self.control, "proa_xds_resources_sent_total{"))

    def replace_control_plane(self) -> None:
        """Kills it and waits until the next one, with the same store, has every proxy again."""
        since = time.time()
        with self.keeper.holding("control"):
            _kill(self.serve)
        until(lambda: self._all_new(since), "all proxies have new streams", WELL_S)
        self.until_well()

    def _all_new(self, since: float) -> bool:
        try:
            proxies = self.control.admin.proxies().proxies
        except (Unreachable, OperationFailed):
            return False
        return {each.id.name for each in proxies if each.connected and each.since > since} == set(WORKLOADS)


class _Guest:
    """Kept out of `Mesh.workloads`: nobody keeps it alive, and it ends by itself with its agent."""

    def __init__(self, mesh: Mesh, name: str) -> None:
        argv = app("echo")
        self._program = mesh.background(
            name, "run", "--name", name, "--service=guest", "--port=8080:auto", "--", *argv
        )

    def end(self) -> tuple[int, str]:
        return self._program.stop(signal.SIGTERM, 60), self._program.output[-300:]

    def close(self) -> None:
        self._program.kill()


def guest_of(change: Change) -> tuple[str, str]:
    """Its node and its name: one of three, so that files of guests are few, and of two at a time none has another's."""
    return "a" if change.choice < 0.5 else "b", f"guest-{int(change.at / EVERY_S) % 3}"


def _kill(program: Program) -> None:
    with killed(program.pid):
        program.wait()


def _start_node(mesh: Mesh) -> None:
    mesh.parts["node"] = mesh.background("node", "node", "--metrics=127.0.0.1:0", *mesh.flags)


@contextlib.contextmanager
def arena(say: Callable[[str], None]) -> Iterator[Arena]:
    """Everything up and well, nothing kept yet. Says what this machine cannot do."""
    with contextlib.ExitStack() as stack:
        hosts: Mapping[str, Host] = {}
        if reason := why_no_namespaces():
            say(f"no partitions: {reason}")
        else:
            hosts = stack.enter_context(network("control", "a", "b"))
        disks: dict[str, Path] = {}
        try:
            for name in ("control", "b"):
                disks[name] = stack.enter_context(small_disk(DISK, kind="ext4"))
        except FaultUnavailable as error:
            disks = {}
            say(f"no full or slow disks: {error}")
        ports = stack.enter_context(held_flags())
        control = stack.enter_context(_control(ports, hosts, disks))
        nodes = {name: stack.enter_context(_node(name, control, hosts, disks)) for name in ("a", "b")}
        made = Arena(control, nodes, hosts, disks)
        made.start_workloads()
        yield made


def _control(ports: Sequence[str], hosts: Mapping[str, Host], disks: Mapping[str, Path]) -> Mesh:
    listen = hosts["control"].address if hosts else "127.0.0.1"
    flags = (f"--listen={listen}", f"--leaf-ttl={LEAF_TTL_S}s", *ports)
    inside = hosts["control"].inside if hosts else ()
    return Mesh("serve", *flags, inside=inside, home=_home(disks, "control"))


def _node(name: str, control: Mesh, hosts: Mapping[str, Host], disks: Mapping[str, Path]) -> Mesh:
    address = hosts[name].address if hosts else "127.0.0.1"
    flags = (f"--token={token(control, name)}", f"--address={address}")
    inside: Sequence[str] = hosts[name].inside if hosts else ()
    return Mesh("node", *flags, inside=inside, control=control, home=_home(disks, name))


def _home(disks: Mapping[str, Path], name: str) -> Path | None:
    return disks[name] / "h" if name in disks else None
