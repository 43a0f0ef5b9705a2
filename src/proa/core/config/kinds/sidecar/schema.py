"""What a Sidecar says, as users write it. Read by its validator and by Pilot's scopes."""

from types import MappingProxyType
from typing import Final, Literal

from proa.core.config.connection_pool import ConnectionPool
from proa.core.config.record import Count32, Port, Record
from proa.core.config.server_tls import ServerTls
from proa.core.config.workload_selector import WorkloadSelector

OutboundMode = Literal["REGISTRY_ONLY", "ALLOW_ANY"]
LOOPBACK: Final = "127.0.0.1"
"""Where an egress listener is whose `bind` says nothing."""
CaptureMode = Literal["DEFAULT", "IPTABLES", "NONE"]


class SidecarPort(Record, frozen=True, kw_only=True):
    """`number` is the service's port, `name` a label. No `protocol`: as the program was started with."""

    IDLE = MappingProxyType({"targetPort": "Istio does not read it either"})

    number: Port
    protocol: str = ""
    name: str = ""
    target_port: Count32 = 0


class Ingress(Record, frozen=True, kw_only=True):
    """`default_endpoint` is where the program listens, `127.0.0.1:port`, `[::1]:port`, `0.0.0.0:port` (the workload's
    own address) or `unix://path`; none: where it was started to listen. `tls` is ended for callers outside the mesh,
    where the port takes no mutual TLS."""

    NOT_YET = ("bind",)
    NOT_YET_BECAUSE = MappingProxyType(
        {"bind": "a sidecar listens where its node agent found a port and told the mesh of it"}
    )
    IDLE = MappingProxyType(
        {"captureMode": "callers dial the sidecar's own port, as with NONE; nothing is captured"}
    )

    port: SidecarPort
    capture_mode: CaptureMode = "DEFAULT"
    default_endpoint: str = ""
    tls: ServerTls | None = None
    connection_pool: ConnectionPool | None = None


class EgressListener(Record, frozen=True, kw_only=True):
    """`hosts` are written `namespace/name`: the namespace may be `*`, `.` or `~` (none), the name begin with `*`; a
    `~` before a namespace takes such hosts out again. With `port` they are those of services' ports of that number, and
    the sidecar has a listener of its own for them at `bind`, on loopback unless it says otherwise. The program's proxy
    variables lead to that list too for this number, unless NONE; they alone do with IPTABLES."""

    port: SidecarPort | None = None
    bind: str = ""
    capture_mode: CaptureMode = "DEFAULT"
    hosts: tuple[str, ...]

    @property
    def has_own(self) -> bool:
        """Whether it is a listener that a program dials."""
        return self.port is not None and self.capture_mode != "IPTABLES"

    @property
    def captures(self) -> bool:
        """Whether requests by proxy variables to its port keep to its hosts."""
        return self.port is not None and self.capture_mode != "NONE"


class PortSelector(Record, frozen=True, kw_only=True):
    number: Port


class EgressProxy(Record, frozen=True, kw_only=True):
    """A service's port, and a subset of it if its DestinationRule has one."""

    host: str
    subset: str = ""
    port: PortSelector | None = None


class OutboundTrafficPolicy(Record, frozen=True, kw_only=True):
    """Protobuf's zero is the mode of one that says nothing. With `egress_proxy` unknown hosts are asked there."""

    mode: OutboundMode = "REGISTRY_ONLY"
    egress_proxy: EgressProxy | None = None


class Sidecar(Record, frozen=True, kw_only=True):
    """No selector: all workloads of the namespace that no other names, or of the whole mesh when it lies in the root
    namespace. No `egress`: what the next wider Sidecar says. No policy: the mesh's. With `ingress` only its ports are
    served; what it does not say of connections, `inbound_connection_pool` does."""

    workload_selector: WorkloadSelector | None = None
    ingress: tuple[Ingress, ...] = ()
    egress: tuple[EgressListener, ...] = ()
    inbound_connection_pool: ConnectionPool | None = None
    outbound_traffic_policy: OutboundTrafficPolicy | None = None
