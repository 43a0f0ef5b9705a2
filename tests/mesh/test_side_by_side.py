"""Two meshes on one machine, same names in both: they do not meet."""

import asyncio
import json
import ssl
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from proa.core.auth.tokens import decode_token, encode_token
from proa.core.model.names import WorkloadId
from proa.demo.intruder import REFUSED, knock, make_intruders
from proa.node.credentials import load_credential
from proa.node.join import JoinRefused, join
from proa.node.run import CREDENTIAL
from tests.mesh.harness import Mesh, app, curl_status, why_no_envoy

pytestmark = pytest.mark.mesh

ECHO = WorkloadId("default", "echo")


@pytest.fixture(scope="module")
def other() -> Iterator[Mesh]:
    """The same workloads as in `mesh`; its `echo` gives another name."""
    if why_no_envoy():
        pytest.skip(why_no_envoy())
    with Mesh() as mesh:
        mesh.run("caller", wait=False)
        mesh.run("echo", app("echo", "--name", "other"), port="8080:auto", wait=False)
        mesh.until_healthy("caller", "echo")
        yield mesh


def test_each_client_reaches_the_service_of_its_own_mesh(mesh: Mesh, other: Mesh) -> None:
    for one, name in ((mesh, "default/echo"), (other, "other")):
        for _ in range(3):
            assert json.loads(one.curl("caller", "http://echo:8080/whose").stdout)["name"] == name
        assert [each.workload for each in one.endpoints("echo")] == ["default/echo"]


def test_homes_and_sockets_are_apart(mesh: Mesh, other: Mesh) -> None:
    assert mesh.home.run_dir != other.home.run_dir
    mine, theirs = ({path.name for path in each.home.run_dir.iterdir()} for each in (mesh, other))
    assert {"admin.sock", "node.sock"} <= mine & theirs
    ports = [
        {port.sidecar_port for each in one.node().workloads for port in each.ports} for one in (mesh, other)
    ]
    assert not ports[0] & ports[1]
    assert mesh.admin.status().addresses != other.admin.status().addresses


def as_workload(mesh: Mesh, workload: str, folder: Path) -> ssl.SSLContext:
    """Speaks with the key and certificate that the workload's sidecar really has."""
    credential = load_credential(mesh.home.workload_dir(workload) / CREDENTIAL)
    assert credential is not None
    context = make_intruders(ECHO, "echo")["TLS without certificate"]
    assert context is not None
    file = folder / "stolen.pem"
    file.write_text(credential.key_pem + credential.chain_pem)
    context.load_cert_chain(file)
    return context


def test_a_certificate_of_one_mesh_is_refused_in_the_other(mesh: Mesh, other: Mesh, tmp_path: Path) -> None:
    """Both have the trust domain cluster.local and an account `caller`: only the roots differ."""
    for server, client, is_welcome in (
        (mesh, mesh, True),
        (mesh, other, False),
        (other, other, True),
        (other, mesh, False),
    ):
        context = as_workload(client, "default/caller", tmp_path)
        path = f"/certificate/{client.home.path.parent.name}"
        answer = asyncio.run(knock(server.inbound("echo", 8080), ECHO, 8080, context, path))
        assert (answer != REFUSED) == is_welcome, (answer, server, client)
        assert (path in server.workloads["echo"].output) == is_welcome
        if is_welcome:
            assert "200" in answer


def test_a_join_token_of_one_mesh_opens_no_door_of_the_other(mesh: Mesh, other: Mesh) -> None:
    """Shown at the other's door: the root there has another digest, so the secret is not even sent."""
    done = other.proa("token", "create", "--node", "guest", "--allow=default/*/*", check=True)
    token = decode_token(done.stdout)
    join_address = mesh.admin.status().addresses["join"]
    with pytest.raises(JoinRefused, match="not the control plane of the join token"):
        asyncio.run(join(encode_token(msgspec.structs.replace(token, join=join_address))))


def test_configuration_of_one_mesh_is_not_the_others(mesh: Mesh, other: Mesh) -> None:
    with other.applied(
        """
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: echo}
spec:
  hosts: [echo]
  http: [{directResponse: {status: 418}}]
"""
    ):
        assert curl_status(other.curl("caller", "-i", "http://echo:8080/")) == 418
        assert curl_status(mesh.curl("caller", "-i", "http://echo:8080/")) == 200


def test_the_end_of_one_leaves_the_other(mesh: Mesh, other: Mesh) -> None:
    with Mesh() as third:
        third.run("caller", wait=False)
        before = (set(mesh.left_processes()), set(other.left_processes()))
    assert not third.left_processes()
    assert (set(mesh.left_processes()), set(other.left_processes())) == before
    for one in (mesh, other):
        assert curl_status(one.curl("caller", "-i", "http://echo:8080/still")) == 200
