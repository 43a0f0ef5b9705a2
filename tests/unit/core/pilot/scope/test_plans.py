"""What operators have said of a workload before it is placed."""

import pytest
from immutables import Map

from proa.core.model.names import WorkloadId
from proa.core.pilot.scope.plans import plan_of
from proa.core.sidecar.session import PlanReply, PlanRequest
from proa.core.sidecar.spec import HealthCheck
from proa.testing.builders import Mesh


def proxy(name: str, spec: str, namespace: str = "default") -> str:
    return f"""
apiVersion: networking.istio.io/v1beta1
kind: ProxyConfig
metadata: {{name: {name}, namespace: {namespace}}}
spec: {{{spec}}}
"""


def group(spec: str) -> str:
    return f"""
apiVersion: networking.istio.io/v1
kind: WorkloadGroup
metadata: {{name: vms}}
spec: {{{spec}}}
"""


def planned(mesh: Mesh, group: str = "", **labels: str) -> PlanReply:
    request = PlanRequest(id=WorkloadId("default", "a"), labels=Map(labels), group=group)
    return plan_of(mesh.world.snapshot, mesh.world.index, request)


def test_the_narrowest_proxy_config_counts_and_variables_add_up() -> None:
    mesh = Mesh()
    assert planned(mesh) == PlanReply()
    for text in (
        proxy("z", "concurrency: 3, environmentVariables: {A: root, B: root}", "istio-system"),
        proxy("y", "environmentVariables: {A: namespace}"),
        proxy("a", "concurrency: 0, selector: {matchLabels: {app: x}}"),
        proxy("b", "concurrency: 9", "other"),
    ):
        mesh.apply(text)
    found = planned(mesh, app="y")
    assert (found.concurrency, dict(found.environment)) == (3, {"A": "namespace", "B": "root"})
    assert planned(mesh, app="x").concurrency == 0
    mesh.delete("ProxyConfig", "y")
    assert dict(planned(mesh).environment) == {"A": "root", "B": "root"}


def test_a_groups_labels_choose_proxy_configs_too() -> None:
    mesh = Mesh()
    mesh.apply(proxy("a", "concurrency: 4, selector: {matchLabels: {app: vm}}"))
    mesh.apply(group("metadata: {labels: {app: vm}}, template: {serviceAccount: vm, ports: {http: 80}}"))
    found = planned(mesh, "vms")
    assert found.concurrency == 4
    assert found.group is not None
    assert (found.group.account, found.group.ports, found.group.health) == ("vm", (("http", 80),), None)
    assert planned(mesh, "others").group is None


@pytest.mark.parametrize(
    ("probe", "wanted"),
    [
        (
            "httpGet: {port: 1, scheme: https, host: h, httpHeaders: [{name: a, value: b}]}",
            HealthCheck(kind="http", app_port=1, host="h", is_tls=True, headers=(("a", "b"),)),
        ),
        ("tcpSocket: {port: 1}", HealthCheck(kind="tcp", app_port=1)),
        ("grpc: {port: 1, service: s}", HealthCheck(kind="grpc", app_port=1, grpc_service="s")),
        ("exec: {command: [a, b]}", HealthCheck(kind="exec", command=("a", "b"))),
    ],
)
def test_ways_to_ask(probe: str, wanted: HealthCheck) -> None:
    mesh = Mesh()
    mesh.apply(group(f"template: {{}}, probe: {{initialDelaySeconds: 2, failureThreshold: 5, {probe}}}"))
    found = planned(mesh, "vms").group
    assert found is not None
    assert found.health is not None
    assert found.health.interval_ms == 10_000
    assert (found.health.timeout_ms, found.health.initial_delay_ms) == (1000, 2000)
    assert (found.health.healthy_threshold, found.health.unhealthy_threshold) == (1, 5)
    times = {"interval_ms": 10_000, "initial_delay_ms": 2000, "unhealthy_threshold": 5}
    assert found.health == HealthCheck(
        **{**{name: getattr(wanted, name) for name in HealthCheck.__struct_fields__}, **times}
    )
