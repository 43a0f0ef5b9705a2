"""What the control plane tells node agents of workloads and hosts that their proxies have met: what metrics show."""

from immutables import Map

from proa.core.model.snapshot import MeshSnapshot
from proa.core.sidecar.session import DescribedWorkload, DescribeReply, DescribeRequest
from proa.core.sidecar.standard_metrics import SHOWN_LABELS


def described(snapshot: MeshSnapshot, request: DescribeRequest) -> DescribeReply:
    """No other labels than those: they may say what is not every node's business."""
    workloads: list[DescribedWorkload] = []
    for workload_id in request.workloads:
        workload = snapshot.workloads.get(workload_id)
        if workload is not None:
            labels = workload.labels
            shown = Map({key: labels[key] for key in SHOWN_LABELS if key in labels})
            workloads.append(DescribedWorkload(id=workload_id, labels=shown))
    hosts = {
        host: service.namespace
        for host in request.hosts
        if (service := snapshot.services.get(host)) is not None
    }
    return DescribeReply(workloads=tuple(workloads), hosts=Map(hosts))
