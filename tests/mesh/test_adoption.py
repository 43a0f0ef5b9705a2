"""A node agent dies and another one comes: sidecars, programs and their clients go on.

One mesh for the file, its control plane and its agent programs of their own, so that the agent alone can be killed.
"""

import json
import os
import shutil
import signal
import threading
import urllib.request
from collections.abc import Iterator
from typing import Final

import pytest

from proa.core.sidecar.record import decode_record
from proa.node.envoy_processes import envoys_of
from proa.node.record_store import FILE
from proa.testing.faults import killed
from tests.mesh.harness import FOREVER, Mesh, app, curl_status, until, why_no_envoy
from tests.mesh.load import ECHO, load_during
from tests.mesh.outages import door, metric

pytestmark = pytest.mark.mesh

TEAPOT: Final = """
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: echo}
spec:
  hosts: [echo]
  http:
  - match: [{uri: {prefix: /teapot}}]
    fault: {abort: {percentage: {value: 100}, httpStatus: 418}}
    route: [{destination: {host: echo}}]
  - route: [{destination: {host: echo}}]
"""
NAMES: Final = ("caller", "echo")
AWAY_S: Final = 3.0


@pytest.fixture(scope="module")
def control() -> Iterator[Mesh]:
    if reason := why_no_envoy():
        pytest.skip(reason)
    if shutil.which("curl") is None:
        pytest.skip("needs the command curl")
    with Mesh("serve") as mesh:
        yield mesh


@pytest.fixture(scope="module")
def host(control: Mesh) -> Iterator[Mesh]:
    token = control.proa("token", "create", "--node", "here", "--allow=*/*/*", check=True).stdout.strip()
    with Mesh("node", f"--token={token}", control=control) as node:
        node.run("caller", FOREVER, wait=False)
        node.run("echo", app("echo"), port="8080:auto", wait=False)
        node.until_healthy(*NAMES)
        yield node


def envoy_pids(node: Mesh) -> dict[str, int | None]:
    return {each.id.name: each.envoy_pid for each in node.node().workloads}


def kill_agent(node: Mesh) -> None:
    program = node.parts["node"]
    with killed(program.pid):
        program.wait()


def admin_page(node: Mesh, name: str, path: str) -> str:
    socket = node.home.workload_socket(f"default/{name}", "admin")
    return node.output_of(("curl", "-sS", "--unix-socket", str(socket), f"http://envoy{path}"))


def updates_taken(node: Mesh, name: str) -> dict[str, int]:
    """Per statistic: how many xDS updates the workload's Envoy has taken since it began."""
    lines = admin_page(node, name, "/stats?filter=update_success").splitlines()
    return {key: int(number) for key, _, number in (line.rpartition(": ") for line in lines)}


def owners_are_back(node: Mesh) -> bool:
    """The agent has heard from both owners again: their words are answered on the new connection."""
    return all("has taken default/" in node.workloads[name].output for name in NAMES)


def test_a_killed_agent_is_replaced_and_nobody_notices(control: Mesh, host: Mesh) -> None:
    envoys = envoy_pids(host)
    assert all(envoys.values())
    until(
        lambda: all((host.home.workload_dir(f"default/{name}") / "table").exists() for name in NAMES),
        "tables",
    )
    sent = metric(control, "proa_xds_resources_sent_total{")
    taken = {name: updates_taken(host, name) for name in NAMES}
    states: set[str] = set()

    def fault() -> None:
        kill_agent(host)
        threading.Event().wait(AWAY_S)
        host.parts["node"] = host.background("node", "node", "--metrics=127.0.0.1:0")

        def back() -> bool:
            states.add(control.health("echo"))
            return owners_are_back(host)

        until(back, "owners are back")
        host.until_healthy(*NAMES)
        states.add(control.health("echo"))

    result = load_during(host, fault, around_s=2)
    assert not result.failures, result.summary()
    assert result.sent > 50 * AWAY_S
    assert envoy_pids(host) == envoys, "every Envoy is the one it was"
    assert {each.restarts for each in host.node().workloads} == {0}
    assert states == {"HEALTHY"}, "the endpoint was well throughout"
    assert metric(control, "proa_xds_resources_sent_total{") == sent, "nothing changed, so nothing is sent"
    assert {name: updates_taken(host, name) for name in NAMES} == taken, "nor is it by the agent"
    assert curl_status(host.curl("caller", "-i", f"{ECHO}/teapot")) == 200
    with control.applied(TEAPOT):
        assert curl_status(host.curl("caller", "-i", f"{ECHO}/teapot")) == 418, (
            "adopted Envoys hear of changes"
        )


def test_the_app_of_an_adopted_sidecar_ends_it(host: Mesh) -> None:
    host.run("brief", app("echo"), port="8081:auto")
    kill_agent(host)
    start_agent(host)
    until(lambda: "has taken default/brief" in host.workloads["brief"].output, "its owner is back")
    mine = host.summary("brief")
    assert mine.pid is not None
    os.kill(mine.pid, signal.SIGTERM)
    host.workloads.pop("brief").wait()
    until(lambda: mine.envoy_pid not in envoys_of(host.home), "its sidecar has ended")
    until(lambda: not host.endpoints("brief"), "its endpoint is gone")
    assert not (host.home.workload_dir("default/brief") / FILE).exists()


def start_agent(node: Mesh) -> None:
    node.start("node")
    node.until_healthy(*NAMES)


def test_gateways_and_programs_without_a_sidecar_are_taken_over_too(control: Mesh, host: Mesh) -> None:
    with control.applied(door(18474)):
        host.gateway()
        host.run("plain", FOREVER, "--proxyless", wait=False).until_printed("is in the mesh")
        port = host.gateway_port(18474)
        until(lambda: is_answered(port), "the gateway serves")
        before = host.summary("ingressgateway")
        kill_agent(host)
        assert is_answered(port)
        start_agent(host)
        for name in ("plain", "ingressgateway"):
            host.workloads[name].until_printed("a node agent is there again")
        now = host.summary("ingressgateway")
        assert (now.envoy_pid, now.restarts, now.proxy) == (before.envoy_pid, 0, "ready")
        assert host.gateway_port(18474) == port
        assert is_answered(port)
        files = host.home.workload_dir("default/plain")
        until(
            lambda: (files / "grpc-xds.json").exists() and (files / "key.pem").exists(), "its files are there"
        )
        for name in ("plain", "ingressgateway"):
            assert host.stop(name) in (0, 128 + signal.SIGTERM)


def is_answered(port: int) -> bool:
    request = urllib.request.Request(f"http://127.0.0.1:{port}/", headers={"host": "door.example.com"})
    try:
        with urllib.request.urlopen(request, timeout=20) as answer:
            return bool(answer.status == 200)
    except OSError:
        return False


def test_what_nobody_owns_any_more_is_taken_away(host: Mesh) -> None:
    """An owner that ends while there is no agent, one that is killed then, and an Envoy without a record."""
    for name in ("left", "ended", "lost"):
        host.run(name, FOREVER, wait=False)
    host.until_healthy("left", "ended", "lost")
    envoys = envoy_pids(host)
    kill_agent(host)
    host.workloads.pop("left").kill()
    assert host.workloads.pop("ended").stop() == 128 + signal.SIGTERM
    assert envoys["ended"] not in envoys_of(host.home), "its owner ended it, for there is no agent to do it"
    host.workloads.pop("lost").kill()
    (host.home.workload_dir("default/lost") / FILE).unlink()
    start_agent(host)
    assert envoys["lost"] not in envoys_of(host.home), "an Envoy of this home without a record"
    until(lambda: set(host.node().workloads) and envoys["left"] not in envoys_of(host.home), "it is drained")
    until(lambda: {each.id.name for each in host.node().workloads} == set(NAMES), "both are gone")


def test_an_envoy_that_died_meanwhile_is_started_again(host: Mesh) -> None:
    envoys = envoy_pids(host)
    kill_agent(host)
    victim = envoys["echo"]
    assert victim is not None
    with killed(victim):
        pass
    start_agent(host)
    now = envoy_pids(host)
    assert now["echo"] not in (None, victim)
    assert now["caller"] == envoys["caller"]
    assert curl_status(host.curl("caller", "-i", f"{ECHO}/there")) == 200


def test_a_record_whose_pid_is_somebody_elses_is_not_believed(host: Mesh) -> None:
    path = host.home.workload_dir("default/echo") / FILE
    kill_agent(host)
    record = decode_record(path.read_bytes())
    assert record.envoy is not None
    victim = record.envoy.process.pid
    with killed(victim):
        pass
    started = json.loads(path.read_bytes())
    started["record"]["envoy"]["process"]["pid"] = os.getpid()
    path.write_text(json.dumps(started))
    start_agent(host)
    assert envoy_pids(host)["echo"] not in (victim, os.getpid())


def test_a_second_agent_of_one_home_is_refused(host: Mesh) -> None:
    done = host.proa("node", "--metrics=")
    assert done.returncode == 1
    assert f"another node agent serves {host.home.path} already (pid {host.parts['node'].pid})" in done.stderr


def test_an_envoy_that_stands_still_is_noticed_and_replaced(control: Mesh, host: Mesh) -> None:
    victim = envoy_pids(host)["echo"]
    assert victim is not None
    os.kill(victim, signal.SIGSTOP)  # for good: nobody wakes it again
    until(lambda: control.health("echo") == "UNHEALTHY", "its endpoint is taken out of use", 40)
    until(lambda: envoy_pids(host)["echo"] not in (None, victim), "it is replaced", 40)
    host.until_healthy(*NAMES)
    assert curl_status(host.curl("caller", "-i", f"{ECHO}/there")) == 200
    assert "does not answer any more" in host.parts["node"].output


def test_a_control_plane_that_ends_in_order_fails_no_request(control: Mesh, host: Mesh) -> None:
    """The last test of the file: nobody starts it again."""

    def fault() -> None:
        assert control.parts["serve"].stop() == 0
        until(lambda: not host.node().connected, "the agent knows")

    result = load_during(host, fault, around_s=2)
    assert not result.failures, result.summary()
    assert {each.proxy for each in host.node().workloads} == {"ready"}
