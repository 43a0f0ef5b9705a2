"""What a Sidecar says, as users write it. Read by its validator.

Limits of connections and TLS are spelled as in DestinationRule and Gateway; kinds do not know each other, so they are
written out here.
"""

from types import MappingProxyType
from typing import Literal

from immutables import Map

from proa.core.config.record import (
    Count,
    Count32,
    Duration,
    DurationOrZero,
    Filled,
    Port,
    ReadOnlySpec,
    Record,
)

CaptureMode = Literal["DEFAULT", "IPTABLES", "NONE"]
OutboundMode = Literal["REGISTRY_ONLY", "ALLOW_ANY"]
H2UpgradePolicy = Literal["DEFAULT", "DO_NOT_UPGRADE", "UPGRADE"]
ServerTlsMode = Literal[
    "PASSTHROUGH", "SIMPLE", "MUTUAL", "AUTO_PASSTHROUGH", "ISTIO_MUTUAL", "OPTIONAL_MUTUAL"
]
TlsProtocol = Literal["TLS_AUTO", "TLSV1_0", "TLSV1_1", "TLSV1_2", "TLSV1_3"]


class WorkloadSelector(Record, frozen=True, kw_only=True):
    labels: Map[str, str] = Map()


class SidecarPort(Record, frozen=True, kw_only=True):
    IDLE = MappingProxyType({"targetPort": "Istio does not read it either"})

    number: Port
    protocol: str = ""
    name: str = ""
    target_port: Count32 = 0


class TcpKeepalive(Record, frozen=True, kw_only=True):
    probes: Count32 = 0
    time: Duration | None = None
    interval: Duration | None = None


class TcpPool(Record, frozen=True, kw_only=True):
    max_connections: Count = 0
    connect_timeout: Duration | None = None
    tcp_keepalive: TcpKeepalive | None = None
    max_connection_duration: Duration | None = None
    idle_timeout: DurationOrZero | None = None


class Http2Keepalive(Record, frozen=True, kw_only=True):
    interval: Duration
    timeout: Duration


class HttpPool(Record, frozen=True, kw_only=True):
    http1_max_pending_requests: Count = 0
    http2_max_requests: Count = 0
    max_requests_per_connection: Count = 0
    max_retries: Count = 0
    idle_timeout: DurationOrZero | None = None
    h2_upgrade_policy: H2UpgradePolicy = "DEFAULT"
    use_client_protocol: bool = False
    max_concurrent_streams: Count = 0
    http2_keep_alive: Http2Keepalive | None = None


class ConnectionPool(Record, frozen=True, kw_only=True):
    tcp: TcpPool | None = None
    http: HttpPool | None = None


class TlsCertificate(Record, frozen=True, kw_only=True):
    server_certificate: str = ""
    private_key: str = ""
    ca_certificates: str = ""


class ServerTls(Record, frozen=True, kw_only=True):
    """What callers from outside the mesh meet."""

    https_redirect: bool = False
    mode: ServerTlsMode = "PASSTHROUGH"
    server_certificate: str = ""
    private_key: str = ""
    ca_certificates: str = ""
    ca_crl: str = ""
    credential_name: str = ""
    credential_names: tuple[Filled, ...] = ()
    ca_cert_credential_name: str = ""
    tls_certificates: tuple[TlsCertificate, ...] = ()
    subject_alt_names: tuple[str, ...] = ()
    verify_certificate_spki: tuple[str, ...] = ()
    verify_certificate_hash: tuple[str, ...] = ()
    min_protocol_version: TlsProtocol = "TLS_AUTO"
    max_protocol_version: TlsProtocol = "TLS_AUTO"
    cipher_suites: tuple[str, ...] = ()
    insecure_skip_verify: bool | None = None
    ecdh_curves: tuple[str, ...] = ()


class Ingress(Record, frozen=True, kw_only=True):
    port: SidecarPort
    bind: str = ""
    capture_mode: CaptureMode = "DEFAULT"
    default_endpoint: str = ""
    tls: ServerTls | None = None
    connection_pool: ConnectionPool | None = None


class Egress(Record, frozen=True, kw_only=True):
    """`hosts` are `namespace/name`; the namespace may be `*`, `.` or `~` (none), the name a wildcard."""

    port: SidecarPort | None = None
    bind: str = ""
    capture_mode: CaptureMode = "DEFAULT"
    hosts: tuple[str, ...]


class PortSelector(Record, frozen=True, kw_only=True):
    number: Port


class Destination(Record, frozen=True, kw_only=True):
    host: Filled
    subset: str = ""
    port: PortSelector | None = None


class OutboundTrafficPolicy(Record, frozen=True, kw_only=True):
    mode: OutboundMode = "REGISTRY_ONLY"
    egress_proxy: Destination | None = None


class Sidecar(ReadOnlySpec, frozen=True, kw_only=True):
    """No selector: all workloads of the namespace."""

    workload_selector: WorkloadSelector | None = None
    ingress: tuple[Ingress, ...] = ()
    egress: tuple[Egress, ...] = ()
    inbound_connection_pool: ConnectionPool | None = None
    outbound_traffic_policy: OutboundTrafficPolicy | None = None
