"""A mesh of real programs for tests: `proa up` (or its parts), `proa run`, `proa exec` as child processes.

    with Mesh() as mesh:
        mesh.run("hello", app("echo"), port="8080:auto")
        mesh.run("caller")
        assert mesh.exec("caller", "curl", "-s", "http://hello:8080/").returncode == 0

Everything a mesh starts carries a mark in its environment, also Envoys and apps, so that leaving the block can
prove that nothing is left, whoever lost it. It waits on conditions, each with a deadline; it decides no verdicts.
"""

import asyncio
import contextlib
import functools
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Final, Literal
from urllib.parse import quote

from click.testing import CliRunner
from prometheus_client.parser import text_string_to_metric_families
from prometheus_client.samples import Sample

from proa.cli.main import cli
from proa.core.model.endpoint import Endpoint
from proa.core.model.names import ObjectRef, WorkloadId
from proa.core.sidecar.local import Workloads, WorkloadSummary
from proa.home import Home
from proa.node.client import AgentUnreachable, NoSuchWorkload, list_workloads, workload_environment
from proa.servers.admin.client import AdminClient, Unreachable
from proa.servers.admin.operations import ObjectQuery, OperationFailed
from tests.mesh.programs import FOREVER, WAIT_S, Program, app, until, why_no_envoy

__all__ = [
    "FOREVER",
    "Completed",
    "Mesh",
    "Program",
    "app",
    "curl_status",
    "identity",
    "until",
    "why_no_envoy",
]

Part = Literal["up", "serve", "node", "none"]
Completed = subprocess.CompletedProcess[str]

MARK: Final = "PROA_TEST_MESH"
# What `proa up` prints when it is ready.
MESH_IS_UP: Final = "The mesh is up"

# `_proa_here` takes this process's standard output.
_ONE_COMMAND: Final = threading.Lock()
_PROXY_WORDS: Final = ("http_proxy", "https_proxy", "all_proxy", "no_proxy", "proa_home", "proa_join_token")


class Mesh:
    """One home and what runs in it. `part` is what entering starts: `up` (control plane and agent), `serve` or
    `node` alone, or nothing.

    `flags` are those of the part. `inside` is a command in front of every child (`ip netns exec NAME`). For a
    `node`, `control` is the mesh of its control plane: its `admin` is that one's. `home` is a directory of the
    caller's, on a disk of its choice, instead of one below /tmp.
    """

    def __init__(
        self,
        part: Part = "up",
        *flags: str,
        inside: Sequence[str] = (),
        control: "Mesh | None" = None,
        env: Mapping[str, str] | None = None,
        home: Path | None = None,
    ) -> None:
        self._part = part
        self.flags = flags
        self._inside = tuple(inside)
        self._control = control
        self._top = Path(tempfile.mkdtemp(prefix="pm-", dir="/tmp"))
        self.home = Home(home or self._top / "h")
        kept = {key: value for key, value in os.environ.items() if key.lower() not in _PROXY_WORDS}
        self.env: Mapping[str, str] = {**kept, "PYTHONUNBUFFERED": "1", **(env or {}), MARK: str(self._top)}
        self.workloads: dict[str, Program] = {}
        self.parts: dict[str, Program] = {}

    def __repr__(self) -> str:
        return f"Mesh({self._part!r}, home={str(self.home.path)!r})"

    def __enter__(self) -> "Mesh":
        try:
            if self._part != "none":
                self.start(self._part, *self.flags)
        except BaseException:
            print(self.logs())
            self._end_by_force()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is not None:
            print(self.logs())
        try:
            self.end()
        except AssertionError as unclean:
            if error is None:
                print(self.logs())
                raise
            print(unclean)
        finally:
            self._end_by_force()

    def end(self) -> None:
        """Ends programs in order, workloads first, and proves that nothing of the mesh is left."""
        for program in [*self.workloads.values(), *reversed(self.parts.values())]:
            program.send(signal.SIGTERM)
            if program in self.parts.values():
                program.wait()
        for program in self.workloads.values():
            program.wait()
        until(lambda: not self.left_processes(), f"no process left: {self.left_processes()}")

    def _end_by_force(self) -> None:
        for pid in self.left_processes():
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        for program in [*self.workloads.values(), *self.parts.values()]:
            program.kill()
        shutil.rmtree(self.home.run_dir, ignore_errors=True)
        shutil.rmtree(self._top, ignore_errors=True)

    def left_processes(self) -> dict[int, str]:
        """Every living process that this mesh started, directly or not: pid and command line."""
        mark = f"{MARK}={self._top}".encode()
        found = {}
        for entry in Path("/proc").iterdir():
            if not entry.name.isdigit():
                continue
            with contextlib.suppress(OSError):
                # A zombie has no environment: it is gone, only not yet reaped.
                if mark in (entry / "environ").read_bytes().split(b"\0"):
                    words = (entry / "cmdline").read_bytes().replace(b"\0", b" ")
                    found[int(entry.name)] = words.decode(errors="replace")[:200]
        return found

    def logs(self, tail: int = 40) -> str:
        """The ends of all logs: of our own children, of the parts, of Envoys and apps."""
        files = sorted({*self._top.glob("*.log"), *self.home.logs.glob("*.log")})
        told = [f"---- {self!r}"]
        for file in files:
            lines = file.read_text(errors="replace").splitlines()
            if lines:
                told += [f"---- {file.name} ({len(lines)} lines)", *lines[-tail:]]
        return "\n".join(told)

    # The command line

    def command(self, *words: str) -> tuple[str, ...]:
        return (*self._inside, sys.executable, "-m", "proa.cli", "--home", str(self.home.path), *words)

    def proa(
        self, *words: str, stdin: str | None = None, timeout_s: float = 120, check: bool = False
    ) -> Completed:
        """A command that ends by itself, and what it said. `check` makes another exit code than 0 a failure."""
        done = subprocess.run(
            self.command(*words),
            input=stdin,
            stdin=subprocess.DEVNULL if stdin is None else None,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=timeout_s,
            env=dict(self.env),
            check=False,
        )
        assert not check or done.returncode == 0, f"proa {' '.join(words)}: {done.stdout}{done.stderr}"
        return done

    def _proa_here(self, *words: str) -> Completed:
        """`proa WORDS`, which must succeed, in this process: the same code from its arguments to its exit code. A
        program of its own would be most of a second's computing before it asks the control plane, and is what `proa`
        is for."""
        with _ONE_COMMAND:
            done = CliRunner().invoke(cli, ["--home", str(self.home.path), *words], prog_name="proa")
        if done.exception is not None and not isinstance(done.exception, SystemExit):
            raise done.exception
        assert done.exit_code == 0, f"proa {' '.join(words)}: {done.stdout}{done.stderr}"
        return Completed(words, done.exit_code, done.stdout, done.stderr)

    def output_of(self, argv: Sequence[str]) -> str:
        """What a program of the test prints, run with the mesh's environment. Fails when it fails."""
        done = subprocess.run(
            argv, capture_output=True, text=True, timeout=60, env=dict(self.env), check=False
        )
        assert done.returncode == 0, done
        return done.stdout

    def background(self, name: str, *words: str) -> Program:
        """A command that goes on; its output is in `<name>.log`."""
        return Program(name, self.command(*words), self._top / f"{name}.log", self.env)

    def start(self, part: Part, *flags: str) -> Program:
        """Starts `up`, `serve` or `node` and waits until it is ready."""
        ports = ("--xds-port=0", "--join-port=0", "--metrics-port=0") if part == "serve" else ()
        metrics = ("--metrics=127.0.0.1:0",) if part == "node" else ()
        program = self.parts[part] = self.background(part, part, *ports, *metrics, *flags)

        def ready() -> bool:
            assert program.code is None, f"proa {part} ended:\n{program.output}"
            # By its own word: what an earlier `up` has left still answers while it ends.
            if part == "up" and MESH_IS_UP not in program.output:
                return False
            return (part == "node" or self._is_serving()) and (part == "serve" or self._is_joined())

        until(ready, f"proa {part} is ready", 120)
        return program

    def _is_serving(self) -> bool:
        try:
            return self.admin.status().ready
        except (Unreachable, OperationFailed):
            return False

    def _is_joined(self) -> bool:
        try:
            return self.node().connected
        except AgentUnreachable:
            return False

    def run(
        self,
        name: str,
        argv: Sequence[str] = FOREVER,
        *options: str,
        port: str | Sequence[str] = (),
        namespace: str = "default",
        wait: bool = True,
    ) -> Program:
        """`proa run --name NAME --port PORT... OPTIONS -- ARGV`. With `wait`, returns when it is healthy and every
        proxy knows it. It is `mesh.workloads[name]` until `stop`."""
        ports = [port] if isinstance(port, str) else port
        words = [*(f"--port={each}" for each in ports), f"--namespace={namespace}", *options, "--", *argv]
        self.workloads[name] = program = self.background(name, "run", "--name", name, *words)
        if wait:
            self.until_healthy(name)
        return program

    def gateway(self, *options: str, name: str = "ingressgateway", wait: bool = True) -> Program:
        """`proa gateway`. Its ports: `gateway_port`."""
        self.workloads[name] = program = self.background(name, "gateway", "--name", name, *options)
        if wait:
            self.until_healthy(name)
        return program

    def gateway_port(self, server_port: int, name: str = "ingressgateway") -> int:
        """The port that a gateway really serves for a Gateway's server; waits for it."""

        def bound() -> int:
            for proxy in self.admin.proxies().proxies:
                for each in proxy.gateway_ports:
                    if proxy.id.name == name and each.port == server_port:
                        return each.bound_port
            return 0

        return until(bound, f"gateway {name} serves port {server_port}")

    def stop(self, name: str, number: signal.Signals = signal.SIGTERM) -> int:
        """Ends a workload; its exit code. Returns when all proxies have forgotten it."""
        code = self.workloads[name].stop(number)
        del self.workloads[name]
        self.settle()
        return code

    def stop_all(self, *names: str) -> None:
        """Ends workloads together; returns when all proxies have forgotten them."""
        for name in names:
            self.workloads[name].send(signal.SIGTERM)
        for name in names:
            self.workloads.pop(name).wait()
        self.settle()

    @contextlib.contextmanager
    def running(
        self,
        name: str,
        argv: Sequence[str] = FOREVER,
        *options: str,
        port: str | Sequence[str] = (),
        namespace: str = "default",
    ) -> Iterator[Program]:
        """`run` for the time of a block: how a test leaves a shared mesh as it found it."""
        try:
            yield self.run(name, argv, *options, port=port, namespace=namespace)
        finally:
            if name in self.workloads:
                self.stop(name)

    def exec(self, workload: str, *argv: str, timeout_s: float = 60) -> Completed:
        """`proa exec WORKLOAD -- ARGV`."""
        return self.proa("exec", workload, "--", *argv, timeout_s=timeout_s)

    def curl(self, workload: str, *words: str) -> Completed:
        """`curl -sS --max-time 20 ...` in the workload's environment, as `proa exec` gives it."""
        return subprocess.run(
            (*self._inside, "curl", "-sS", "--max-time", "20", *words),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=60,
            env={**self.env, **self.environment(workload)},
            check=False,
        )

    def apply(self, *texts: str | Path, wait: bool = True, check: bool = True) -> Completed:
        """`proa apply [--wait]` of files, or of texts, which become files `1.yaml`, `2.yaml`, ... first. Without
        `check` it is a program, whose exit code is for the test to see."""
        words = [
            "apply",
            *(["--wait"] if wait else []),
            *(f"--filename={each}" for each in self._files(texts)),
        ]
        return self._proa_here(*words) if check else self.proa(*words)

    def delete(self, *texts: str | Path) -> Completed:
        """`proa delete -f` of what `apply` took, and the wait until it is out of force."""
        return self._proa_here("delete", *(f"--filename={each}" for each in self._files(texts)), "--wait")

    @contextlib.contextmanager
    def applied(self, *texts: str | Path) -> Iterator[None]:
        """In force for the time of a block."""
        self.apply(*texts)
        try:
            yield
        finally:
            self.delete(*texts)

    def _files(self, texts: Sequence[str | Path]) -> list[Path]:
        files = []
        for number, text in enumerate(texts, start=1):
            file = text if isinstance(text, Path) else self._top / f"{number}.yaml"
            if isinstance(text, str):
                file.write_text(text)
            files.append(file)
        return files

    # What it knows

    @functools.cached_property
    def admin(self) -> AdminClient:
        return self._control.admin if self._control else AdminClient(self.home.admin_socket)

    def node(self) -> Workloads:
        """What the node agent runs. Raises AgentUnreachable."""
        return asyncio.run(list_workloads(self.home))

    def summary(self, workload: str) -> WorkloadSummary:
        """One line of `node`: pids, ports, certificate. Raises NoSuchWorkload, AgentUnreachable."""
        for each in self.node().workloads:
            if workload in (each.id.name, str(each.id)):
                return each
        raise NoSuchWorkload(f"no workload {workload} among {self.node().workloads}")

    def environment(self, workload: str) -> Mapping[str, str]:
        """What `proa exec` adds to the environment. Raises NoSuchWorkload, AgentUnreachable."""
        return asyncio.run(workload_environment(self.home, workload)).env

    def proxy(self, workload: str) -> str:
        """The workload's capture listener, `http://127.0.0.1:PORT`."""
        return self.environment(workload)["HTTP_PROXY"]

    def endpoints(self, service: str = "") -> list[Endpoint]:
        """All endpoints that the control plane knows, of one short service name or of all."""
        return [
            endpoint
            for status in self.admin.services().services
            if not service or status.service.hostname.split(".")[0] == service
            for endpoint in status.endpoints
        ]

    def health(self, workload: str) -> str:
        """As the control plane sees it: the state of its first port, empty without one."""
        return next((each.health for each in self.endpoints() if _is(each.workload, workload)), "")

    def inbound(self, workload: str, service_port: int) -> tuple[str, int]:
        """Where the sidecar of a workload takes a service's port."""
        for each in self.endpoints():
            if _is(each.workload, workload) and each.service_port == service_port:
                return each.address, each.port
        raise AssertionError(f"{workload} serves no port {service_port}: {self.endpoints()}")

    def pid(self, workload: str) -> int:
        """Of the app, not of the `proa run` that holds it."""
        pid = self.summary(workload).pid
        assert pid is not None, f"the app of {workload} does not run"
        return pid

    def until_healthy(self, *names: str, timeout_s: float = WAIT_S) -> None:
        """Each of the workloads is in the mesh and healthy at all its ports, and every proxy knows that."""
        for name in names:
            until(functools.partial(self._is_well, name), f"{name} is healthy", timeout_s)
        self.settle()

    def _is_well(self, name: str) -> bool:
        program = self.workloads.get(name)
        assert program is None or program.code is None, f"{name} ended:\n{program.output if program else ''}"
        try:
            mine = self.summary(name)
        except (AgentUnreachable, NoSuchWorkload):
            return False
        if mine.proxy != "ready" or (mine.kind == "sidecar" and mine.pid is None):
            return False
        connected = {proxy.id for proxy in self.admin.proxies().proxies if proxy.connected}
        ports = [each for each in self.endpoints() if each.workload == str(mine.id)]
        well = all(each.health == "HEALTHY" for each in ports)
        return mine.id in connected and len(ports) >= len(mine.ports) and well

    def settle(self, version: int | None = None, timeout_s: float = WAIT_S) -> None:
        """No connected proxy works by anything older than what the control plane knows now: a version of the
        configuration, and endpoints too."""
        version = self.admin.status().config_version if version is None else version
        statuses = list(self.admin.wait(version, timeout_s))
        assert statuses, f"no word about version {version}"
        assert statuses[-1].done, f"proxies are behind: {statuses[-1]}"
        until(self._has_told_all, "every proxy has what the control plane knows", timeout_s)

    def _has_told_all(self) -> bool:
        """Programs that speak xDS themselves ask when they like; of proxies of other control planes this one knows
        less."""
        mine = (each for each in self.admin.proxies().proxies if each.connected and each.since)
        return all(each.is_full for each in mine if each.kind in ("sidecar", "gateway"))

    def stats(self, workload: str, pattern: str, namespace: str = "default") -> dict[str, int]:
        """Counters and gauges of a sidecar whose names contain the pattern (a regex)."""
        socket = self.home.workload_socket(str(WorkloadId(namespace, workload)), "admin")
        page = f"http://envoy/stats?filter={quote(pattern)}&type=Counters"
        argv = ("curl", "-sS", "--max-time", "10", "--unix-socket", str(socket))
        lines = "".join(
            self.output_of((*argv, page.replace("Counters", kind))) for kind in ("Counters", "Gauges")
        ).splitlines()
        return {name: int(value) for name, _, value in (line.rpartition(": ") for line in lines) if name}

    def metrics(self, query: str = "") -> list[Sample]:
        """What a scraper of the node agent gets, as Prometheus' own parser reads it."""
        address = json.loads((self.home.path / "node.json").read_text())["metrics"]
        with urllib.request.urlopen(f"http://{address}/metrics?{query}", timeout=30) as answer:
            text = answer.read().decode()
        return [each for family in text_string_to_metric_families(text) for each in family.samples]

    def metric(self, name: str, **labels: str) -> float:
        """The sum of all series of that name which have these labels."""
        return sum(
            each.value
            for each in self.metrics()
            if each.name == name and labels.items() <= each.labels.items()
        )

    def access_log(self, workload: str, namespace: str = "default") -> list[dict[str, object]]:
        """The lines of the sidecar's access log so far; `direction` tells inbound from outbound."""
        file = self.home.workload_log(str(WorkloadId(namespace, workload)), "access")
        text = file.read_text(errors="replace") if file.exists() else ""
        return [json.loads(line) for line in text.splitlines() if line.startswith("{") and line.endswith("}")]

    def logged(self, workload: str, namespace: str = "default", **wanted: object) -> dict[str, object]:
        """The newest line of the access log that has these fields; waits for one."""

        def found() -> dict[str, object]:
            lines = reversed(self.access_log(workload, namespace))
            return next((line for line in lines if wanted.items() <= line.items()), {})

        return until(found, f"the access log of {workload} has {wanted}")

    def objects(self) -> set[ObjectRef]:
        """What is in force."""
        return {each.ref for each in self.admin.objects(ObjectQuery()).objects}


def identity(account: str, namespace: str = "default", trust_domain: str = "cluster.local") -> str:
    """The SPIFFE id of an account."""
    return f"spiffe://{trust_domain}/ns/{namespace}/sa/{account}"


def curl_status(done: Completed) -> int:
    """The status of `curl -i`'s (last) answer; 0 without one."""
    codes = [line.split()[1] for line in done.stdout.splitlines() if line.startswith("HTTP/")]
    return int(codes[-1]) if codes else 0


def _is(full: str, wanted: str) -> bool:
    return full == wanted or full.rpartition("/")[2] == wanted
