"""What a WorkloadGroup says, as users write it. Read by its validator and where workloads are planned."""

from types import MappingProxyType

from immutables import Map

from proa.core.config.endpoint import WorkloadEntry
from proa.core.config.record import Count, Filled, Port, Record


class EntryMeta(Record, frozen=True, kw_only=True):
    """What the group's entries get."""

    IDLE = MappingProxyType({"annotations": "nothing reads the annotations of a workload that runs"})

    labels: Map[str, str] = Map()
    annotations: Map[str, str] = Map()


class HttpHeader(Record, frozen=True, kw_only=True):
    name: Filled
    value: str = ""


class HttpGet(Record, frozen=True, kw_only=True):
    path: str = ""
    port: Port
    host: str = ""
    scheme: str = ""
    http_headers: tuple[HttpHeader, ...] = ()


class TcpSocket(Record, frozen=True, kw_only=True):
    host: str = ""
    port: Port


class Exec(Record, frozen=True, kw_only=True):
    command: tuple[str, ...] = ()


class Grpc(Record, frozen=True, kw_only=True):
    port: Port
    service: str = ""


class ReadinessProbe(Record, frozen=True, kw_only=True):
    """One of the four ways to ask. 0 is not set: 1 s, 10 s, 1 success, 3 failures."""

    initial_delay_seconds: Count = 0
    timeout_seconds: Count = 0
    period_seconds: Count = 0
    success_threshold: Count = 0
    failure_threshold: Count = 0
    http_get: HttpGet | None = None
    tcp_socket: TcpSocket | None = None
    exec: Exec | None = None
    grpc: Grpc | None = None


class WorkloadGroup(Record, frozen=True, kw_only=True):
    metadata: EntryMeta | None = None
    template: WorkloadEntry
    probe: ReadinessProbe | None = None
