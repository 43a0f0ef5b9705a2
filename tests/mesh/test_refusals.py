"""Who is refused, by whom, and that nobody behind the refusal saw anything.

Each refusal has its counterpart that is let in, so that a mesh in which nothing works does not pass.
"""

import asyncio
import json
import os
import ssl
import stat
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import grpc
import pytest
from envoy.service.discovery.v3.discovery_pb2 import DeltaDiscoveryRequest
from immutables import Map
from msgspec.structs import replace

from proa.core.auth.spiffe import workload_id
from proa.core.model.names import WorkloadId
from proa.core.pilot.resource import ResourceType
from proa.core.sidecar.session import (
    NodeState,
    RegisteredPort,
    Registration,
    SessionState,
    decode,
    encode,
)
from proa.demo.intruder import REFUSED, knock, make_intruders
from proa.node.byte_stream import ByteStream
from proa.node.credentials import Credential, NewKey, load_credential
from proa.node.join import JoinRefused, join
from proa.node.run import CREDENTIAL
from proa.node.session import SESSION
from proa.node.uplink import SignRefused, Uplink
from proa.runtime.cell import Cell
from tests.mesh.harness import Mesh, app, curl_status, identity

pytestmark = pytest.mark.mesh

DELTA = "/envoy.service.discovery.v3.AggregatedDiscoveryService/DeltaAggregatedResources"
ECHO = WorkloadId("default", "echo")
INTRUDERS = ("plain HTTP", "TLS without certificate", "another mesh", "forged identity")


@pytest.mark.parametrize("intruder", INTRUDERS)
def test_an_intruder_at_an_inbound_port_is_hung_up_on(mesh: Mesh, intruder: str) -> None:
    context = make_intruders(WorkloadId("default", "caller"), "caller")[intruder]
    path = f"/intruder/{intruder.replace(' ', '-')}"
    answer = asyncio.run(knock(mesh.inbound("echo", 8080), ECHO, 8080, context, path))
    assert answer == REFUSED
    assert curl_status(mesh.curl("caller", "-i", f"http://echo:8080{path}/friend")) == 200
    seen = mesh.workloads["echo"].output
    assert f"seen GET {path}/friend\n" in seen, "requests that arrive are printed"
    assert f"seen GET {path}\n" not in seen


def test_a_nodes_certificate_opens_no_workload(mesh: Mesh, tmp_path: Path) -> None:
    """It speaks for its node to the control plane; to workloads it is nobody."""
    own = load_credential(mesh.home.node_dir / CREDENTIAL)
    friend = load_credential(mesh.home.workload_dir("default/caller") / CREDENTIAL)
    assert own is not None
    assert friend is not None

    def answer(credential: Credential, path: str) -> str:
        file = tmp_path / "pair.pem"
        file.write_text(credential.key_pem + credential.chain_pem)
        context = ssl.create_default_context()
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        context.set_alpn_protocols(["istio-http/1.1"])
        context.load_cert_chain(file)
        return asyncio.run(knock(mesh.inbound("echo", 8080), ECHO, 8080, context, path))

    assert answer(own, "/as-node") == REFUSED
    assert answer(friend, "/as-caller") != REFUSED
    seen = mesh.workloads["echo"].output
    assert "seen GET /as-caller" in seen
    assert "/as-node" not in seen


BANK = """
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: {{name: bank}}
spec:
  hosts: [bank.example]
  location: MESH_INTERNAL
  resolution: STATIC
  ports: [{{number: 80, name: http, protocol: HTTP}}]
  {where}
"""
INLINE = """endpoints:
  - {{address: {address}, ports: {{http: {port}}}, serviceAccount: {account},
     labels: {{security.istio.io/tlsMode: istio}}}}
"""
ENTRY = """workloadSelector: {{labels: {{app: bank}}}}
---
apiVersion: networking.istio.io/v1
kind: WorkloadEntry
metadata: {{name: bank-1}}
spec: {{address: {address}, ports: {{http: {port}}}, serviceAccount: {account},
        labels: {{app: bank, security.istio.io/tlsMode: istio}}}}
"""


@pytest.mark.parametrize("where", [INLINE, ENTRY], ids=["endpoint", "workload-entry"])
def test_a_server_that_does_not_own_the_service_is_refused_by_the_client(mesh: Mesh, where: str) -> None:
    """`echo` stands where `bank` is said to be. Only the account expected differs between the two calls."""
    address, port = mesh.inbound("echo", 8080)

    def bank(account: str) -> str:
        return BANK.format(where=where.format(address=address, port=port, account=account))

    with mesh.applied(bank("echo")):
        assert curl_status(mesh.curl("caller", "-i", "http://bank.example/owned")) == 200
    with mesh.applied(bank("bank")):
        assert curl_status(mesh.curl("caller", "-i", "http://bank.example/posed")) == 503
        line = mesh.logged("caller", direction="outbound", path="/posed")
        assert "CERTIFICATE_VERIFY_FAILED" in str(line["upstream_failure"]), line
    assert "/posed" not in mesh.workloads["echo"].output


def test_labels_make_no_workload_the_server_of_a_service(mesh: Mesh) -> None:
    """What a selector of an operator picks by labels must still show an account the operator named."""
    posed = BANK.format(where="workloadSelector: {labels: {app: bank}}")
    with mesh.running("thief", app("echo"), "-l", "app=bank", port="80:auto"), mesh.applied(posed):
        assert curl_status(mesh.curl("caller", "-i", "http://bank.example/worn")) == 503
        assert curl_status(mesh.curl("caller", "-i", "http://thief/own-name")) == 200
        seen = mesh.workloads["thief"].output
        assert "/own-name" in seen
        assert "/worn" not in seen


THIEF = """
import json, os, socket, sys
os.setgroups([]); os.setresgid(65534, 65534, 65534); os.setresuid(65534, 65534, 65534)
def tried(path):
    try:
        if path.endswith(("sock", ".admin", ".xds")):
            with socket.socket(socket.AF_UNIX) as connection:
                connection.connect(path)
        else:
            open(path, "rb").close()
        return "open"
    except OSError as error:
        return type(error).__name__
print(json.dumps({path: tried(path) for path in sys.argv[1:]}))
"""


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root: to become somebody else")
def test_a_process_without_rights_gets_no_key_and_no_configuration(mesh: Mesh) -> None:
    """Two locks, each tried alone: nobody else enters the directories, and nobody else opens what is in them."""
    home = mesh.home
    sockets = sorted(path for path in home.run_dir.iterdir() if path.is_socket())
    files = sorted(path for path in home.path.rglob("*") if path.is_file() and not path.is_symlink())
    assert {"admin.sock", "node.sock"} <= {path.name for path in sockets}
    assert [path.suffix for path in sockets].count(".xds") == len(mesh.workloads)
    assert any(path.is_relative_to(home.ca_dir) for path in files)
    assert any(path.is_relative_to(home.node_dir / "workloads") for path in files)

    def tried() -> dict[str, str]:
        argv = [sys.executable, "-c", THIEF, *(str(path) for path in (*sockets, *files))]
        done = mesh.output_of(argv)
        answers: dict[str, str] = json.loads(done)
        return answers

    def opened() -> dict[str, str]:
        """What is not closed to it. A file that is being written anew has a name for a moment only."""
        return {
            path: said for path, said in tried().items() if said != "PermissionError" and os.path.exists(path)
        }

    assert opened() == {}
    directories = [home.run_dir, home.path, *(path for path in home.path.rglob("*") if path.is_dir())]
    modes = {path: stat.S_IMODE(path.stat().st_mode) for path in directories if not path.is_symlink()}
    try:
        for path in modes:
            path.chmod(0o755)
        assert opened() == {}
    finally:
        for path, mode in modes.items():
            path.chmod(mode)
    assert set(modes.values()) == {0o700}


class Agent:
    """A node that says what it likes, with the credential it really has."""

    def __init__(self, uplink: Uplink) -> None:
        self._uplink = uplink
        self._session: ByteStream | None = None
        self._version = 0

    async def refusal(self, *registrations: Registration) -> str:
        """Tells that it runs these and nothing else; why the last is not taken, empty when it is."""
        if self._session is None:
            self._session = ByteStream(await self._uplink.ready(), SESSION)
        self._version += 1
        await self._session.write(encode(NodeState(version=self._version, workloads=registrations)))
        while True:
            body = await self._session.read()
            assert body is not None, "the control plane ended the session"
            answer = decode(body, SessionState)
            if answer.version == self._version:
                return (answer.refusal_of(registrations[-1].id) or "") if registrations else ""

    async def blurt(self, body: bytes) -> tuple[grpc.StatusCode, str]:
        """How the control plane ends a session that begins so."""
        session = ByteStream(await self._uplink.ready(), SESSION)
        try:
            await session.write(body)
            await session.read()
            return grpc.StatusCode.OK, ""
        except grpc.aio.AioRpcError as error:
            return error.code(), error.details() or ""
        finally:
            session.close()

    async def leave(self) -> None:
        """So that nobody waits for it to come back."""
        if self._session is not None:
            await self.refusal()
            self._session.close()

    async def sign(self, workload: WorkloadId, account: str) -> str:
        key = NewKey(workload_id("cluster.local", workload.namespace, account))
        return (await self._uplink.sign(workload, key.csr_pem)).chain_pem

    async def stream(self, workload: WorkloadId) -> tuple[grpc.StatusCode, str]:
        """How the control plane ends a stream for that workload's configuration; OK when it would go on."""
        stream = ByteStream(await self._uplink.ready(), DELTA, (("proa-workload", str(workload)),))
        try:
            await stream.write(DeltaDiscoveryRequest(type_url=ResourceType.CLUSTER.url).SerializeToString())
            body = await stream.read()
            return (grpc.StatusCode.OK if body else grpc.StatusCode.UNKNOWN, "")
        except grpc.aio.AioRpcError as error:
            return error.code(), error.details() or ""
        finally:
            stream.close()


def registration(node: str, name: str, service: str, account: str) -> Registration:
    port = RegisteredPort(
        service=service, service_port=80, name="http", protocol="HTTP", app_port=1, sidecar_port=1
    )
    return Registration(
        id=WorkloadId("default", name),
        node=node,
        account=account,
        labels=Map({"app": service}),
        address="127.0.0.1",
        ports=(port,),
    )


def token(mesh: Mesh, node: str, *allowed: str) -> str:
    done = mesh.proa("token", "create", "--node", node, *(f"--allow={each}" for each in allowed), check=True)
    return done.stdout.strip()


@asynccontextmanager
async def joined(mesh: Mesh, node: str, *allowed: str) -> AsyncIterator[Agent]:
    credential = await join(await asyncio.to_thread(token, mesh, node, *allowed))
    async with agent_of(credential) as agent:
        try:
            yield agent
        finally:
            await agent.leave()


@asynccontextmanager
async def agent_of(credential: Credential, *servers: str) -> AsyncIterator[Agent]:
    uplink = Uplink(Cell(credential), servers)
    async with asyncio.timeout(60), asyncio.TaskGroup() as group:
        task = group.create_task(uplink.run())
        try:
            yield Agent(uplink)
        finally:
            task.cancel()


def with_agent(mesh: Mesh, node: str, allowed: str, prove: Callable[[Agent], Awaitable[None]]) -> None:
    async def scene() -> None:
        async with joined(mesh, node, allowed) as agent:
            await prove(agent)

    asyncio.run(scene())


def test_a_node_registers_what_its_token_names_and_nothing_else(mesh: Mesh) -> None:
    async def prove(agent: Agent) -> None:
        assert await agent.refusal(registration("a", "a-1", "a", "a")) == ""
        for wrong, reason in (
            (registration("a", "a-1", "echo", "a"), "may not place service echo"),
            (registration("a", "a-1", "a", "echo"), "may not place service a in namespace default under"),
            (registration("a", "a-1", "echo", "echo"), "may not place service echo"),
            (registration("local", "a-1", "a", "a"), "may not speak for node local"),
            (registration("a", "echo", "a", "a"), "already runs on node local"),
        ):
            assert reason in await agent.refusal(wrong), wrong
        endpoints = mesh.endpoints("echo")
        assert [each.workload for each in endpoints] == ["default/echo"]

    with_agent(mesh, "a", "default/a/a", prove)
    assert curl_status(mesh.curl("caller", "-i", "http://echo:8080/after")) == 200


def test_a_node_that_says_nonsense_harms_nobody(mesh: Mesh) -> None:
    """Values no proxy takes, and addresses that would turn other hosts' sidecars against their own."""
    good = registration("n", "n-1", "n", "n")

    async def prove(agent: Agent) -> None:
        for wrong in (
            replace(good, address=f"unix://{mesh.home.admin_socket}"),
            replace(good, kind="proxyless", address="169.254.169.254"),
            replace(good, address="localhost"),
            replace(good, weight=2**40),
            replace(good, ports=(replace(good.ports[0], sidecar_port=-1),)),
            replace(good, ports=(replace(good.ports[0], service_port=2**40),)),
        ):
            assert await agent.refusal(wrong), wrong
        assert mesh.endpoints("n") == []
        code, why = await agent.blurt(b"[]")
        assert code is grpc.StatusCode.PERMISSION_DENIED, why
        assert "not a NodeState" in why
        assert await agent.refusal(good) == ""

    with_agent(mesh, "n", "default/n/n", prove)
    assert curl_status(mesh.curl("caller", "-i", "http://echo:8080/sane")) == 200


def test_a_node_gets_certificates_for_its_own_workloads_alone(mesh: Mesh) -> None:
    async def prove(agent: Agent) -> None:
        assert await agent.refusal(registration("b", "b-1", "b", "b")) == ""
        assert "BEGIN CERTIFICATE" in await agent.sign(WorkloadId("default", "b-1"), "b")
        with pytest.raises(SignRefused, match="this asker gets"):
            await agent.sign(WorkloadId("default", "b-1"), "echo")
        for workload in (ECHO, WorkloadId("default", "nobody")):
            with pytest.raises(SignRefused, match="has not registered"):
                await agent.sign(workload, "echo")
        await agent.refusal(registration("b", "b-2", "echo", "echo"))
        with pytest.raises(SignRefused, match="has not registered"):
            await agent.sign(WorkloadId("default", "b-2"), "echo")

    with_agent(mesh, "b", "default/b/b", prove)
    issued = {each.identity for each in mesh.admin.certificates().certificates if each.node == "b"}
    assert identity("echo") not in issued


def test_a_node_gets_configuration_of_its_own_workloads_alone(mesh: Mesh) -> None:
    async def prove(agent: Agent) -> None:
        await agent.refusal(registration("c", "c-1", "c", "c"))
        code, why = await agent.stream(ECHO)
        assert (code, why) == (
            grpc.StatusCode.PERMISSION_DENIED,
            "workload default/echo is not on node c",
        )
        code, why = await agent.stream(WorkloadId("default", "c-1"))
        assert code is grpc.StatusCode.OK, why

    with_agent(mesh, "c", "default/c/c", prove)


def test_a_join_token_works_once_and_for_its_mesh(mesh: Mesh) -> None:
    once = token(mesh, "d", "default/d/d")
    credential = asyncio.run(join(once))
    assert credential.identity == "spiffe://cluster.local/proa/node/d"
    with pytest.raises(JoinRefused, match="used"):
        asyncio.run(join(once))
    with pytest.raises(JoinRefused, match="token"):
        asyncio.run(join(once[:-8] + "AAAAAAAA"))


def test_the_control_plane_serves_nobody_without_a_certificate(mesh: Mesh) -> None:
    """One without, and one whose certificate says it is a node but that another CA made."""
    host, _, port = mesh.admin.status().addresses["xds"].rpartition(":")
    strangers = make_intruders(WorkloadId("proa", "node"), "local")
    for name, context in strangers.items():
        answer = asyncio.run(knock((host, int(port)), ECHO, 8080, context))
        assert answer == REFUSED, name


def test_a_workloads_certificate_is_no_nodes(mesh: Mesh) -> None:
    """The identity that apps' sidecars show opens no door at the control plane."""
    stolen = load_credential(mesh.home.workload_dir("default/caller") / CREDENTIAL)
    own = load_credential(mesh.home.node_dir / CREDENTIAL)
    assert stolen is not None
    assert own is not None

    async def scene() -> None:
        async with agent_of(stolen, *own.servers) as agent:
            code, why = await agent.stream(WorkloadId("default", "caller"))
            assert (code, why) == (
                grpc.StatusCode.PERMISSION_DENIED,
                f"{identity('caller')} is no node of cluster.local",
            )
            with pytest.raises(SignRefused, match="is no node"):
                await agent.sign(WorkloadId("default", "caller"), "caller")

    asyncio.run(scene())
