"""What Sidecars say of the way to their own programs."""

from proa.core.config.app_endpoint import AppEndpoint
from proa.core.model.names import WorkloadId
from proa.core.model.workload import InboundPort, Workload
from proa.core.pilot.scope.inbound import InboundView, inbound_view
from proa.testing.builders import Mesh, registered_port, registration

PORTS = (
    registered_port("a", 80, protocol="HTTP", sidecar_port=20_000),
    registered_port("a", 81, protocol="HTTP", sidecar_port=20_001),
)
POOL = "{tcp: {maxConnections: 3}}"


def sidecar(spec: str, name: str = "s") -> str:
    return f"""
---
apiVersion: networking.istio.io/v1
kind: Sidecar
metadata: {{name: {name}}}
spec: {{{spec}}}
"""


def view(text: str = "") -> InboundView:
    mesh = Mesh(registration("a", *PORTS, labels={"app": "a"}, address="10.0.0.7"))
    if text:
        mesh.apply(text)
    workload = next(each for each in mesh.world.snapshot.workloads.values() if each.id.name == "a")
    return inbound_view(mesh.world.snapshot, mesh.world.index, workload)


def places(found: InboundView) -> dict[int, AppEndpoint]:
    return {each.port.service_port: each.app for each in found.ports}


def connections(found: InboundView) -> list[int]:
    return [each.pool.tcp.max_connections for each in found.ports if each.pool and each.pool.tcp]


OWN = {80: AppEndpoint("127.0.0.1", 80), 81: AppEndpoint("127.0.0.1", 81)}


def test_without_a_sidecar_ports_are_as_they_were_started() -> None:
    assert places(view()) == OWN
    assert all(each.pool is None and each.sidecar is None for each in view().ports)
    assert places(view(sidecar("outboundTrafficPolicy: {}"))) == OWN


def test_only_ports_with_a_listener_are_served() -> None:
    found = view(sidecar("ingress: [{port: {number: 81, protocol: GRPC}, defaultEndpoint: 'unix:///run/a'}]"))
    assert places(found) == {81: AppEndpoint(socket="/run/a")}
    assert [each.port.protocol for each in found.ports] == ["GRPC"]
    assert [str(each.sidecar) for each in found.ports] == ["Sidecar/default/s"]


def test_the_workloads_own_address_and_its_own_place() -> None:
    found = view(
        sidecar("ingress: [{port: {number: 80}, defaultEndpoint: '0.0.0.0:90'}, {port: {number: 81}}]")
    )
    assert places(found) == {80: AppEndpoint("10.0.0.7", 90), 81: OWN[81]}


def test_pools_of_a_port_and_of_all() -> None:
    assert connections(view(sidecar(f"inboundConnectionPool: {POOL}"))) == [3, 3]
    one = "{port: {number: 80}, connectionPool: {tcp: {maxConnections: 5}}}"
    both = f"inboundConnectionPool: {POOL}, ingress: [{one}, {{port: {{number: 81}}}}]"
    assert connections(view(sidecar(both))) == [5, 3]


def test_the_narrowest_sidecar_alone_counts() -> None:
    narrow = sidecar("workloadSelector: {labels: {app: a}}, egress: [{hosts: ['./*']}]", "narrow")
    assert places(view(sidecar("ingress: [{port: {number: 80}}]") + narrow)) == OWN


def test_a_port_that_the_program_was_not_started_with() -> None:
    listener = "ingress: [{port: {number: 99}}, {port: {number: 80}}]"
    (note,) = view(sidecar(f"workloadSelector: {{labels: {{app: a}}}}, {listener}")).notes
    assert (note.code, str(note.about)) == ("ingress-port-missing", "Sidecar/default/s")
    assert view(sidecar(listener)).notes == (), "a namespace's default is for many"


TLS_AT_80 = sidecar(
    "ingress: [{port: {number: 80, protocol: HTTPS}, tls: {mode: SIMPLE, credentialName: c}}]"
)


def test_tls_is_ended_where_nobody_comes_by_mutual_tls() -> None:
    """The mode of a registration's port in these tests is STRICT."""
    found = view(TLS_AT_80)
    assert [(each.tls, each.port.protocol) for each in found.ports] == [(None, "TLS")]
    assert [note.code for note in found.notes] == ["ingress-tls-idle"]
    mesh = Mesh()
    mesh.apply(TLS_AT_80)
    port = InboundPort(
        service_port=80, service="a", protocol="HTTP", app_port=80, sidecar_port=20_000, mode="DISABLE"
    )
    workload = Workload(id=WorkloadId("default", "a"), kind="sidecar", node="n", account="a", inbound=(port,))
    (served,) = inbound_view(mesh.world.snapshot, mesh.world.index, workload).ports
    assert served.tls is not None
    assert (served.tls.credential_name, served.port.protocol) == ("c", "HTTP")
