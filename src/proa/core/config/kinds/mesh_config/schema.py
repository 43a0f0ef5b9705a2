"""What the mesh's settings say, as users write them: Istio's MeshConfig as an object of its own.

Read by its validator and by `pilot.registry.mesh_config`, which makes them the settings in force.
"""

from types import MappingProxyType
from typing import Annotated, Literal

from immutables import Map

from proa.core.config.connection_pool import TcpKeepalive
from proa.core.config.locality import LocalityLbSetting
from proa.core.config.record import (
    Count,
    Duration,
    DurationOrZero,
    Filled,
    FreeObject,
    Milliseconds,
    Port,
    Record,
    Within,
)
from proa.core.config.retries import Retries

OutboundMode = Literal["REGISTRY_ONLY", "ALLOW_ANY", "ALLOW_ANY_DYNAMIC_DNS"]
Normalization = Literal["DEFAULT", "NONE", "BASE", "MERGE_SLASHES", "DECODE_AND_MERGE_SLASHES"]


class OutboundTrafficPolicy(Record, frozen=True, kw_only=True):
    """Protobuf's zero is the mode of one that says nothing. Names are always looked up when they are asked for, so the
    two ways of allowing any are one."""

    NOT_YET = ("tls",)

    mode: OutboundMode = "REGISTRY_ONLY"


class ProxyDefaults(Record, frozen=True, kw_only=True):
    """Of every proxy that no ProxyConfig says more of."""

    NOT_YET = (
        *("configPath", "binaryPath", "serviceCluster", "tracingServiceName", "drainDuration"),
        *("discoveryAddress", "discoveryRefreshDelay", "zipkinAddress", "statsdUdpAddress"),
        *("envoyMetricsServiceAddress", "proxyAdminPort", "availabilityZone", "controlPlaneAuthPolicy"),
        *("customConfigFile", "statNameLength", "proxyBootstrapTemplatePath", "interceptionMode", "tracing"),
        *("sds", "envoyAccessLogService", "envoyMetricsService", "runtimeValues", "statusPort"),
        *("extraStatTags", "gatewayTopology", "terminationDrainDuration", "meshId", "readinessProbe"),
        *("proxyStatsMatcher", "holdApplicationUntilProxyStarts", "caCertificatesPem", "image"),
        *("privateKeyProvider", "proxyHeaders", "fileFlushInterval", "fileFlushMinSizeKb"),
        *("statsCompression", "connectionSettings"),
    )

    concurrency: Count | None = None
    proxy_metadata: Map[str, str] = Map()


class PathNormalization(Record, frozen=True, kw_only=True):
    normalization: Normalization = "DEFAULT"


class CheckedBody(Record, frozen=True, kw_only=True):
    max_request_bytes: Annotated[int, Within(1, 2**32 - 1)]
    allow_partial_message: bool = False
    pack_as_bytes: bool = False


class GrpcChecker(Record, frozen=True, kw_only=True):
    """A program that is asked by Envoy's ext_authz over gRPC. `service` is a host, or `namespace/host`."""

    service: Filled
    port: Port
    timeout: Duration | None = None
    fail_open: bool = False
    clear_route_cache: bool = False
    status_on_error: str = ""
    include_request_body_in_check: CheckedBody | None = None


class HttpChecker(GrpcChecker, frozen=True, kw_only=True):
    """The same over HTTP. Of names a star may stand at the beginning or the end."""

    NOT_YET = ("includeHeadersInCheck",)

    path_prefix: str = ""
    include_request_headers_in_check: tuple[Filled, ...] = ()
    include_additional_headers_in_check: Map[str, str] = Map()
    headers_to_upstream_on_allow: tuple[Filled, ...] = ()
    headers_to_downstream_on_deny: tuple[Filled, ...] = ()
    headers_to_downstream_on_allow: tuple[Filled, ...] = ()


class Prometheus(Record, frozen=True, kw_only=True):
    """The standard metrics, where the node agent is scraped. Nothing is said of them here."""


class LogFormat(Record, frozen=True, kw_only=True):
    """One of the two. A text has a newline in the end without saying so."""

    text: str = ""
    labels: FreeObject = ""


class FileLog(Record, frozen=True, kw_only=True):
    path: str = ""
    log_format: LogFormat | None = None
    omit_empty_values: bool = False


class OtelLogFormat(Record, frozen=True, kw_only=True):
    """The line and what stands beside it; names with texts."""

    text: str = ""
    labels: Map[str, str] = Map()


class OtelLog(Record, frozen=True, kw_only=True):
    """A service that takes OTLP by gRPC: a host, or `namespace/host`."""

    service: Filled
    port: Port
    log_name: str = ""
    log_format: OtelLogFormat | None = None


class HttpHeader(Record, frozen=True, kw_only=True):
    NOT_YET = ("envName",)
    NOT_YET_BECAUSE = MappingProxyType(
        {"envName": "variables of the control plane stay there; write the value"}
    )

    name: Filled
    value: Filled


class OtelByHttp(Record, frozen=True, kw_only=True):
    path: Filled
    timeout: Duration | None = None
    headers: tuple[HttpHeader, ...] = ()


class OtelByGrpc(Record, frozen=True, kw_only=True):
    NOT_YET = ("timeout",)
    NOT_YET_BECAUSE = MappingProxyType({"timeout": "this Envoy gives no export by gRPC up; use http"})

    initial_metadata: tuple[HttpHeader, ...] = ()


class Opentelemetry(Record, frozen=True, kw_only=True):
    """A service that takes spans by OTLP, over gRPC unless `http` is said."""

    NOT_YET = ("resourceDetectors", "serviceAttributeEnrichment", "dynatraceSampler")

    service: Filled
    port: Port
    max_tag_length: Annotated[int, Within(1, 2**31 - 1)] | None = None
    http: OtelByHttp | None = None
    grpc: OtelByGrpc | None = None


class Zipkin(Record, frozen=True, kw_only=True):
    """A service that takes spans as Zipkin's JSON, version 2."""

    service: Filled
    port: Port
    max_tag_length: Annotated[int, Within(1, 2**31 - 1)] | None = None
    enable64bit_trace_id: bool = False
    path: str = ""
    trace_context_option: Literal["USE_B3", "USE_B3_WITH_W3C_PROPAGATION"] = "USE_B3"
    timeout: Duration | None = None
    headers: tuple[HttpHeader, ...] = ()


class ExtensionProvider(Record, frozen=True, kw_only=True):
    NOT_YET = (
        *("lightstep", "datadog", "stackdriver", "opencensus", "skywalking"),
        *("envoyHttpAls", "envoyTcpAls", "sds"),
    )
    NOT_YET_BECAUSE = MappingProxyType(
        {
            **dict.fromkeys(("envoyHttpAls", "envoyTcpAls"), "use envoyOtelAls"),
        }
    )

    name: Filled
    prometheus: Prometheus | None = None
    envoy_file_access_log: FileLog | None = None
    envoy_otel_als: OtelLog | None = None
    opentelemetry: Opentelemetry | None = None
    zipkin: Zipkin | None = None
    envoy_ext_authz_http: HttpChecker | None = None
    envoy_ext_authz_grpc: GrpcChecker | None = None


class DefaultProviders(Record, frozen=True, kw_only=True):
    """Which providers a Telemetry means that names none; `metrics` without prometheus: nothing is counted."""

    tracing: tuple[Filled, ...] = ()
    metrics: tuple[Filled, ...] | None = None
    access_logging: tuple[Filled, ...] = ()


class MeshConfig(Record, frozen=True, kw_only=True):
    """What is not said is as the control plane was started. An `access_log_file` of "" is no log. `dns_resolvers` is
    Proa's own: `address:port` of the servers that proxies ask for names, in place of their host's. Envoys refuse to ask
    again within a millisecond, which is the bound of `dns_refresh_rate`."""

    NOT_YET = (
        *("proxyListenPort", "proxyInboundListenPort", "proxyHttpPort", "hboneIdleTimeout", "ingressClass"),
        *("ingressService", "ingressControllerMode", "ingressSelector", "enableTracing"),
        *("enableEnvoyAccessLogService", "disableEnvoyListenerLog", "inboundTrafficPolicy"),
        *("configSources", "enableAutoMtls", "trustDomain", "caCertificates"),
        *("zoneAwareLbSetting", "inboundClusterStatName", "outboundClusterStatName"),
        *("certificates", "serviceSettings", "serviceScopeConfigs", "enablePrometheusMerge"),
        *("verifyCertificateAtClient", "ca", "discoverySelectors"),
        *("meshMTLS", "tlsDefaults", "defaultTrafficPolicy", "serviceEntryVisibility"),
        "defaultInboundHttpRetryPolicy",
    )

    connect_timeout: Duration | None = None
    protocol_detection_timeout: DurationOrZero | None = None
    tcp_keepalive: TcpKeepalive | None = None
    access_log_file: str | None = None
    access_log_format: str = ""
    access_log_encoding: Literal["TEXT", "JSON"] | None = None
    default_config: ProxyDefaults | None = None
    outbound_traffic_policy: OutboundTrafficPolicy | None = None
    default_service_export_to: tuple[str, ...] = ()
    default_virtual_service_export_to: tuple[str, ...] = ()
    default_destination_rule_export_to: tuple[str, ...] = ()
    root_namespace: str = ""
    locality_lb_setting: LocalityLbSetting | None = None
    dns_refresh_rate: Annotated[int, Milliseconds(2)] | None = None
    h2_upgrade_policy: Literal["DO_NOT_UPGRADE", "UPGRADE"] = "DO_NOT_UPGRADE"
    path_normalization: PathNormalization | None = None
    default_http_retry_policy: Retries | None = None
    dns_resolvers: tuple[str, ...] = ()
    trust_domain_aliases: tuple[Filled, ...] = ()
    extension_providers: tuple[ExtensionProvider, ...] = ()
    default_providers: DefaultProviders | None = None
