"""What holds for the whole mesh: what the program was started with, as changed by the mesh's one MeshConfig.

`core.pilot.registry.mesh_config` makes it. Readers are the fold (defaults of visibility), scopes, and translation,
which takes out of it what its intents need.
"""

from typing import Final, Literal

import msgspec
from immutables import Map

from proa.core.model.check_providers import CheckProvider
from proa.core.model.locality import LocalitySetting
from proa.core.model.metering import Metering
from proa.core.model.names import DEFAULT_TRUST_DOMAIN, ROOT_NAMESPACE, ObjectRef, cluster_name

OutboundPolicy = Literal["ALLOW_ANY", "REGISTRY_ONLY"]
PathNormalization = Literal["NONE", "BASE", "MERGE_SLASHES", "DECODE_AND_MERGE_SLASHES"]

SIDECAR_PORTS = (20000, 29999)
"""Where node agents pick sidecars' inbound ports: below Linux's ephemeral range (32768-60999), so that no
client socket takes one, and known to all so that the egress guard can close it."""

STDOUT: Final = "/dev/stdout"
DETECTION_MS: Final = 1_000
"""How long the first bytes are waited for before a connection is taken for a server-first protocol. Mesh clients begin
with TLS whatever they carry: only where plaintext may come are there others, and only there the limit is this short."""
DNS_REFRESH_MS: Final = 5_000
"""When a name is asked again that could not be resolved; one that could, when its answer has grown old."""
EVERYBODY: Final = ("*",)


class Keepalive(msgspec.Struct, frozen=True, kw_only=True):
    """Of sockets, in seconds; 0: the operating system's."""

    probes: int = 0
    time_s: int = 0
    interval_s: int = 0


class Retry(msgspec.Struct, frozen=True, kw_only=True):
    """`attempts` counts retries, not the first try. 0 turns retries off. `pass_over_tried` None: unless requests are
    hashed. `backoff_ms` 0: Envoy's."""

    attempts: int = 2
    on: tuple[str, ...] = ("connect-failure", "refused-stream", "unavailable", "cancelled")
    status_codes: tuple[int, ...] = ()
    per_try_timeout_ms: int = 0
    backoff_ms: int = 0
    other_localities: bool = False
    pass_over_tried: bool | None = None


class AccessLog(msgspec.Struct, frozen=True, kw_only=True):
    """Where proxies write a line for each request and connection, and what. `path` is of the proxy's host;
    `/dev/stdout` is the file that the node agent keeps for the workload. `form` is Envoy's format, a text or a JSON
    object as text; empty: Istio's line, or as JSON Proa's own fields."""

    path: str = STDOUT
    encoding: Literal["TEXT", "JSON"] = "JSON"
    form: str = ""
    omits_empty: bool = False


class OtelLog(msgspec.Struct, frozen=True, kw_only=True):
    """Lines sent by OTLP to a service's port. `text` empty: Istio's line; `attributes` by name, in order of names."""

    host: str
    port: int
    name: str
    text: str = ""
    attributes: tuple[tuple[str, str], ...] = ()


class LogSink(msgspec.Struct, frozen=True, kw_only=True):
    """One log of several: in a file or by OTLP, of what the CEL expression `only` holds for."""

    file: AccessLog | None = None
    otel: OtelLog | None = None
    only: str = ""


class Tracer(msgspec.Struct, frozen=True, kw_only=True):
    """Where spans go by OTLP, gRPC or (with a path) HTTP. `longest_path` 0: Envoy's limit of the tag with the URL.
    `headers`, or gRPC's metadata, go with each report."""

    host: str
    port: int
    http_path: str = ""
    timeout_ms: int = 10_000
    longest_path: int = 0
    headers: tuple[tuple[str, str], ...] = ()


class ZipkinTracer(msgspec.Struct, frozen=True, kw_only=True):
    """Where spans go as Zipkin's JSON, by HTTP. Traces go along in B3's headers; `speaks_w3c`: in W3C's as well, which
    are read where there are none of B3. `short_ids`: those of traces have 64 bits. The rest is as in `Tracer`."""

    host: str
    port: int
    path: str = "/api/v2/spans"
    timeout_ms: int = 5_000
    longest_path: int = 0
    headers: tuple[tuple[str, str], ...] = ()
    short_ids: bool = False
    speaks_w3c: bool = False

    @property
    def cluster(self) -> str:
        return cluster_name("outbound", self.port, "", self.host)


class TraceIds(msgspec.Struct, frozen=True):
    """Gives requests their places in traces, in B3's headers and W3C's, and sends no spans: others make them."""


class SpanTag(msgspec.Struct, frozen=True, kw_only=True):
    """`value` is a text, the name of a variable of the proxy or of a header, or a form with Envoy's operators."""

    name: str
    source: Literal["literal", "environment", "header", "formatter"]
    value: str
    default: str = ""


class Tracing(msgspec.Struct, frozen=True, kw_only=True):
    """`percent` of requests that nobody has decided about begin a trace. `names_itself`: spans tell of the workload.
    `by_request_id`: the decision is carried in the request's id."""

    tracer: Tracer | ZipkinTracer | TraceIds
    percent: float = 1.0
    tags: tuple[SpanTag, ...] = ()
    names_itself: bool = True
    by_request_id: bool = True


class Reporting(msgspec.Struct, frozen=True, kw_only=True):
    """What Mixer's rules want to be told of one side: of requests, with these headers besides those that are always
    told, and of connections. At least one of both. `spans`: requests must have places in traces."""

    requests: bool = False
    streams: bool = False
    request_headers: tuple[str, ...] = ()
    response_headers: tuple[str, ...] = ()
    spans: bool = False


class Observed(msgspec.Struct, frozen=True, kw_only=True):
    """What a proxy tells of one side of its traffic. `logs` None: the mesh's access log. None `tracing`: no spans. None
    `reports`: Mixer is told nothing."""

    logs: tuple[LogSink, ...] | None = None
    tracing: Tracing | None = None
    reports: Reporting | None = None


class TelemetryProvider(msgspec.Struct, frozen=True, kw_only=True):
    """What a Telemetry may name: one of these, or nothing but a name for metrics."""

    name: str
    file: AccessLog | None = None
    otel: OtelLog | None = None
    tracer: Tracer | ZipkinTracer | None = None

    @property
    def host(self) -> str:
        """The service that it needs, empty for none."""
        called = self.otel or self.tracer
        return called.host if called else ""


class Resolving(msgspec.Struct, frozen=True, kw_only=True):
    """How proxies look up names. `servers` are `address:port`; none: those of the proxy's host."""

    servers: tuple[str, ...] = ()
    refresh_ms: int = DNS_REFRESH_MS


class Handling(msgspec.Struct, frozen=True, kw_only=True):
    """What listeners do with all that passes. `detection_ms` 0: first bytes are waited for without end. `metering`
    None: nothing is counted there. `client` and `server` are of the calls that a proxy makes and takes; `observers` are
    the objects that say so."""

    access_log: AccessLog | None = AccessLog()
    metering: Metering | None = Metering()
    client: Observed = Observed()
    server: Observed = Observed()
    observers: tuple[ObjectRef, ...] = ()
    paths: PathNormalization = "BASE"
    detection_ms: int = DETECTION_MS
    resolving: Resolving = Resolving()


class MeshSettings(msgspec.Struct, frozen=True, kw_only=True):
    """`*_export_to`: which namespaces see what says nothing of it, as users write it (`.`: the object's own).
    `locality` is for services of which no DestinationRule says anything of the kind.
    `concurrency` and `proxy_environment`: of proxies at their next start.
    `trust_domain_aliases`: other names of the trust domain, in policies. `check_providers`: whom CUSTOM asks.
    `telemetry_providers` are in addition to those that every mesh has; `default_...`: which a Telemetry that names none
    means (no logging: the access log; None metrics: they are counted)."""

    trust_domain: str = DEFAULT_TRUST_DOMAIN
    root_namespace: str = ROOT_NAMESPACE
    outbound_policy: OutboundPolicy = "ALLOW_ANY"
    handling: Handling = Handling()
    connect_timeout_ms: int = 10_000
    keepalive: Keepalive | None = None
    upgrades_http: bool = False
    retry: Retry = Retry()
    service_export_to: tuple[str, ...] = EVERYBODY
    rule_export_to: tuple[str, ...] = EVERYBODY
    policy_export_to: tuple[str, ...] = EVERYBODY
    sidecar_ports: tuple[int, int] = SIDECAR_PORTS
    trust_domain_aliases: tuple[str, ...] = ()
    check_providers: tuple[CheckProvider, ...] = ()
    telemetry_providers: tuple[TelemetryProvider, ...] = ()
    default_logging: tuple[str, ...] = ()
    default_tracing: tuple[str, ...] = ()
    default_metrics: tuple[str, ...] | None = None
    locality: LocalitySetting = LocalitySetting()
    concurrency: int | None = None
    proxy_environment: Map[str, str] = msgspec.field(default_factory=Map)

    @property
    def provider_hosts(self) -> frozenset[str]:
        """Services that proxies call for themselves: every proxy has them, whatever its program may see."""
        asked = frozenset(provider.host for provider in self.check_providers)
        return asked | frozenset(provider.host for provider in self.telemetry_providers if provider.host)

    @property
    def zipkins(self) -> tuple[ZipkinTracer, ...]:
        """Collectors whose clusters every proxy has, whether or not there is such a service."""
        tracers = (provider.tracer for provider in self.telemetry_providers)
        return tuple(tracer for tracer in tracers if isinstance(tracer, ZipkinTracer))
