"""Who gets in by plaintext, and who keeps mTLS, under each PeerAuthentication; and that a change loses nothing.

One mesh for the file: `caller` calls `web` (a declared HTTP port), `echo` (a port whose first bytes tell) and
`lines` (one program behind a TCP port and one whose first bytes tell).
"""

import asyncio
import socket
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

import msgspec
import pytest

from proa.core.model.names import WorkloadId
from proa.demo.intruder import REFUSED, knock
from proa.testing.load import LoadPlan, LoadResult, Shot, offer_load
from tests.mesh.harness import FOREVER, Mesh, app, identity, until, why_no_envoy
from tests.mesh.hops import HOST, corners, hops_scene, try_cells
from tests.ports import held_ports

pytestmark = pytest.mark.mesh

CALLER: Final = identity("caller")
HTTP: Final = ("web", "echo")
TCP_PORT, ANY_PORT = 7000, 7001
STEPS: Final = ("PERMISSIVE", "STRICT", "DISABLE", "STRICT", "PERMISSIVE", "DISABLE", "PERMISSIVE", "STRICT")


@pytest.fixture(scope="module")
def mesh() -> Iterator[Mesh]:
    if reason := why_no_envoy():
        pytest.skip(reason)
    with held_ports(3) as (free, *local), Mesh() as mesh:
        ports = (f"{TCP_PORT}:{free}/tcp", f"{ANY_PORT}:{free}")
        mesh.run("web", app("echo"), "--label=tier=front", port="8080:auto/http", wait=False)
        mesh.run("echo", app("echo"), port="8080:auto", wait=False)
        mesh.run("lines", app("lines", str(free)), port=ports, wait=False)
        pinned = zip((TCP_PORT, ANY_PORT), local, strict=True)
        upstreams = [f"--upstream=lines:{port}@{number}" for port, number in pinned]
        mesh.run("caller", FOREVER, *upstreams, wait=False)
        mesh.until_healthy("web", "echo", "lines", "caller")
        yield mesh


def policy(mode: str, *, namespace: str = "istio-system", more: str = "") -> str:
    return f"""
apiVersion: security.istio.io/v1
kind: PeerAuthentication
metadata: {{name: default, namespace: {namespace}}}
spec:
  mtls: {{mode: {mode}}}
{more}"""


# What a client without a mesh gets


def plain_http(mesh: Mesh, workload: str) -> bool:
    """Whether a plain HTTP client is answered. It must be refused in the proper way otherwise."""
    address = mesh.inbound(workload, 8080)
    outcome = asyncio.run(knock(address, WorkloadId("default", workload), 8080, None, "/plain"))
    assert outcome == REFUSED or outcome.startswith("answered b'HTTP/1.1 200"), outcome
    return outcome != REFUSED


def plain_line(mesh: Mesh, port: int) -> bool:
    with socket.create_connection(mesh.inbound("lines", port), timeout=30) as connection:
        connection.sendall(b"who is there\n")
        try:
            return connection.recv(100) == b"WHO IS THERE\n"
        except ConnectionError:
            return False


def let_in(mesh: Mesh) -> set[str]:
    """Which of the four ports take plaintext."""
    found = {name for name in HTTP if plain_http(mesh, name)}
    return found | {f"lines:{port}" for port in (TCP_PORT, ANY_PORT) if plain_line(mesh, port)}


ALL: Final = {"web", "echo", f"lines:{TCP_PORT}", f"lines:{ANY_PORT}"}


# What mesh clients get


class LineTry(msgspec.Struct, frozen=True):
    port: int
    at: float
    failure: str = ""


async def line_load(addresses: dict[int, tuple[str, int]], stop: asyncio.Event) -> list[LineTry]:
    """A new connection and one line to each address, ten times a second, open loop."""
    tries: list[LineTry] = []

    async def once(port: int) -> None:
        at = time.monotonic()
        try:
            async with asyncio.timeout(30):
                reader, writer = await asyncio.open_connection(*addresses[port])
                try:
                    writer.write(b"line\n")
                    answer = await reader.readline()
                finally:
                    writer.close()
                    await writer.wait_closed()
        except (OSError, TimeoutError) as error:
            tries.append(LineTry(port, at, repr(error)))
        else:
            tries.append(LineTry(port, at, "" if answer == b"LINE\n" else f"answer {answer!r}"))

    async with asyncio.TaskGroup() as group:
        while not stop.is_set():
            for port in addresses:
                group.create_task(once(port))
            await asyncio.sleep(0.1)
    return tries


def plan(mesh: Mesh, seconds: float = 120) -> LoadPlan:
    """The acceptance load, over both HTTP services."""
    get, post = (
        [Shot(url=f"http://{name}:8080/load", method=method, body=body) for name in HTTP]
        for method, body in (("GET", b""), ("POST", b"x" * 500))
    )
    return LoadPlan(
        shots=(*get, *get, *post[:1], *get, *get, *post[1:]), seconds=seconds, proxy=mesh.proxy("caller")
    )


def under_load(mesh: Mesh, work: Callable[[], None]) -> tuple[LoadResult, list[LineTry]]:
    environment = mesh.environment("caller")
    lines = {
        port: _address(value)
        for key, value in environment.items()
        for port in (TCP_PORT, ANY_PORT)
        if key.startswith("PROA_UPSTREAM_LINES") and str(port) in key
    }
    assert set(lines) == {TCP_PORT, ANY_PORT}, environment

    load = plan(mesh)

    async def both() -> tuple[LoadResult, list[LineTry]]:
        stop = asyncio.Event()
        async with asyncio.TaskGroup() as group:
            http = group.create_task(offer_load(load, stop=stop))
            tcp = group.create_task(line_load(lines, stop))
            try:
                await asyncio.to_thread(work)
            finally:
                stop.set()
        return http.result(), tcp.result()

    return asyncio.run(both())


def _address(text: str) -> tuple[str, int]:
    host, _, port = text.rpartition(":")
    return host, int(port)


def newest_peer(mesh: Mesh, workload: str, path: str) -> object:
    assert mesh.curl("caller", f"http://{workload}:8080{path}").returncode == 0
    return mesh.logged(workload, direction="inbound", path=path).get("peer")


def test_changes_of_mode_lose_nothing_and_are_in_force_when_the_wait_ends(mesh: Mesh) -> None:
    expected = {"STRICT": set[str](), "PERMISSIVE": ALL, "DISABLE": ALL}
    assert let_in(mesh) == set(), "STRICT is the default"
    took: list[str] = []

    def change() -> None:
        for number, mode in enumerate(STEPS):
            began = time.monotonic()
            mesh.apply(policy(mode))
            took.append(f"{mode} {time.monotonic() - began:.2f} s")
            assert let_in(mesh) == expected[mode], f"step {number}: {mode}"
            for name in HTTP:
                peer = newest_peer(mesh, name, f"/step{number}")
                assert peer == (None if mode == "DISABLE" else CALLER), (number, mode, name)

    http, tcp = under_load(mesh, change)
    print(http.summary(), f"{len(tcp)} lines;", *took)
    mesh.delete(policy("STRICT"))
    assert not http.failures, http.summary()
    assert not [each for each in tcp if each.failure]


OF_2018: Final = f"""
apiVersion: authentication.istio.io/v1alpha1
kind: MeshPolicy
metadata: {{name: default}}
spec: {{peers: [{{mtls: {{mode: PERMISSIVE}}}}]}}
---
apiVersion: authentication.istio.io/v1alpha1
kind: Policy
metadata: {{name: default, namespace: default}}
spec: {{peers: [{{mtls: {{}}}}]}}
---
apiVersion: authentication.istio.io/v1alpha1
kind: Policy
metadata: {{name: some, namespace: default}}
spec:
  targets: [{{name: web}}, {{name: lines, ports: [{{number: {ANY_PORT}}}]}}]
  peers: [{{mtls: {{}}}}]
  peerIsOptional: true
"""

LEVELS: Final = {
    "mesh": (policy("PERMISSIVE"), ALL),
    "namespace": (policy("PERMISSIVE", namespace="default"), ALL),
    "namespace before mesh": (
        policy("PERMISSIVE") + "---" + policy("STRICT", namespace="default"),
        set[str](),
    ),
    "workload": (
        policy("PERMISSIVE", namespace="default", more="  selector: {matchLabels: {tier: front}}"),
        {"web"},
    ),
    "port": (
        policy(
            "STRICT",
            namespace="default",
            more=f"""
  selector: {{matchLabels: {{app: lines}}}}
  portLevelMtls: {{{ANY_PORT}: {{mode: PERMISSIVE}}}}""",
        ),
        {f"lines:{ANY_PORT}"},
    ),
    "policies of 2018": (OF_2018, {"web", f"lines:{ANY_PORT}"}),
    "another namespace": (policy("PERMISSIVE", namespace="elsewhere"), set[str]()),
}


@pytest.mark.parametrize("level", LEVELS)
def test_permissive_lets_in_whom_it_means_and_mesh_clients_keep_mtls(mesh: Mesh, level: str) -> None:
    text, expected = LEVELS[level]
    with mesh.applied(text):
        assert let_in(mesh) == expected
        for name in HTTP:
            assert newest_peer(mesh, name, f"/{name}/{level.replace(' ', '-')}") == CALLER
    assert let_in(mesh) == set()


def test_disable_at_one_port_moves_its_clients_alone(mesh: Mesh) -> None:
    text = policy("DISABLE", namespace="default", more="  selector: {matchLabels: {tier: front}}")
    with mesh.applied(text):
        assert newest_peer(mesh, "web", "/disabled") is None
        assert newest_peer(mesh, "echo", "/not-disabled") == CALLER
    assert newest_peer(mesh, "web", "/again") == CALLER


def test_rules_of_clients_and_policies_of_servers_do_what_was_decided(mesh: Mesh, tmp_path: Path) -> None:
    """A few cells of the matrix of tests/mesh/hops.py, for every kind of client, and those in which a user contradicts
    himself; all of them under `scripts/test endurance -k hops`."""
    with hops_scene(mesh, tmp_path) as hops:
        found = try_cells(hops, corners(hops))
        told = mesh.proa("authn", "check", "-", f"{HOST}:8080")
    assert (told.returncode, "no certificate of the mesh" in told.stdout) == (1, True)
    assert {"mutual TLS", "plaintext", "program's TLS", "certificate untrusted", "nobody ends it"} <= {*found}


@pytest.mark.parametrize("mode", ["PERMISSIVE", "DISABLE"])
@pytest.mark.parametrize("port", [TCP_PORT, ANY_PORT])
def test_a_plaintext_client_may_speak_late_and_little(mesh: Mesh, mode: str, port: int) -> None:
    """As clients of a server that speaks first do: no byte, or too few to tell TLS by, is no reason to hang up."""
    address = mesh.inbound("lines", port)
    with mesh.applied(policy(mode)), socket.create_connection(address, timeout=30) as connection:
        connection.sendall(b"a\n")
        assert connection.recv(10) == b"A\n"


def test_a_kept_plaintext_connection_ends_soon_after_the_port_became_strict(mesh: Mesh) -> None:
    """What was let in before is told to go with the next answer, or cut off when the drain is over."""
    with mesh.applied(policy("PERMISSIVE")):
        connection = socket.create_connection(mesh.inbound("lines", TCP_PORT), timeout=30)
        connection.sendall(b"in\n")
        assert connection.recv(10) == b"IN\n"
    with connection:
        until(lambda: _is_closed(connection), "the connection is cut off")


def _is_closed(connection: socket.socket) -> bool:
    connection.settimeout(0.2)
    try:
        return connection.recv(10) == b""
    except TimeoutError:
        return False
    except ConnectionError:
        return True
