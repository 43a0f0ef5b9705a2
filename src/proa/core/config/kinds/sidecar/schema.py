"""What a Sidecar says, as users write it. Read by its validator and by Pilot's scopes."""

from typing import Literal

from proa.core.config.record import Record
from proa.core.config.workload_selector import WorkloadSelector

OutboundMode = Literal["REGISTRY_ONLY", "ALLOW_ANY"]


class EgressListener(Record, frozen=True, kw_only=True):
    """`hosts` are written `namespace/name`: the namespace may be `*`, `.` or `~` (none), the name begin with `*`; a
    `~` before a namespace takes such hosts out again."""

    NOT_YET = ("port", "bind", "captureMode")

    hosts: tuple[str, ...]


class OutboundTrafficPolicy(Record, frozen=True, kw_only=True):
    """Protobuf's zero is the mode of one that says nothing."""

    NOT_YET = ("egressProxy",)

    mode: OutboundMode = "REGISTRY_ONLY"


class Sidecar(Record, frozen=True, kw_only=True):
    """No selector: all workloads of the namespace that no other names, or of the whole mesh when it lies in the root
    namespace. No `egress`: what the next wider Sidecar says. No policy: the mesh's."""

    NOT_YET = ("ingress", "inboundConnectionPool")

    workload_selector: WorkloadSelector | None = None
    egress: tuple[EgressListener, ...] = ()
    outbound_traffic_policy: OutboundTrafficPolicy | None = None
