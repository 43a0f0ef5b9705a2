"""An Envoy is replaced by another one, and nobody notices: by command, by an agent that wants another bootstrap, and
when agents and heirs are killed in the middle of it.

One mesh for the file, its agent a program of its own, so that it can be killed and started with other words. The tests
build on one another: each leaves sidecars of a higher epoch.
"""

import os
import shutil
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

from proa.core.sidecar.record import HeirMark, Record, decode_record
from proa.home import Home
from proa.node.client import AgentUnreachable
from proa.node.envoy_admin import listener_of
from proa.node.envoy_processes import envoys_of
from proa.node.options import NodeOptions
from proa.node.record_store import FILE
from proa.node.run import find_envoy
from proa.node.shared_memory import FOLDER
from tests.mesh.harness import FOREVER, Mesh, app, curl_status, until, why_no_envoy
from tests.mesh.load import ECHO, load_during
from tests.mesh.test_adoption import kill_agent

pytestmark = pytest.mark.mesh

NAMES: Final = ("caller", "echo")
WRAPPER: Final = """#!/bin/sh
# An Envoy that does as the test says by files beside it.
folder=$(dirname "$0")
case " $* " in
*" --hot-restart-version "*) [ ! -e "$folder/other-version" ] || exec echo 11.9999 ;;
*" --restart-epoch "*)
    while [ -e "$folder/wait" ]; do sleep 0.1; done
    if [ -e "$folder/deaf" ]; then  # it hears of no listener, for its agent is not where it looks for it
        sed 's/[.]xds/.nowhere/' bootstrap.json > "$folder/bootstrap.json"
        shift 2  # --config-path, which comes first
        exec "{envoy}" --config-path "$folder/bootstrap.json" "$@"
    fi ;;
esac
exec "{envoy}" "$@"
"""


class Wrapper:
    def __init__(self, folder: Path) -> None:
        self.path = folder / "envoy"
        self._folder = folder
        self.path.write_text(WRAPPER.format(envoy=find_envoy(NodeOptions(home=Home(folder)))))
        self.path.chmod(0o755)

    def does(self, *words: str) -> None:
        for each in ("wait", "deaf", "other-version"):
            (self._folder / each).unlink(missing_ok=True)
        for each in words:
            (self._folder / each).touch()


@pytest.fixture(scope="module")
def host() -> Iterator[Mesh]:
    if reason := why_no_envoy():
        pytest.skip(reason)
    if shutil.which("curl") is None:
        pytest.skip("needs the command curl")
    with Mesh("serve") as control:
        token = control.proa("token", "create", "--node", "here", "--allow=*/*/*", check=True).stdout.strip()
        with Mesh("node", f"--token={token}", "--drain=2s", control=control) as node:
            node.run("caller", FOREVER, wait=False)
            node.run("echo", app("echo"), port="8080:auto", wait=False)
            node.until_healthy(*NAMES)
            yield node


@pytest.fixture(scope="module")
def wrapper(tmp_path_factory: pytest.TempPathFactory) -> Wrapper:
    return Wrapper(tmp_path_factory.mktemp("wrapper"))


def record(node: Mesh, name: str) -> Record:
    return decode_record((node.home.workload_dir(f"default/{name}") / FILE).read_bytes())


def shared_memory(node: Mesh, name: str) -> Path:
    mark = record(node, name).envoy
    assert mark is not None
    return FOLDER / f"envoy_shared_memory_{mark.base_id}0"


def is_well(node: Mesh, epoch: int) -> bool:
    """Each sidecar is of that epoch, and there is no other Envoy."""
    try:
        found = node.node().workloads
    except AgentUnreachable:
        return False
    is_new = {(each.epoch, each.proxy) for each in found} == {(epoch, "ready")}
    return is_new and {each.envoy_pid for each in found} == set(envoys_of(node.home))


def start_agent(node: Mesh, *flags: str) -> None:
    before = {name: node.workloads[name].output.count("a node agent is there again") for name in NAMES}
    node.parts["node"] = node.background("node", "node", "--metrics=127.0.0.1:0", "--drain=2s", *flags)

    def back() -> bool:
        texts = ((name, node.workloads[name].output) for name in NAMES)
        return all(text.count("a node agent is there again") > before[name] for name, text in texts)

    until(back, "owners are back")


def heirs(node: Mesh) -> tuple[HeirMark, ...]:
    """Those whose process is on record."""
    found = (record(node, name).heir for name in NAMES)
    return tuple(heir for heir in found if heir is not None and heir.process is not None)


def test_a_command_replaces_an_envoy_under_load(host: Mesh) -> None:
    before = host.summary("echo")
    memory = shared_memory(host, "echo")
    told: list[str] = []

    def fault() -> None:
        told.extend(host.proa("proxy", "restart", name, check=True).stdout for name in NAMES)
        until(lambda: is_well(host, 1), "the Envoys before have ended")

    result = load_during(host, fault, around_s=2)
    assert not result.failures, result.summary()
    now = host.summary("echo")
    assert now.envoy_pid != before.envoy_pid
    assert now.restarts == 0
    assert f"default/echo has a new Envoy (pid {now.envoy_pid}, epoch 1)" in told[1]
    assert shared_memory(host, "echo") == memory
    assert memory.exists(), "an heir of its own can still find it"


def test_an_agent_that_wants_another_bootstrap_replaces_what_it_adopts(host: Mesh) -> None:
    def fault() -> None:
        kill_agent(host)
        start_agent(host, "--locality=here/there")
        until(lambda: is_well(host, 2), "both were replaced", 60)

    result = load_during(host, fault, around_s=2)
    assert not result.failures, result.summary()
    host.until_healthy(*NAMES)
    (endpoint,) = host.endpoints("echo")
    assert str(endpoint.locality) in ("here/there", "here/there/")


def test_an_agent_killed_in_the_middle_leaves_two_and_the_next_one_ends_with_one(
    host: Mesh, wrapper: Wrapper
) -> None:
    """Once while the heirs live on, once while they are killed too."""

    def fault() -> None:
        wrapper.does("wait")
        kill_agent(host)
        start_agent(host, f"--envoy={wrapper.path}")
        until(lambda: len(heirs(host)) == 2, "both heirs have started")
        kill_agent(host)
        for heir in heirs(host)[:1]:
            assert heir.process is not None
            os.kill(heir.process.pid, signal.SIGKILL)
        until(lambda: len(envoys_of(host.home)) == 3, "one heir of two lives")
        start_agent(host, f"--envoy={wrapper.path}")
        wrapper.does()
        until(lambda: is_well(host, 3), "both were replaced", 60)

    result = load_during(host, fault, around_s=2)
    assert not result.failures, result.summary()
    assert {each.restarts for each in host.node().workloads} == {0}


def test_an_heir_that_fails_leaves_the_envoy_before_it_at_work(host: Mesh, wrapper: Wrapper) -> None:
    """It dies when it has closed the other one's admin interface, and then the agent dies, and another heir."""
    before = host.summary("echo").envoy_pid
    admin = host.home.workload_socket("default/echo", "admin")

    def kill_heir() -> int:
        (heir,) = heirs(host)
        assert heir.process is not None
        os.kill(heir.process.pid, signal.SIGKILL)
        return heir.process.pid

    def fault() -> None:
        wrapper.does("deaf")
        restart = host.background("restart", "proxy", "restart", "echo")
        until(lambda: listener_of(admin) not in (0, before), "the heir has the admin interface")
        wrapper.does("wait")
        dead = kill_heir()
        assert restart.wait() == 1
        assert "the one before goes on, and it is tried again" in restart.output
        assert host.summary("echo").envoy_pid == before
        assert "a hot restart has failed" in host.summary("echo").remark
        until(
            lambda: [each for each in heirs(host) if each.process is not None and each.process.pid != dead],
            "another is tried",
        )
        kill_agent(host)
        kill_heir()
        wrapper.does()
        start_agent(host, f"--envoy={wrapper.path}")
        until(lambda: host.summary("echo").epoch == 4, "one succeeds", 60)

    result = load_during(host, fault, around_s=2)
    assert not result.failures, result.summary()
    until(lambda: host.summary("echo").proxy == "ready", "the one before has ended")
    assert host.summary("echo").restarts == 0


def test_where_the_versions_differ_it_is_drained_and_started_cold(host: Mesh, wrapper: Wrapper) -> None:
    memory = shared_memory(host, "echo")
    wrapper.does("other-version")
    told = host.proa("proxy", "restart", "echo", check=True).stdout
    assert "has hot restart version 11." in told
    assert "the one to be started 11.9999" in told
    assert host.summary("echo").epoch == 0
    assert "restarted with a drain, not hot" in host.summary("echo").remark
    assert not memory.exists()
    host.until_healthy(*NAMES)
    until(lambda: curl_status(host.curl("caller", "-i", f"{ECHO}/there")) == 200, "it serves")


def test_nothing_is_left_in_shared_memory(host: Mesh) -> None:
    memories = [shared_memory(host, name) for name in NAMES]
    for name in NAMES:
        host.stop(name)
    assert not any(each.exists() for each in memories)
