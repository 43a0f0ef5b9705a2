"""What operators say of a workload before it starts: the group that it joins, and how its proxy runs."""

import json
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

from tests.mesh.harness import Mesh, app, curl_status, identity, until
from tests.mesh.test_mesh_config import settings
from tests.ports import held_ports

pytestmark = pytest.mark.mesh

GROUP = """
apiVersion: networking.istio.io/v1
kind: WorkloadGroup
metadata: {{name: vms}}
spec:
  metadata: {{labels: {{app: vm, version: v9}}}}
  template: {{ports: {{http: {port}}}, serviceAccount: vm, locality: north/one, weight: 7, network: far}}
  probe:
    periodSeconds: 1
    failureThreshold: 1
    httpGet: {{path: /health, port: {port}, httpHeaders: [{{name: x-probe, value: mine}}]}}
---
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: {{name: vms}}
spec:
  hosts: [vms.example]
  location: MESH_INTERNAL
  resolution: STATIC
  ports: [{{number: 80, name: http, protocol: HTTP}}]
  workloadSelector: {{labels: {{app: vm}}}}
  subjectAltNames: ['{account}']
"""
PROXIES = """
apiVersion: networking.istio.io/v1beta1
kind: ProxyConfig
metadata: {name: all, namespace: istio-system}
spec: {concurrency: 3, environmentVariables: {WHERE: mesh, ROOT: told}}
---
apiVersion: networking.istio.io/v1beta1
kind: ProxyConfig
metadata: {name: some}
spec: {environmentVariables: {WHERE: namespace, ISTIO_META_PLACE: here}}
---
apiVersion: networking.istio.io/v1beta1
kind: ProxyConfig
metadata: {name: one}
spec: {selector: {matchLabels: {version: v9}}, concurrency: 2}
---
apiVersion: networking.istio.io/v1beta1
kind: ProxyConfig
metadata: {name: others}
spec: {selector: {matchLabels: {version: v8}}, concurrency: 4}
"""


def is_now(mesh: Mesh, health: str) -> bool:
    return mesh.health("vm-1") == health


def server_info(mesh: Mesh, workload: str) -> dict[str, dict[str, object]]:
    path = str(mesh.home.workload_socket(f"default/{workload}", "admin"))
    info = mesh.output_of(("curl", "-sS", "--unix-socket", path, "http://envoy/server_info"))
    found: dict[str, dict[str, object]] = json.loads(info)
    return found


@pytest.fixture
def port() -> Iterator[int]:
    """The service's and the program's: a group names it."""
    with held_ports(1) as (port,):
        yield port


def test_a_workload_is_as_its_group_and_its_proxy_as_operators_say(mesh: Mesh, port: int) -> None:
    group = GROUP.format(port=port, account=identity("vm"))
    defaults = settings("defaultConfig: {concurrency: 5, proxyMetadata: {BASE: said, ROOT: untold}}")
    refused = mesh.background("lost", "run", "--name=lost", "--group=nobodys", "--", "true")
    assert refused.wait() != 0
    assert "no WorkloadGroup default/nobodys" in refused.output
    with mesh.applied(group, PROXIES, defaults), mesh.running("vm-1", app("echo"), "--group=vms"):
        (endpoint,) = mesh.endpoints("vm-1")
        assert (endpoint.service_port, endpoint.locality, endpoint.weight, endpoint.network) == (
            *(port, "north/one", 7),
            "far",
        )
        assert dict(endpoint.labels) == {"app": "vm", "version": "v9"}
        assert endpoint.account == identity("vm")
        assert curl_status(mesh.curl("caller", "-i", "http://vms.example/joined")) == 200
        assert mesh.logged("caller", path="/joined")["upstream_peer"] == identity("vm")
        for status, health in ((503, "UNHEALTHY"), (200, "HEALTHY")):
            mesh.output_of(("curl", "-sS", "-XPOST", f"http://127.0.0.1:{port}/health?status={status}"))
            until(partial(is_now, mesh, health), f"the probe finds it {health}")
            mesh.settle()
            assert curl_status(mesh.curl("caller", "-i", "http://vms.example/probed")) == status
        info = server_info(mesh, "vm-1")
        assert info["command_line_options"]["concurrency"] == 2
        metadata = info["node"]["metadata"]
        assert isinstance(metadata, dict)
        assert metadata["PLACE"] == "here"
        pid = mesh.summary("vm-1").envoy_pid
        variables = set(Path(f"/proc/{pid}/environ").read_bytes().split(b"\0"))
        assert {b"WHERE=namespace", b"ROOT=told", b"BASE=said"} <= variables
    assert server_info(mesh, "caller")["command_line_options"]["concurrency"] == 1
