"""What handlers of Mixer's own adapters say: the adapter's parameters. `catalogue` says whose they are.

Zero and empty are not set, as in all of Mixer's configuration, but where an adapter has another default: there None is
not set, and zero or false means what it says.
"""

from typing import Annotated, Literal

from immutables import Map

from proa.core.config.record import (
    Double,
    Filled,
    FreeObject,
    Int32,
    Int64,
    Milliseconds,
    NotEmpty,
    Numbered,
    ReadOnlySpec,
    Record,
)

Span = Annotated[int, Milliseconds(0)]
MetricKind = Annotated[Literal["UNSPECIFIED", "GAUGE", "COUNTER", "DISTRIBUTION"], Numbered()]


class Adapter(ReadOnlySpec, frozen=True, kw_only=True):
    SNAKE_TOO = True


class Part(Record, frozen=True, kw_only=True):
    SNAKE_TOO = True


class Bypass(Adapter, frozen=True, kw_only=True):
    backend_address: str = ""
    params: FreeObject | None = None
    session_based: bool = False


class CirconusMetric(Part, frozen=True, kw_only=True):
    name: str = ""
    type: Literal["UNKNOWN", "COUNTER", "GAUGE", "DISTRIBUTION"] = "UNKNOWN"


class Circonus(Adapter, frozen=True, kw_only=True):
    submission_url: str = ""
    submission_interval: Span | None = None
    metrics: tuple[CirconusMetric, ...] = ()


class CloudWatchMetric(Part, frozen=True, kw_only=True):
    unit: str = ""


class CloudWatchLog(Part, frozen=True, kw_only=True):
    payload_template: str = ""


class CloudWatch(Adapter, frozen=True, kw_only=True):
    """The fields behind the second are of 1.1."""

    namespace: str = ""
    metric_info: Map[str, CloudWatchMetric] = Map()
    log_group_name: str = ""
    log_stream_name: str = ""
    logs: Map[str, CloudWatchLog] = Map()


class Status(Part, frozen=True, kw_only=True):
    """`code` is a number of google.rpc.Code."""

    code: Int32 = 0
    message: str = ""
    details: tuple[FreeObject, ...] = ()


class Denier(Adapter, frozen=True, kw_only=True):
    status: Status | None = None
    valid_duration: Span | None = None
    valid_use_count: Int32 | None = None


class DogstatsdMetric(Part, frozen=True, kw_only=True):
    name: str = ""
    type: Literal["UNKNOWN", "UNKNOWN_TYPE", "COUNTER", "GAUGE", "DISTRIBUTION"] = "UNKNOWN"
    tags: Map[str, str] = Map()


class Dogstatsd(Adapter, frozen=True, kw_only=True):
    address: str = ""
    prefix: str = ""
    buffer_length: Int32 = 0
    global_tags: Map[str, str] = Map()
    sample_rate: Double | None = None
    metrics: Map[str, DogstatsdMetric] = Map()


class Fluentd(Adapter, frozen=True, kw_only=True):
    address: str = ""
    integer_duration: bool = False


class KubernetesEnv(Adapter, frozen=True, kw_only=True):
    """The fields behind the second are of 0.7."""

    kubeconfig_path: str = ""
    cache_refresh_duration: Span | None = None
    pod_label_for_service: str = ""
    pod_label_for_istio_component_service: str = ""
    fully_qualified_istio_ingress_service_name: str = ""
    lookup_ingress_source_and_origin_values: bool = False
    cluster_domain_name: str = ""


class ListChecker(Adapter, frozen=True, kw_only=True):
    provider_url: str = ""
    refresh_interval: Span | None = None
    ttl: Span | None = None
    caching_interval: Span | None = None
    caching_use_count: Int32 | None = None
    overrides: tuple[str, ...] = ()
    entry_type: Literal["STRINGS", "CASE_INSENSITIVE_STRINGS", "IP_ADDRESSES", "REGEX"] = "STRINGS"
    blacklist: bool = False


class QuotaOverride(Part, frozen=True, kw_only=True):
    dimensions: Map[str, str] = Map()
    max_amount: Int64 = 0
    valid_duration: Span | None = None


class MemoryQuota(Part, frozen=True, kw_only=True):
    name: Filled
    max_amount: Int64 = 0
    valid_duration: Span | None = None
    overrides: tuple[QuotaOverride, ...] = ()


class MemQuota(Adapter, frozen=True, kw_only=True):
    quotas: tuple[MemoryQuota, ...] = ()
    min_deduplication_duration: Span | None = None


class Noop(Adapter, frozen=True, kw_only=True):
    """Accepts everything."""


class Opa(Adapter, frozen=True, kw_only=True):
    policy: tuple[str, ...] = ()
    check_method: str = ""
    fail_close: bool = False


class LinearBuckets(Part, frozen=True, kw_only=True):
    num_finite_buckets: Int32 = 0
    width: Double = 0.0
    offset: Double = 0.0


class ExponentialBuckets(Part, frozen=True, kw_only=True):
    num_finite_buckets: Int32 = 0
    growth_factor: Double = 0.0
    scale: Double = 0.0


class ExplicitBuckets(Part, frozen=True, kw_only=True):
    bounds: tuple[Double, ...] = ()


class Buckets(Part, frozen=True, kw_only=True):
    """One of the three."""

    linear_buckets: LinearBuckets | None = None
    exponential_buckets: ExponentialBuckets | None = None
    explicit_buckets: ExplicitBuckets | None = None


class PrometheusMetric(Part, frozen=True, kw_only=True):
    namespace: str = ""
    name: str = ""
    instance_name: str = ""
    description: str = ""
    kind: MetricKind = "UNSPECIFIED"
    buckets: Buckets | None = None
    label_names: tuple[Filled, ...] = ()


class ExpirationPolicy(Part, frozen=True, kw_only=True):
    metrics_expiry_duration: Span | None = None
    expiry_check_interval_duration: Span | None = None


class Prometheus(Adapter, frozen=True, kw_only=True):
    metrics: tuple[PrometheusMetric, ...] = ()
    metrics_expiration_policy: ExpirationPolicy | None = None


class Rbac(Adapter, frozen=True, kw_only=True):
    config_store_url: str = ""
    cache_duration: Span | None = None


class RedisOverride(Part, frozen=True, kw_only=True):
    dimensions: Annotated[Map[str, str], NotEmpty()] = Map()
    max_amount: Int64 = 0


class RedisQuotaLimit(Part, frozen=True, kw_only=True):
    name: Filled
    max_amount: Int64 = 0
    valid_duration: Span | None = None
    bucket_duration: Span | None = None
    rate_limit_algorithm: Literal["FIXED_WINDOW", "ROLLING_WINDOW"] = "FIXED_WINDOW"
    overrides: tuple[RedisOverride, ...] = ()


class RedisQuota(Adapter, frozen=True, kw_only=True):
    quotas: tuple[RedisQuotaLimit, ...] = ()
    redis_server_url: str = ""
    connection_pool_size: Int64 = 0


class RuntimeConfig(Part, frozen=True, kw_only=True):
    check_cache_size: Int32 = 0
    check_result_expiration: Span | None = None


class GoogleQuota(Part, frozen=True, kw_only=True):
    name: str = ""
    google_quota_metric_name: str = ""
    expiration: Span | None = None


class GoogleService(Part, frozen=True, kw_only=True):
    mesh_service_name: str = ""
    google_service_name: str = ""
    quotas: tuple[GoogleQuota, ...] = ()


class ServiceControl(Adapter, frozen=True, kw_only=True):
    runtime_config: RuntimeConfig | None = None
    credential_path: str = ""
    service_configs: tuple[GoogleService, ...] = ()


class SignalFxMetric(Part, frozen=True, kw_only=True):
    name: str = ""
    type: Literal["NONE", "COUNTER", "HISTOGRAM"] = "NONE"


class SignalFx(Adapter, frozen=True, kw_only=True):
    metrics: tuple[SignalFxMetric, ...] = ()
    ingest_url: str = ""
    access_token: str = ""
    datapoint_interval: Span | None = None


class SolarWindsMetric(Part, frozen=True, kw_only=True):
    label_names: tuple[str, ...] = ()


class SolarWindsLog(Part, frozen=True, kw_only=True):
    payload_template: str = ""


class SolarWinds(Adapter, frozen=True, kw_only=True):
    appoptics_access_token: str = ""
    appoptics_batch_size: Int32 = 0
    papertrail_url: str = ""
    papertrail_local_retention_duration: Span | None = None
    metrics: Map[str, SolarWindsMetric] = Map()
    logs: Map[str, SolarWindsLog] = Map()


class StackdriverMetric(Part, frozen=True, kw_only=True):
    kind: Literal["METRIC_KIND_UNSPECIFIED", "GAUGE", "DELTA", "CUMULATIVE"] = "METRIC_KIND_UNSPECIFIED"
    value: Literal["VALUE_TYPE_UNSPECIFIED", "BOOL", "INT64", "DOUBLE", "STRING", "DISTRIBUTION", "MONEY"] = (
        "VALUE_TYPE_UNSPECIFIED"
    )
    buckets: Buckets | None = None
    metric_type: str = ""


class HttpRequestMapping(Part, frozen=True, kw_only=True):
    url: str = ""
    status: str = ""
    request_size: str = ""
    response_size: str = ""
    latency: str = ""
    method: str = ""
    local_ip: str = ""
    remote_ip: str = ""
    user_agent: str = ""
    referer: str = ""


class StackdriverSink(Part, frozen=True, kw_only=True):
    id: str = ""
    destination: str = ""
    filter: str = ""


class StackdriverLog(Part, frozen=True, kw_only=True):
    label_names: tuple[str, ...] = ()
    payload_template: str = ""
    http_mapping: HttpRequestMapping | None = None
    sink_info: StackdriverSink | None = None


class StackdriverTrace(Part, frozen=True, kw_only=True):
    sample_probability: Double = 0.0


class Stackdriver(Adapter, frozen=True, kw_only=True):
    endpoint: str = ""
    project_id: str = ""
    push_interval: Span | None = None
    app_credentials: bool | None = None
    api_key: str | None = None
    service_account_path: str | None = None
    metric_info: Map[str, StackdriverMetric] = Map()
    log_info: Map[str, StackdriverLog] = Map()
    trace: StackdriverTrace | None = None


class StatsdMetric(Part, frozen=True, kw_only=True):
    type: Literal["UNKNOWN", "COUNTER", "GAUGE", "DISTRIBUTION"] = "UNKNOWN"
    name_template: str = ""


class Statsd(Adapter, frozen=True, kw_only=True):
    address: str = ""
    prefix: str = ""
    flush_duration: Span | None = None
    flush_bytes: Int32 = 0
    sampling_rate: Double | None = None
    metrics: Map[str, StatsdMetric] = Map()


Level = Annotated[Literal["INFO", "WARNING", "ERROR"], Numbered()]


class Stdio(Adapter, frozen=True, kw_only=True):
    log_stream: Annotated[Literal["STDOUT", "STDERR", "FILE", "ROTATED_FILE"], Numbered()] = "STDOUT"
    severity_levels: Map[str, Level] = Map()
    metric_level: Level = "INFO"
    output_as_json: bool | None = None
    output_level: Level = "INFO"
    output_path: str = ""
    max_megabytes_before_rotation: Int32 | None = None
    max_days_before_rotation: Int32 | None = None
    max_rotated_files: Int32 | None = None
