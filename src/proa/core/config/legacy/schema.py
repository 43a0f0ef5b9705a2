"""What the kinds of config.istio.io say (RouteRule, DestinationPolicy, EgressRule, IngressRule), as users write them.

Read by their checks and by the conversion. Older spellings of the same (`tags`, snake_case, `type: route-rule`) are
brought into this form by `spelling` before anything is read. GONE names what 2018 itself never did, or did in a way
that no proxy can: it is refused, for a rule that silently does less than it says is worse than none.
"""

from typing import Annotated, Literal

from immutables import Map

from proa.core.config.record import Count, Duration, PercentFloat, Port, Record, Within

_OVERRIDE = Map(
    overrideHeaderName="was never in force and has no equivalent today; remove it (callers may send "
    "x-envoy-upstream-rq-timeout-ms, x-envoy-max-retries or x-envoy-fault-* themselves)"
)
_CUSTOM = Map(custom="was for proxies other than Envoy and never in force; remove it")


class IstioService(Record, frozen=True, kw_only=True):
    """A service: `service` is a full name and wins; else `name`, by default of the rule's own namespace."""

    name: str = ""
    namespace: str = ""
    domain: str = ""
    service: str = ""
    labels: Map[str, str] = Map()


class StringMatch(Record, frozen=True, kw_only=True):
    exact: str | None = None
    prefix: str | None = None
    regex: str | None = None


class MatchRequest(Record, frozen=True, kw_only=True):
    """`headers` holds the pseudo names uri, scheme, method and authority besides real ones."""

    headers: Map[str, StringMatch] = Map()


class MatchCondition(Record, frozen=True, kw_only=True):
    """All must hold. `source` is the client: a workload of that service that has those labels."""

    GONE = Map(
        tcp="was never in force: rules of 2018 were for HTTP; write a VirtualService with tcp",
        udp="was never in force; remove it",
    )

    source: IstioService | None = None
    request: MatchRequest | None = None


class DestinationWeight(Record, frozen=True, kw_only=True):
    """No `destination` is the rule's own; `weight` 0 is all of it when the rule has one."""

    destination: IstioService | None = None
    labels: Map[str, str] = Map()
    weight: Count = 0


class Redirect(Record, frozen=True, kw_only=True):
    uri: str = ""
    authority: str = ""


class Rewrite(Record, frozen=True, kw_only=True):
    uri: str = ""
    authority: str = ""


class SimpleTimeout(Record, frozen=True, kw_only=True):
    GONE = _OVERRIDE

    timeout: Duration


class Timeout(Record, frozen=True, kw_only=True):
    GONE = _CUSTOM

    simple_timeout: SimpleTimeout | None = None


class SimpleRetry(Record, frozen=True, kw_only=True):
    GONE = _OVERRIDE

    attempts: Count
    per_try_timeout: Duration | None = None


class Retry(Record, frozen=True, kw_only=True):
    GONE = _CUSTOM

    simple_retry: SimpleRetry | None = None


class Delay(Record, frozen=True, kw_only=True):
    GONE = _OVERRIDE

    percent: PercentFloat = 0.0
    fixed_delay: Duration | None = None
    exponential_delay: Duration | None = None


class Abort(Record, frozen=True, kw_only=True):
    GONE = _OVERRIDE

    percent: PercentFloat = 0.0
    grpc_status: str = ""
    http2_error: str = ""
    http_status: Annotated[int, Within(0, 600)] | None = None


class Fault(Record, frozen=True, kw_only=True):
    delay: Delay | None = None
    abort: Abort | None = None


class CorsPolicy(Record, frozen=True, kw_only=True):
    allow_origin: tuple[str, ...] = ()
    allow_methods: tuple[str, ...] = ()
    allow_headers: tuple[str, ...] = ()
    expose_headers: tuple[str, ...] = ()
    max_age: Duration | None = None
    allow_credentials: bool | None = None


class RouteRule(Record, frozen=True, kw_only=True):
    """Of several rules for one destination that with the highest precedence is asked first; names break ties."""

    GONE = Map(l4Fault="was never in force and has no equivalent; remove it")

    destination: IstioService
    precedence: Annotated[int, Within(-(2**31), 2**31 - 1)] = 0
    match: MatchCondition | None = None
    route: tuple[DestinationWeight, ...] = ()
    redirect: Redirect | None = None
    rewrite: Rewrite | None = None
    websocket_upgrade: bool = False
    http_req_timeout: Timeout | None = None
    http_req_retries: Retry | None = None
    http_fault: Fault | None = None
    mirror: IstioService | None = None
    cors_policy: CorsPolicy | None = None
    append_headers: Map[str, str] = Map()


class LoadBalancing(Record, frozen=True, kw_only=True):
    GONE = _CUSTOM

    name: Literal["ROUND_ROBIN", "LEAST_CONN", "RANDOM"] = "ROUND_ROBIN"


class SimpleCircuitBreaker(Record, frozen=True, kw_only=True):
    """Zero is not set. `sleep_window`: how long an endpoint is ejected; the http_ fields beside it say when."""

    max_connections: Count = 0
    http_max_pending_requests: Count = 0
    http_max_requests: Count = 0
    sleep_window: Duration | None = None
    http_consecutive_errors: Count = 0
    http_detection_interval: Duration | None = None
    http_max_requests_per_connection: Count = 0
    http_max_ejection_percent: Annotated[int, Within(0, 100)] = 0
    http_max_retries: Count = 0


class CircuitBreaker(Record, frozen=True, kw_only=True):
    GONE = _CUSTOM

    simple_cb: SimpleCircuitBreaker | None = None


class VersionPolicy(Record, frozen=True, kw_only=True):
    """One of 2017's list: the policy for the instances with these labels."""

    labels: Map[str, str] = Map()
    load_balancing: LoadBalancing | None = None
    circuit_breaker: CircuitBreaker | None = None


class DestinationPolicy(Record, frozen=True, kw_only=True):
    """For the instances of `destination` that have its labels, as called by `source` (none: by anybody)."""

    GONE = _CUSTOM

    destination: IstioService
    source: IstioService | None = None
    load_balancing: LoadBalancing | None = None
    circuit_breaker: CircuitBreaker | None = None
    policy: tuple[VersionPolicy, ...] = ()


class EgressPort(Record, frozen=True, kw_only=True):
    port: Port
    protocol: str


class EgressRule(Record, frozen=True, kw_only=True):
    """`destination.service`: a host, `*.host` or a block of addresses outside the mesh."""

    destination: IstioService
    ports: tuple[EgressPort, ...]
    use_egress_proxy: bool = False


class IngressRule(Record, frozen=True, kw_only=True):
    """One rule of the mesh's door. `port` 0: 443 with a secret, else 80."""

    destination: IstioService
    port: Annotated[int, Within(0, 65535)] = 0
    tls_secret: str = ""
    precedence: Annotated[int, Within(-(2**31), 2**31 - 1)] = 0
    match: MatchCondition | None = None
    destination_port: Annotated[int, Within(0, 65535)] = 0
    destination_port_name: str = ""
