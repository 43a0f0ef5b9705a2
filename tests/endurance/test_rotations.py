"""The acceptance form of `tests/mesh/test_rotation.py`: two minutes of leafs that live ten seconds, intermediate and
root replaced, the agent killed, its successor adopting the sidecars, and their Envoys hot-restarted meanwhile."""

import os
import signal

import pytest

from proa.core.auth.roots import root_digests
from proa.node.client import AgentUnreachable
from tests.mesh.harness import Mesh, until, why_no_envoy
from tests.mesh.rotations import chains_to, rotate_under_load, rotating_mesh, shows_chain_to

pytestmark = [
    pytest.mark.endurance,
    pytest.mark.timeout(600),
    pytest.mark.skipif(bool(why_no_envoy()), reason=why_no_envoy()),
]

SECONDS = 120.0


def kill_agent(mesh: Mesh) -> None:
    """`proa up` starts another, which adopts what runs."""
    before = mesh.summary("echo").envoy_pid
    (agent,) = (pid for pid, words in mesh.left_processes().items() if " node --token-file" in words)
    os.kill(agent, signal.SIGKILL)
    until(lambda: agent not in mesh.left_processes() and is_back(mesh), "the next agent is there", 60)
    assert mesh.summary("echo").envoy_pid == before
    mesh.until_healthy("caller", "echo")


def replace_envoys(mesh: Mesh) -> None:
    for name in ("caller", "echo"):
        before = mesh.summary(name)
        mesh.proa("proxy", "restart", name, check=True, timeout_s=120)
        now = mesh.summary(name)
        assert (now.epoch, now.restarts) == (before.epoch + 1, before.restarts)
        assert now.envoy_pid != before.envoy_pid
    until(lambda: {each.proxy for each in mesh.node().workloads} == {"ready"}, "those before have ended", 60)


def is_back(mesh: Mesh) -> bool:
    try:
        return mesh.node().connected
    except AgentUnreachable:
        return False


def rotate_again(mesh: Mesh) -> None:
    mesh.proa("certificate", "rotate", "root", "--wait", "--timeout=60s", check=True, timeout_s=90)


def test_two_minutes_of_rotations_lose_no_request() -> None:
    with rotating_mesh() as mesh:
        told = rotate_under_load(
            mesh, seconds=SECONDS, meanwhile=(replace_envoys, kill_agent, replace_envoys, rotate_again)
        )
        print(told.load.summary(), f"{len(told.serials)} leafs")
        assert told.load.sent >= 50 * SECONDS * 0.9
        assert not told.load.failures, told.load.summary()
        assert len(told.serials) >= SECONDS / 10
        assert set(root_digests(told.old)).isdisjoint(root_digests(told.new))
        assert chains_to(mesh, told.new)
        assert shows_chain_to(mesh, told.new)
        assert not shows_chain_to(mesh, told.old)
