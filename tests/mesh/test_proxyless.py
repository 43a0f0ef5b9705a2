"""gRPC's own xDS client in a program without a sidecar, against STRICT sidecars and a real control plane."""

import os
import signal
import stat
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

from tests.mesh.harness import Mesh, Program, app, identity, until, why_no_envoy
from tests.mesh.outages import held_flags

pytestmark = [pytest.mark.mesh, pytest.mark.skipif(bool(why_no_envoy()), reason=why_no_envoy())]

V1, V2 = "hello proa from v1", "hello proa from v2"
SUBSETS = """
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: {name: greeter}
spec:
  host: greeter
  subsets: [{name: v1, labels: {version: v1}}, {name: v2, labels: {version: v2}}]
"""


def split(v1: int, v2: int) -> str:
    return f"""
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {{name: greeter}}
spec:
  hosts: [greeter]
  http:
  - route:
    - {{destination: {{host: greeter, subset: v1}}, weight: {v1}}}
    - {{destination: {{host: greeter, subset: v2}}, weight: {v2}}}
"""


def answers(caller: Program, number: int) -> Counter[str]:
    """The next so many lines that it prints."""
    start = caller.output.count("\n")

    def come() -> bool:
        assert caller.code is None, caller.output
        return caller.output.count("\n") >= start + number

    until(come, f"{number} more answers")
    return Counter(caller.output.splitlines()[start : start + number])


def is_shared(got: Counter[str]) -> bool:
    return got.keys() == {V1, V2} and abs(got[V1] - got[V2]) <= 10


def until_only(caller: Program, greeter: str) -> None:
    """A call that was under way when a change was taken may still print its answer after it. Of two who take turns none
    gives fifty answers in a row."""
    until(lambda: set(answers(caller, 50)) == {greeter}, f"all calls go to {greeter}")


@pytest.fixture(scope="module")
def meshes() -> Iterator[tuple[Mesh, Mesh]]:
    """A control plane that can be started again at its ports, and a node with two greeters and a client."""
    with held_flags() as flags, Mesh("serve", *flags) as control:
        token = control.proa("token", "create", "--node", "here", check=True).stdout.strip()
        with Mesh("node", f"--token={token}", control=control) as node:
            for version in ("v1", "v2"):
                words = ("--service", "greeter", "--label", f"version={version}")
                greeter = app("greeter", "serve", version)
                node.run(f"greeter-{version}", greeter, *words, port="50051:auto/grpc")
            node.run("caller", app("proxyless", "xds:///greeter:50051"), "--proxyless")
            yield control, node


def test_it_balances_over_strict_sidecars_with_the_agents_certificate(meshes: tuple[Mesh, Mesh]) -> None:
    _, node = meshes
    until(lambda: is_shared(answers(node.workloads["caller"], 100)), "both take their turns")
    for version in ("v1", "v2"):
        line = node.logged(f"greeter-{version}", direction="inbound", path="/proa.test.Greeter/Hello")
        assert (line["peer"], line["protocol"]) == (identity("caller"), "HTTP/2")


def test_it_has_no_sidecar_and_files_of_its_own(meshes: tuple[Mesh, Mesh]) -> None:
    _, node = meshes
    environment = node.environment("caller")
    assert not [name for name in environment if "proxy" in name.lower()], environment
    assert node.summary("caller").envoy_pid is None
    bootstrap = Path(environment["GRPC_XDS_BOOTSTRAP"])
    for name in (bootstrap.name, "key.pem", "chain.pem", "roots.pem"):
        assert stat.S_IMODE((bootstrap.parent / name).stat().st_mode) == 0o600


def test_it_follows_a_split(meshes: tuple[Mesh, Mesh]) -> None:
    control, node = meshes
    control.apply(SUBSETS, split(90, 10))
    got = answers(node.workloads["caller"], 200)
    assert got.keys() <= {V1, V2}, got
    assert 150 <= got[V1] < 200, got
    control.apply(split(0, 100))
    until_only(node.workloads["caller"], V2)
    control.delete(SUBSETS, split(0, 100))
    until(lambda: is_shared(answers(node.workloads["caller"], 100)), "both take their turns again")


V2_FIRST = """
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: {name: greeter}
spec:
  host: greeter
  trafficPolicy:
    outlierDetection: {}
    loadBalancer: {localityLbSetting: {failoverPriority: [version=v2]}}
"""


def test_it_takes_those_whom_a_rule_puts_first(meshes: tuple[Mesh, Mesh]) -> None:
    control, node = meshes
    control.apply(V2_FIRST)
    until_only(node.workloads["caller"], V2)
    control.delete(V2_FIRST)
    until(lambda: is_shared(answers(node.workloads["caller"], 100)), "both take their turns again")


def test_it_goes_on_without_the_control_plane_and_follows_the_next_one(meshes: tuple[Mesh, Mesh]) -> None:
    control, node = meshes
    caller = node.workloads["caller"]
    control.parts["serve"].stop(signal.SIGKILL)
    assert answers(caller, 100).keys() == {V1, V2}
    control.start("serve", *control.flags)
    node.until_healthy("caller", "greeter-v1", "greeter-v2")
    control.apply(SUBSETS, split(100, 0))
    until_only(caller, V1)
    control.delete(SUBSETS, split(100, 0))
    until(lambda: is_shared(answers(caller, 100)), "both take their turns again")
    said = {line for line in caller.output.splitlines() if not line.startswith("proa: ")}
    assert said == {V1, V2}, "no call failed in all this time"


USERS: Final = 31
"""Odd, so that a round of turns over two greeters gives a user the other one each time."""


def greeters_of_users(caller: Program) -> dict[str, set[str]]:
    """Who answered each user in the next three calls."""
    found: dict[str, set[str]] = {}
    for line in answers(caller, 3 * USERS):
        user, _, said = line.partition(" ")
        found.setdefault(user, set()).add(said)
    return found


def is_kept(found: dict[str, set[str]]) -> bool:
    """Whether each user has a greeter, and not all the same."""
    kept = all(len(greeters) == 1 for greeters in found.values())
    return kept and set().union(*found.values()) == {V1, V2}


@pytest.fixture(scope="module")
def users(meshes: tuple[Mesh, Mesh]) -> Program:
    _, node = meshes
    return node.run("users", app("proxyless", "xds:///greeter:50051", str(USERS)), "--proxyless")


RING = """
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: {name: greeter}
spec:
  host: greeter
  trafficPolicy:
    loadBalancer: {consistentHash: {httpHeaderName: x-user}}
    connectionPool: {tcp: {maxConnections: 50}}
"""


def test_a_header_chooses_the_endpoint(meshes: tuple[Mesh, Mesh], users: Program) -> None:
    control, _ = meshes
    assert not is_kept(greeters_of_users(users))
    told = control.apply(RING)
    assert "proxyless clients" in told.stdout + told.stderr
    assert "connectionPool.tcp.maxConnections" in told.stdout + told.stderr
    until(lambda: is_kept(greeters_of_users(users)), "each user has a greeter")
    control.apply(RING.replace("httpHeaderName: x-user", "useSourceIp: true"))
    until(lambda: len(set().union(*greeters_of_users(users).values())) == 1, "the channel has one greeter")
    control.delete(RING)
    until(lambda: not is_kept(greeters_of_users(users)), "all take turns again")


SESSIONS = """
apiVersion: gateway.networking.k8s.io/v1
kind: GRPCRoute
metadata: {name: greeter}
spec:
  parentRefs: [{group: "", kind: Service, name: greeter}]
  rules:
  - sessionPersistence: {sessionName: seat}
    backendRefs: [{name: greeter, port: 50051}]
"""


def test_a_cookie_brings_a_user_back(meshes: tuple[Mesh, Mesh], users: Program) -> None:
    control, _ = meshes
    with control.applied(SESSIONS):
        until(lambda: is_kept(greeters_of_users(users)), "each user has a greeter")
    until(lambda: not is_kept(greeters_of_users(users)), "all take turns again")


EJECTION = """
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: {name: greeter}
spec:
  host: greeter
  trafficPolicy:
    outlierDetection: {consecutive5xxErrors: 3, interval: 1s, baseEjectionTime: 1s, maxEjectionPercent: 50}
"""


def test_an_endpoint_that_fails_is_passed_over_and_comes_back(meshes: tuple[Mesh, Mesh]) -> None:
    control, node = meshes
    caller = node.workloads["caller"]
    with control.applied(EJECTION):
        os.kill(node.pid("greeter-v1"), signal.SIGUSR1)
        until(lambda: any("INTERNAL" in line for line in answers(caller, 10)), "it fails")
        # Of two that take turns one cannot miss thirty.
        until(lambda: set(answers(caller, 30)) == {V2}, "it is passed over")
        os.kill(node.pid("greeter-v1"), signal.SIGUSR2)
        until(lambda: answers(caller, 20).keys() == {V1, V2}, "it is asked again")
