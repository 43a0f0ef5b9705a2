"""What a DestinationRule says, as users write it. Read by its validator and by Pilot's translation."""

from typing import Annotated, Literal

import msgspec
from immutables import Map

from proa.core.config.record import Count, Count32, Duration, LaterWords, PercentInt, Record

SimpleLoadBalancer = Literal[
    "UNSPECIFIED", "LEAST_CONN", "RANDOM", "PASSTHROUGH", "ROUND_ROBIN", "LEAST_REQUEST"
]
TlsMode = Literal["DISABLE", "SIMPLE", "ISTIO_MUTUAL"]


class LoadBalancer(Record, frozen=True, kw_only=True):
    NOT_YET = (
        "consistentHash",
        "localityLbSetting",
        "zoneAwareLbSetting",
        "warmupDurationSecs",
        "warmup",
        "backendUtilization",
    )

    simple: SimpleLoadBalancer = "UNSPECIFIED"


class TcpPool(Record, frozen=True, kw_only=True):
    """Zero is not set, as in Istio."""

    NOT_YET = ("tcpKeepalive", "maxConnectionDuration", "idleTimeout")

    max_connections: Count = 0
    connect_timeout: Duration | None = None


class HttpPool(Record, frozen=True, kw_only=True):
    """Zero is not set, as in Istio."""

    NOT_YET = (
        "idleTimeout",
        "h2UpgradePolicy",
        "useClientProtocol",
        "maxConcurrentStreams",
        "http2KeepAlive",
    )

    http1_max_pending_requests: Count = 0
    http2_max_requests: Count = 0
    max_requests_per_connection: Count = 0
    max_retries: Count = 0


class ConnectionPool(Record, frozen=True, kw_only=True):
    tcp: TcpPool | None = None
    http: HttpPool | None = None


class OutlierDetection(Record, frozen=True, kw_only=True):
    """None: not said (5xx: 5, gateway: off). 0 switches that reason off. `max_ejection_percent` 0 is not set: 10."""

    NOT_YET = (
        "splitExternalLocalOriginErrors",
        "consecutiveLocalOriginFailures",
        "minHealthPercent",
        "outlierDetectionHttpErrorCodes",
    )

    consecutive_5xx_errors: Count32 | None = msgspec.field(default=None, name="consecutive5xxErrors")
    consecutive_gateway_errors: Count32 | None = None
    consecutive_errors: Count = 0
    interval: Duration | None = None
    base_ejection_time: Duration | None = None
    max_ejection_percent: PercentInt = 0


class ClientTls(Record, frozen=True, kw_only=True):
    NOT_YET = (
        "clientCertificate",
        "privateKey",
        "caCertificates",
        "credentialName",
        "insecureSkipVerify",
        "caCrl",
    )

    mode: Annotated[TlsMode, LaterWords(("MUTUAL",))] = "DISABLE"
    sni: str = ""
    subject_alt_names: tuple[str, ...] = ()


class TrafficPolicy(Record, frozen=True, kw_only=True):
    NOT_YET = ("portLevelSettings", "tunnel", "proxyProtocol", "retryBudget")

    load_balancer: LoadBalancer | None = None
    connection_pool: ConnectionPool | None = None
    outlier_detection: OutlierDetection | None = None
    tls: ClientTls | None = None


class Subset(Record, frozen=True, kw_only=True):
    """No labels: all endpoints. A block of its policy replaces the rule's, an absent one inherits it."""

    name: str
    labels: Map[str, str] = Map()
    traffic_policy: TrafficPolicy | None = None


class DestinationRule(Record, frozen=True, kw_only=True):
    NOT_YET = ("workloadSelector",)

    host: str
    traffic_policy: TrafficPolicy | None = None
    subsets: tuple[Subset, ...] = ()
    export_to: tuple[str, ...] = ()
