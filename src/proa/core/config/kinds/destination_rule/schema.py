"""What a DestinationRule says, as users write it. Read by its validator and by Pilot's translation."""

from types import MappingProxyType
from typing import Annotated, Literal

import msgspec
from immutables import Map

from proa.core.config.connection_pool import ConnectionPool
from proa.core.config.locality import LocalityLbSetting
from proa.core.config.record import (
    Count,
    Count32,
    Duration,
    DurationOrZero,
    LaterWords,
    PercentFloat,
    PercentInt,
    Port,
    Record,
    Within,
)
from proa.core.config.selection import WorkloadSelector

SimpleLoadBalancer = Annotated[
    Literal["UNSPECIFIED", "LEAST_CONN", "RANDOM", "ROUND_ROBIN", "LEAST_REQUEST"],
    LaterWords(
        ("PASSTHROUGH",),
        why="it sends to the address that the app dialled, and an app that speaks to a proxy dials none",
    ),
]
RingSize = Annotated[int, Within(0, 8 * 1024 * 1024)]
"""Envoy's largest ring."""
TableSize = Annotated[int, Within(0, 5_000_010)]
Aggression = Annotated[float, Within(1, 1_000_000)]
HttpStatus = Annotated[int, Within(200, 599)]
TlsMode = Literal["DISABLE", "SIMPLE", "MUTUAL", "ISTIO_MUTUAL"]


class RingHash(Record, frozen=True, kw_only=True):
    """0 is not set: 1024."""

    minimum_ring_size: RingSize = 0


class Maglev(Record, frozen=True, kw_only=True):
    """A prime below 5000011; 0 is not set: 65537."""

    table_size: TableSize = 0


class CookieAttribute(Record, frozen=True, kw_only=True):
    name: str
    value: str = ""


class HttpCookie(Record, frozen=True, kw_only=True):
    """With a `ttl` a client without the cookie is given one (0: until its browser ends); without, none is made."""

    name: str
    path: str = ""
    ttl: DurationOrZero | None = None
    attributes: tuple[CookieAttribute, ...] = ()


class ConsistentHash(Record, frozen=True, kw_only=True):
    """One key, and at most one algorithm (none: the ring). `minimum_ring_size` is the old place of the ring's."""

    http_header_name: str = ""
    http_cookie: HttpCookie | None = None
    use_source_ip: bool = False
    http_query_parameter_name: str = ""
    ring_hash: RingHash | None = None
    maglev: Maglev | None = None
    minimum_ring_size: RingSize = 0


class Warmup(Record, frozen=True, kw_only=True):
    """None: `minimum_percent` 10, `aggression` 1."""

    duration: Duration
    minimum_percent: PercentFloat | None = None
    aggression: Aggression | None = None


class LoadBalancer(Record, frozen=True, kw_only=True):
    """`locality_lb_setting` takes the place of the mesh's, whole."""

    NOT_YET = ("zoneAwareLbSetting", "backendUtilization")

    simple: SimpleLoadBalancer = "UNSPECIFIED"
    consistent_hash: ConsistentHash | None = None
    locality_lb_setting: LocalityLbSetting | None = None
    warmup: Warmup | None = None
    warmup_duration_secs: Duration | None = None


class OutlierDetection(Record, frozen=True, kw_only=True):
    """None: not said (5xx: 5, gateway: off, local origin: 5). 0 switches that reason off. `max_ejection_percent` 0 is
    not set: 10. `consecutive_local_origin_failures` counts only with the split."""

    consecutive_5xx_errors: Count32 | None = msgspec.field(default=None, name="consecutive5xxErrors")
    consecutive_gateway_errors: Count32 | None = None
    consecutive_errors: Count = 0
    split_external_local_origin_errors: bool = False
    consecutive_local_origin_failures: Count32 | None = None
    interval: Duration | None = None
    base_ejection_time: Duration | None = None
    max_ejection_percent: PercentInt = 0
    min_health_percent: PercentInt = 0
    outlier_detection_http_error_codes: tuple[HttpStatus, ...] = ()


class RetryBudget(Record, frozen=True, kw_only=True):
    """None: 20 percent of the requests under way, at least 3 retries."""

    NOT_YET = ("budgetInterval",)
    NOT_YET_BECAUSE = MappingProxyType(
        {
            "budgetInterval": "the retry budget of Envoy's API that Proa is built with counts requests under way only"
        }
    )

    percent: PercentFloat | None = None
    min_retry_concurrency: Count32 | None = None


class ClientTls(Record, frozen=True, kw_only=True):
    """Paths are of files on the client's host, `credential_name` is a secret kept there; `ca_certificates` may be
    `system`. Nothing said of whom to trust: the system's roots."""

    mode: TlsMode = "DISABLE"
    client_certificate: str = ""
    private_key: str = ""
    ca_certificates: str = ""
    ca_crl: str = ""
    credential_name: str = ""
    subject_alt_names: tuple[str, ...] = ()
    sni: str = ""
    insecure_skip_verify: bool = False


class PortSelector(Record, frozen=True, kw_only=True):
    number: Port


class PortPolicy(Record, frozen=True, kw_only=True):
    """What holds for one service port in place of (not on top of) the policy around it."""

    port: PortSelector
    load_balancer: LoadBalancer | None = None
    connection_pool: ConnectionPool | None = None
    outlier_detection: OutlierDetection | None = None
    tls: ClientTls | None = None


class Tunnel(Record, frozen=True, kw_only=True):
    """For streams: opened at the rule's host, it leads to `target_host`. `protocol`: CONNECT (the default) or POST."""

    protocol: str = ""
    target_host: str
    target_port: Port


class ProxyProtocol(Record, frozen=True, kw_only=True):
    """Each connection begins by telling whose it is."""

    version: Literal["V1", "V2"] = "V1"


class TrafficPolicy(Record, frozen=True, kw_only=True):
    load_balancer: LoadBalancer | None = None
    connection_pool: ConnectionPool | None = None
    outlier_detection: OutlierDetection | None = None
    tls: ClientTls | None = None
    port_level_settings: tuple[PortPolicy, ...] = ()
    retry_budget: RetryBudget | None = None
    tunnel: Tunnel | None = None
    proxy_protocol: ProxyProtocol | None = None


class Subset(Record, frozen=True, kw_only=True):
    """No labels: all endpoints. A block of its policy replaces the rule's, an absent one inherits it."""

    name: str
    labels: Map[str, str] = Map()
    traffic_policy: TrafficPolicy | None = None


class DestinationRule(Record, frozen=True, kw_only=True):
    """With a selector: only for clients of its own namespace that wear the labels, and before all others there."""

    host: str
    traffic_policy: TrafficPolicy | None = None
    subsets: tuple[Subset, ...] = ()
    export_to: tuple[str, ...] = ()
    workload_selector: WorkloadSelector | None = None


class DerivedTls(DestinationRule, frozen=True, kw_only=True):
    """A DestinationRule that nobody wrote: it comes of a BackendTLSPolicy, and says the TLS alone that holds where no
    other rule for the host says any. `port_name`: for the port of this name."""

    port_name: str = ""

    def as_written(self) -> DestinationRule:
        """Without what nobody can write."""
        names = (info.name for info in msgspec.structs.fields(DestinationRule))
        return DestinationRule(**{name: getattr(self, name) for name in names})
