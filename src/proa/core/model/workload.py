"""One program with its sidecar, or one gateway: what Pilot must know to configure its proxy."""

from typing import Literal

import msgspec
from immutables import Map

from proa.core.model.names import WorkloadId
from proa.core.model.service import Protocol

WorkloadKind = Literal["sidecar", "gateway", "proxyless"]
TlsMode = Literal["STRICT", "PERMISSIVE", "DISABLE"]


class InboundPort(msgspec.Struct, frozen=True, kw_only=True, order=True):
    """One served port: the service's number, where the app listens (127.0.0.1), where the sidecar listens."""

    service_port: int
    service: str
    protocol: Protocol
    app_port: int
    sidecar_port: int
    mode: TlsMode = "STRICT"


class UpstreamListener(msgspec.Struct, frozen=True, kw_only=True, order=True):
    """A local TCP port of a workload that leads to one service (`--upstream`)."""

    host: str
    port: int
    local_port: int


class GatewayPort(msgspec.Struct, frozen=True, kw_only=True, order=True):
    """Where a gateway really listens for a server's port (it may be taken, or below 1024). With `address` it is a
    listener of a sidecar's own; `fault`: why its agent could not have that place."""

    port: int
    bound_port: int
    address: str = ""
    fault: str = ""


class Workload(msgspec.Struct, frozen=True, kw_only=True):
    """`bind` is the address the inbound listeners take; `outbound_port` the explicit proxy's port on 127.0.0.1
    (0: none). `knows_partners`: its agent serves bundles of other trust domains, which those of before cannot."""

    id: WorkloadId
    kind: WorkloadKind
    node: str
    account: str
    labels: Map[str, str] = msgspec.field(default_factory=Map)
    bind: str = "127.0.0.1"
    locality: str = ""
    network: str = ""
    outbound_port: int = 0
    inbound: tuple[InboundPort, ...] = ()
    upstreams: tuple[UpstreamListener, ...] = ()
    gateway_ports: tuple[GatewayPort, ...] = ()
    knows_partners: bool = False
