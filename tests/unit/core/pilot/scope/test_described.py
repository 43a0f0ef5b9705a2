"""What nodes are told of those whom their proxies have met."""

from immutables import Map

from proa.core.model.names import WorkloadId
from proa.core.model.service import Service, ServicePort
from proa.core.model.snapshot import MeshSnapshot
from proa.core.model.workload import Workload
from proa.core.pilot.scope.described import described
from proa.core.sidecar.session import DescribedWorkload, DescribeReply, DescribeRequest

WEB = WorkloadId("shop", "web")
SNAPSHOT = MeshSnapshot(
    workloads=Map(
        {
            WEB: Workload(
                id=WEB,
                kind="sidecar",
                node="n",
                account="web",
                labels=Map({"app": "web", "version": "v1", "secret": "x"}),
            )
        }
    ),
    services=Map(
        {
            "api.example.com": Service(
                hostname="api.example.com",
                namespace="outside",
                ports=(ServicePort(number=443, name="tls", protocol="TLS"),),
            )
        }
    ),
)


def test_only_what_metrics_show_and_only_what_is_known() -> None:
    request = DescribeRequest(
        workloads=(WEB, WorkloadId("shop", "nobody")), hosts=("api.example.com", "no.example.com")
    )
    assert described(SNAPSHOT, request) == DescribeReply(
        workloads=(DescribedWorkload(id=WEB, labels=Map({"app": "web", "version": "v1"})),),
        hosts=Map({"api.example.com": "outside"}),
    )
