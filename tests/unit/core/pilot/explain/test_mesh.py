"""Who is responsible, and whose proxy is at an address."""

import msgspec
from immutables import Map

from proa.core.model.names import ObjectRef, WorkloadId
from proa.core.model.workload import GatewayPort, InboundPort, Workload
from proa.core.pilot.explain.mesh import Place
from tests.unit.core.pilot.explain.test_asking import KNOWN

OLD = ObjectRef("RouteRule", "default", "old")


def test_what_a_converted_object_is_made_of_is_named_too() -> None:
    known = msgspec.structs.replace(
        KNOWN,
        sources=lambda ref: (OLD,) if ref.kind == "VirtualService" else (),
        place=lambda ref, rule: Place(file="old.yaml", line=3) if ref == OLD else Place(),
    )
    causes = known.cause("VirtualService/default/made", "http[0]")
    assert [str(each) for each in causes] == [
        "VirtualService/default/made http[0]",
        "RouteRule/default/old (old.yaml:3)",
    ]


def test_by_address() -> None:
    server = WorkloadId("default", "server")
    port = InboundPort(service_port=80, service="a", protocol="HTTP", app_port=80, sidecar_port=20001)
    workloads = {
        server: Workload(id=server, kind="sidecar", node="", account="a", bind="10.0.0.1", inbound=(port,)),
        **KNOWN.workloads,
    }
    edge = WorkloadId("default", "edge")
    workloads[edge] = msgspec.structs.replace(
        workloads[edge], bind="10.0.0.2", gateway_ports=(GatewayPort(port=80, bound_port=20080),)
    )
    known = msgspec.structs.replace(KNOWN, workloads=Map(workloads))
    assert known.at("10.0.0.1", 20001) == server
    assert known.at("10.0.0.2", 20080) == edge
    assert known.at("10.0.0.1", 20080) is None
