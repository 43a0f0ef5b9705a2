"""`proa node drain`: requests go elsewhere, open ones end, nothing new comes; and the way back. And what an app waits
for before it starts."""

import subprocess
from collections.abc import Iterator
from typing import Final

import pytest

from proa.testing.faults import paused
from tests.mesh.harness import FOREVER, Mesh, app, curl_status, until, why_no_envoy
from tests.mesh.load import ECHO, load_during

pytestmark = pytest.mark.mesh


@pytest.fixture(scope="module")
def host() -> Iterator[Mesh]:
    if reason := why_no_envoy():
        pytest.skip(reason)
    with Mesh() as mesh:
        mesh.run("caller", FOREVER, wait=False)
        for name in ("echo-1", "echo-2"):
            mesh.run(name, app("echo"), "--service=echo", port="8080:auto", wait=False)
        mesh.until_healthy("caller", "echo-1", "echo-2")
        yield mesh


def test_a_workload_is_drained_and_brought_back_under_load(host: Mesh) -> None:
    before = host.summary("echo-1").envoy_pid

    def there_and_back() -> None:
        done = host.proa("node", "drain", "echo-1", check=True)
        assert done.stdout == "default/echo-1 is drained\n"
        assert host.health("echo-1") == "DRAINING"
        assert host.summary("echo-1").proxy == "drained"
        done = host.proa("node", "undrain", "echo-1", check=True)
        assert done.stdout == "default/echo-1 takes requests again\n"
        host.until_healthy("caller", "echo-1", "echo-2")

    result = load_during(host, there_and_back, around_s=1)
    assert not result.failures, result.summary()
    now = host.summary("echo-1")
    assert (now.proxy, now.restarts) == ("ready", 0)
    assert now.envoy_pid not in (None, before), (
        "a drained Envoy tells its peers to leave for ever: there is a new one"
    )


def test_a_request_that_is_open_is_waited_for(host: Mesh) -> None:
    with host.running("slow", app("echo"), port="8090:auto"):
        words = ("exec", "caller", "--", "curl", "-sS", "-o", "/dev/null", "-w", "%{http_code}")
        asking = subprocess.Popen(
            host.command(*words, "http://slow:8090/slow?s=6"),
            stdout=subprocess.PIPE,
            text=True,
            env=dict(host.env),
        )

        def has_arrived() -> bool:
            assert asking.poll() is None, asking.communicate()
            return open_requests(host, "slow") > 0

        until(has_arrived, "the request has arrived")
        done = host.proa("node", "drain", "slow", "--deadline=60s", check=True)
        assert done.stdout == "default/slow is drained\n"
        assert asking.communicate(timeout=60)[0] == "200"


def open_requests(host: Mesh, name: str) -> int:
    socket = host.home.workload_socket(f"default/{name}", "admin")
    page = host.output_of(
        ("curl", "-sS", "--unix-socket", str(socket), "http://envoy/stats?filter=downstream_rq_active")
    )
    return sum(
        int(line.rpartition(": ")[2]) for line in page.splitlines() if not line.startswith("http.admin")
    )


def test_a_drained_node_takes_no_workloads_until_it_is_let(host: Mesh) -> None:
    done = host.proa("node", "drain", check=True)
    names = ("caller", "echo-1", "echo-2")
    assert sorted(done.stdout.splitlines()) == [
        *(f"default/{name} is drained" for name in names),
        "node local is drained and takes no workloads",
    ]
    assert {each.health for each in host.endpoints("echo")} == {"DRAINING"}
    refused = host.run("late", FOREVER, wait=False)
    assert refused.wait() == 1
    del host.workloads["late"]
    assert (
        "this node is drained and takes no workloads; `proa node undrain` lets them in again"
        in refused.output
    )
    done = host.proa("node", "undrain", check=True)
    assert done.stdout.splitlines()[-1] == "this node takes workloads"
    host.until_healthy(*names)
    assert curl_status(host.curl("caller", "-i", f"{ECHO}/there")) == 200
    with host.running("late"):
        pass


def test_nobody_is_drained_by_a_wrong_name(host: Mesh) -> None:
    done = host.proa("node", "drain", "nobody")
    assert done.returncode == 1
    assert "no workload nobody on this node" in done.stderr


PRINTS: Final = ("python3", "-c", "import signal; print('the program runs', flush=True); signal.pause()")


def test_an_app_waits_for_its_sidecar_unless_told_not_to(host: Mesh) -> None:
    """The control plane stands still, so that no sidecar gets a certificate."""
    with paused(host.admin.status().pid):
        waiting = host.run("patient", PRINTS, wait=False)
        hasty = host.run("hasty", PRINTS, "--no-wait", wait=False)
        hasty.until_printed("the program runs")
        waiting.until_printed("still waiting")
        assert "the program runs" not in waiting.output
    waiting.until_printed("the program runs")
    assert waiting.output.index("is in the mesh") < waiting.output.index("the program runs")
    host.until_healthy("hasty", "patient")
    for name in ("hasty", "patient"):
        host.stop(name)


def test_a_job_that_ends_ends_its_sidecar(host: Mesh) -> None:
    job = host.run("job", ("true",), wait=False)
    assert job.wait() == 0
    del host.workloads["job"]
    assert "job" not in {each.id.name for each in host.node().workloads}
    assert not any("default_job" in words for words in host.left_processes().values())
