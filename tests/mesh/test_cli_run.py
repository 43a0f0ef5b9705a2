"""`proa run`, `exec` and `up` as a newcomer types them, and what is left when they end."""

import json
import os
import signal
import socket
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from tests.mesh.harness import FOREVER, Mesh, app, curl_status, identity, until, why_no_envoy

pytestmark = pytest.mark.mesh


def is_free(port: int) -> bool:
    with closing(socket.socket()) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
        return True


def test_the_readmes_hello(mesh: Mesh) -> None:
    """The very words of `proa --help`."""
    if not is_free(8080):
        pytest.skip("something else listens on port 8080")
    words = ["python3", "-m", "http.server", "8080", "--bind", "127.0.0.1"]
    with mesh.running("hello", words, port="8080"):
        done = mesh.exec("caller", "curl", "-s", "http://hello:8080/")
        assert done.returncode == 0, done
        assert "Directory listing for /" in done.stdout
        line = mesh.logged("hello", direction="inbound", path="/")
        assert (line["peer"], line["method"], line["status"]) == (identity("caller"), "GET", 200)
        told = mesh.proa("proxy", "logs", "hello", "--access")
        assert identity("caller") in told.stdout, told


def test_exec_speaks_as_the_workload_and_ends_as_the_command(mesh: Mesh) -> None:
    done = mesh.exec("caller", "sh", "-c", "echo $PROA_WORKLOAD; echo oops >&2; exit 3")
    assert (done.stdout, done.stderr, done.returncode) == ("default/caller\n", "oops\n", 3)
    nobody = mesh.exec("nobody", "true")
    assert nobody.returncode == 1
    assert "nobody" in nobody.stderr
    assert mesh.exec("caller", "no-such-command").returncode == 127


def test_run_ends_as_its_app_ends(mesh: Mesh) -> None:
    failing = mesh.run("brief", (sys.executable, "-c", "raise SystemExit(7)"), wait=False)
    assert failing.wait() == 7
    missing = mesh.run("brief", ("no-such-program",), wait=False)
    assert missing.wait() == 127
    del mesh.workloads["brief"]
    until(lambda: "brief" not in [each.id.name for each in mesh.node().workloads], "nothing is left of it")


def test_a_name_is_taken_once(mesh: Mesh) -> None:
    again = mesh.background("again", "run", "--name", "echo", "--port", "8080:auto", "--", *FOREVER)
    assert again.wait() == 1
    assert "default/echo" in again.output
    assert curl_status(mesh.curl("caller", "-i", "http://echo:8080/first")) == 200


def test_an_app_gets_its_port_its_identity_and_its_proxy(mesh: Mesh) -> None:
    env = mesh.environment("echo")
    assert int(env["PORT"]) == mesh.summary("echo").ports[0].app_port
    for name in ("HTTP_PROXY", "HTTPS_PROXY"):
        assert env[name] == env[name.lower()] == f"http://127.0.0.1:{mesh.summary('echo').outbound_port}"
    assert "127.0.0.1" in env["NO_PROXY"].split(",")
    mine = json.loads(mesh.proa("certificate", "show", "echo", "-o", "json", check=True).stdout)
    assert identity("echo") in json.dumps(mine)
    assert "echo.default.workload.cluster.local" in json.dumps(mine)


def test_ctrl_c_at_run_drains_and_ends_the_app(mesh: Mesh) -> None:
    run = mesh.run("brief", app("echo"), port="8080:auto")
    pid = mesh.pid("brief")
    assert mesh.stop("brief", signal.SIGINT) in (0, 128 + signal.SIGINT)
    assert not Path(f"/proc/{pid}").exists()
    assert "is draining" in run.output
    assert not mesh.endpoints("brief")


def test_a_killed_run_takes_its_app_and_its_sidecar_with_it(mesh: Mesh) -> None:
    """The connection to the agent is the lease, and the app's life hangs on the one who started it."""
    run = mesh.run("brief", app("echo"), port="8080:auto")
    pids = (mesh.pid("brief"), mesh.summary("brief").envoy_pid)
    run.kill()
    del mesh.workloads["brief"]
    until(lambda: not any(Path(f"/proc/{pid}").exists() for pid in pids), "app and sidecar are gone")
    until(lambda: not mesh.endpoints("brief"), "its endpoint is gone")
    mesh.settle()


def test_a_second_up_in_the_same_home_is_refused(mesh: Mesh) -> None:
    done = mesh.proa("up")
    assert done.returncode == 1
    assert "is running at" in done.stderr


def test_without_a_mesh_every_command_says_what_to_do(tmp_path: Path) -> None:
    if why_no_envoy():
        pytest.skip(why_no_envoy())
    with Mesh("none") as nothing:
        for words in (("run", "--name", "a", "--", "true"), ("exec", "a", "true"), ("proxy", "status")):
            done = nothing.proa(*words)
            assert done.returncode == 1, done
            assert "proa --home" in done.stderr, done
            assert " up" in done.stderr, done


@pytest.fixture(scope="module")
def breakable() -> Iterator[Mesh]:
    if why_no_envoy():
        pytest.skip(why_no_envoy())
    with Mesh() as mesh:
        yield mesh


@pytest.fixture
def own(breakable: Mesh) -> Mesh:
    """A mesh to be broken, with `caller` and `echo`: mended of what the test before did to it."""
    if breakable.parts["up"].code is not None:
        breakable.start("up")
    for name in ("caller", "echo"):
        program = breakable.workloads.get(name)
        if program is None or program.code is not None:
            port = ("8080:auto",) if name == "echo" else ()
            breakable.run(name, app("echo") if port else FOREVER, port=port, wait=False)
    breakable.until_healthy("caller", "echo")
    return breakable


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_nothing_is_left_when_up_ends(own: Mesh, number: signal.Signals) -> None:
    """Workloads still run when it is asked to end; the home stays, it is the mesh's memory."""
    run_dir = own.home.run_dir
    sockets = [path for path in run_dir.iterdir() if path.is_socket()]
    assert len(sockets) >= 4
    assert own.parts["up"].stop(number) == 0
    assert all(program.wait() is not None for program in own.workloads.values())
    until(lambda: not own.left_processes(), f"no process is left: {own.left_processes()}")
    assert not run_dir.exists()
    assert not (own.home.path / "join-token").exists()
    assert own.home.store.exists()


def test_a_killed_up_takes_everything_with_it_and_the_next_waits_for_that(own: Mesh) -> None:
    assert any("envoy" in words for words in own.left_processes().values())
    before = set(own.left_processes())
    own.parts["up"].kill()
    own.start("up")
    until(lambda: not before & set(own.left_processes()), "nothing of the killed one is left")
    for name in list(own.workloads):
        own.workloads.pop(name).wait()
    own.run("caller")


def test_what_is_left_when_all_of_up_is_killed_goes_on_in_the_next(own: Mesh) -> None:
    envoys = {each.id.name: each.envoy_pid for each in own.node().workloads}
    parts = [pid for pid, words in own.left_processes().items() if " serve " in words or " node " in words]
    assert len(parts) == 2
    for pid in (*parts, own.parts["up"].pid):
        os.kill(pid, signal.SIGKILL)
    own.parts["up"].wait()
    own.start("up")
    own.until_healthy("caller", "echo")
    assert {each.id.name: each.envoy_pid for each in own.node().workloads} == envoys
    assert curl_status(own.curl("caller", "-i", "http://echo:8080/")) == 200


def test_a_killed_node_agent_is_started_again_and_takes_its_workloads_over(own: Mesh) -> None:
    envoys = {each.id.name: each.envoy_pid for each in own.node().workloads}

    def claimed(name: str) -> int:
        return own.workloads[name].output.count(f"has taken default/{name} over")

    before = {name: claimed(name) for name in ("caller", "echo")}
    (pid,) = [pid for pid, words in own.left_processes().items() if " node " in words and "proa.cli" in words]
    os.kill(pid, signal.SIGKILL)
    own.parts["up"].until_printed("the node agent was killed")
    for name, count in before.items():
        until(lambda name=name, count=count: claimed(name) > count, f"the next agent has {name}")  # type: ignore[misc]
    own.until_healthy("caller", "echo")
    assert {each.id.name: each.envoy_pid for each in own.node().workloads} == envoys


def test_a_mesh_starts_again_where_it_ended(own: Mesh) -> None:
    """Same root, same configuration; the workloads' certificates are still good."""
    root = own.home.ca_dir
    before = {path.name: path.read_bytes() for path in root.iterdir() if "root" in path.name}
    own.apply(TEAPOT)
    own.parts["up"].stop()
    for name in list(own.workloads):
        own.workloads.pop(name).wait()
    own.start("up")
    own.run("caller", wait=False)
    own.run("echo", app("echo"), port="8080:auto", wait=False)
    own.until_healthy("caller", "echo")
    assert curl_status(own.curl("caller", "-i", "http://echo:8080/")) == 418
    own.delete(TEAPOT)
    assert {path.name: path.read_bytes() for path in root.iterdir() if "root" in path.name} == before
    assert before


TEAPOT = """
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: echo}
spec:
  hosts: [echo]
  http: [{directResponse: {status: 418}}]
"""
