"""What a VirtualService says, as users write it. Read by its validator and by Pilot's translation."""

from types import MappingProxyType
from typing import Annotated, Literal

import msgspec
from immutables import Map

from proa.core.config.record import (
    Count,
    Duration,
    DurationOrZero,
    PercentFloat,
    PercentInt,
    Port,
    Record,
    Within,
)
from proa.core.config.retries import Retries

HttpStatus = Annotated[int, Within(200, 599)]
RedirectPort = Literal["FROM_PROTOCOL_DEFAULT", "FROM_REQUEST_PORT"]
UnmatchedPreflights = Literal["UNSPECIFIED", "FORWARD", "IGNORE"]


class StringMatch(Record, frozen=True, kw_only=True):
    """One of the three; none of them (only in maps of headers and parameters) asks for presence alone."""

    exact: str | None = None
    prefix: str | None = None
    regex: str | None = None


class PortSelector(Record, frozen=True, kw_only=True):
    number: Port


class Destination(Record, frozen=True, kw_only=True):
    host: str
    subset: str = ""
    port: PortSelector | None = None


class HttpMatch(Record, frozen=True, kw_only=True):
    """All conditions must hold. `port` is the service's port that the client called; `source_labels` and
    `source_namespace` are those of its workload, and are asked when its proxy is configured."""

    name: str = ""
    uri: StringMatch | None = None
    scheme: StringMatch | None = None
    method: StringMatch | None = None
    authority: StringMatch | None = None
    headers: Map[str, StringMatch] = Map()
    without_headers: Map[str, StringMatch] = Map()
    query_params: Map[str, StringMatch] = Map()
    port: Port | None = None
    gateways: tuple[str, ...] = ()
    ignore_uri_case: bool = False
    source_labels: Map[str, str] = Map()
    source_namespace: str = ""
    stat_prefix: str = ""


class HeaderOperations(Record, frozen=True, kw_only=True):
    """Values may hold Envoy's operators (`%DOWNSTREAM_REMOTE_ADDRESS%`); a percent sign itself is written twice."""

    set: Map[str, str] = Map()
    add: Map[str, str] = Map()
    remove: tuple[str, ...] = ()


class Headers(Record, frozen=True, kw_only=True):
    request: HeaderOperations | None = None
    response: HeaderOperations | None = None


class HttpRouteDestination(Record, frozen=True, kw_only=True):
    destination: Destination
    weight: Count = 0
    headers: Headers | None = None


class Percent(Record, frozen=True, kw_only=True):
    value: PercentFloat = 0.0


class Delay(Record, frozen=True, kw_only=True):
    """`percentage` wins over the old `percent`; neither means no request at all. `exponential_delay` was never in
    force."""

    IDLE = MappingProxyType({"exponentialDelay": "it was never in force, in Istio either"})

    fixed_delay: Duration | None = None
    exponential_delay: Duration | None = None
    percent: PercentInt = 0
    percentage: Percent | None = None

    @property
    def share(self) -> float:
        """Percent of the requests that are delayed."""
        return float(self.percent) if self.percentage is None else self.percentage.value


class Abort(Record, frozen=True, kw_only=True):
    """As Delay, with the status that answers instead of the service. `http2_error` was never in force."""

    IDLE = MappingProxyType({"http2Error": "it was never in force, in Istio either"})

    http_status: HttpStatus | None = None
    grpc_status: str = ""
    http2_error: str = msgspec.field(default="", name="http2Error")
    percent: PercentInt = 0
    percentage: Percent | None = None

    @property
    def share(self) -> float:
        """Percent of the requests that are aborted."""
        return float(self.percent) if self.percentage is None else self.percentage.value


class Fault(Record, frozen=True, kw_only=True):
    delay: Delay | None = None
    abort: Abort | None = None


class RegexRewrite(Record, frozen=True, kw_only=True):
    """Every part of the path (without its query) that matches is replaced; `\\1` is the first group."""

    match: str
    rewrite: str = ""


class Rewrite(Record, frozen=True, kw_only=True):
    """`uri` replaces the whole path, or only the prefix when the match was a prefix."""

    uri: str = ""
    authority: str = ""
    uri_regex_rewrite: RegexRewrite | None = None


class Redirect(Record, frozen=True, kw_only=True):
    """`redirect_code` 0 is not set: it counts as 301. `uri` replaces the whole path, `prefix_rewrite` the prefix that
    matched."""

    uri: str = ""
    authority: str = ""
    port: Port | None = None
    derive_port: RedirectPort | None = None
    scheme: str = ""
    prefix_rewrite: str = ""
    redirect_code: Count = 0


class HttpBody(Record, frozen=True, kw_only=True):
    """One of the two; `bytes` in base64."""

    string: str | None = None
    bytes: str | None = None


class DirectResponse(Record, frozen=True, kw_only=True):
    status: HttpStatus
    body: HttpBody | None = None


class Mirror(Record, frozen=True, kw_only=True):
    """No percentage: every request."""

    destination: Destination
    percentage: Percent | None = None


class Cors(Record, frozen=True, kw_only=True):
    """`allow_origin` is the old spelling of exact `allow_origins`. `unmatched_preflights` decides what becomes of a
    preflight from an origin that is not allowed: on to the service unless IGNORE."""

    allow_origin: tuple[str, ...] = ()
    allow_origins: tuple[StringMatch, ...] = ()
    allow_methods: tuple[str, ...] = ()
    allow_headers: tuple[str, ...] = ()
    expose_headers: tuple[str, ...] = ()
    max_age: DurationOrZero | None = None
    allow_credentials: bool | None = None
    unmatched_preflights: UnmatchedPreflights = "UNSPECIFIED"


class Delegate(Record, frozen=True, kw_only=True):
    """Another VirtualService, one without hosts. No namespace: that of the object that hands on."""

    name: str
    namespace: str = ""


class HttpRoute(Record, frozen=True, kw_only=True):
    """One rule: any block of `match` (none: always), then exactly one of route, redirect, direct_response, delegate."""

    name: str = ""
    match: tuple[HttpMatch, ...] = ()
    route: tuple[HttpRouteDestination, ...] = ()
    redirect: Redirect | None = None
    direct_response: DirectResponse | None = None
    delegate: Delegate | None = None
    rewrite: Rewrite | None = None
    timeout: Duration | None = None
    retries: Retries | None = None
    fault: Fault | None = None
    mirror: Destination | None = None
    mirrors: tuple[Mirror, ...] = ()
    mirror_percent: PercentInt | None = None
    mirror_percentage: Percent | None = None
    cors_policy: Cors | None = None
    headers: Headers | None = None


class RouteDestination(Record, frozen=True, kw_only=True):
    """Where a stream goes."""

    destination: Destination
    weight: Count = 0


class TcpMatch(Record, frozen=True, kw_only=True):
    """All conditions must hold, as in HttpMatch. `destination_subnets`: what the client dialled is in one of them.
    `source_subnet` has no effect, as in Istio."""

    IDLE = MappingProxyType({"sourceSubnet": "Istio does not read it either"})

    destination_subnets: tuple[str, ...] = ()
    port: Port | None = None
    source_subnet: str = ""
    source_labels: Map[str, str] = Map()
    gateways: tuple[str, ...] = ()
    source_namespace: str = ""


class TlsMatch(Record, frozen=True, kw_only=True):
    """As TcpMatch, of connections whose client names one of `sni_hosts`."""

    sni_hosts: tuple[str, ...]
    destination_subnets: tuple[str, ...] = ()
    port: Port | None = None
    source_labels: Map[str, str] = Map()
    gateways: tuple[str, ...] = ()
    source_namespace: str = ""


class TlsRoute(Record, frozen=True, kw_only=True):
    match: tuple[TlsMatch, ...]
    route: tuple[RouteDestination, ...] = ()


class TcpRoute(Record, frozen=True, kw_only=True):
    """No match: always."""

    match: tuple[TcpMatch, ...] = ()
    route: tuple[RouteDestination, ...] = ()


class VirtualService(Record, frozen=True, kw_only=True):
    """No gateways means `mesh`: all sidecars. No export_to means `*`. `tls`: for TLS that the proxy does not end;
    `tcp`: for what is neither. No hosts: its rules hold where another object hands on to it."""

    hosts: tuple[str, ...] = ()
    gateways: tuple[str, ...] = ()
    http: tuple[HttpRoute, ...] = ()
    tls: tuple[TlsRoute, ...] = ()
    tcp: tuple[TcpRoute, ...] = ()
    export_to: tuple[str, ...] = ()


class StickySession(Record, frozen=True, kw_only=True):
    """Who was answered goes back to the endpoint that answered. One of `cookie` and `header` is the name of what
    carries it; `ttl` in milliseconds, None: until the client's browser ends."""

    cookie: str = ""
    path: str = ""
    ttl: Duration | None = None
    header: str = ""


class Beyond(Record, frozen=True, kw_only=True):
    """What Istio's language cannot say of one rule. `missing`: the status that answers the share of a destination that
    is not there (0: 503, as of Istio's own rules); `session`: how clients keep their endpoint; `port_name`: for the
    service's port of this name alone."""

    missing: Annotated[int, Within(0, 599)] = 0
    session: StickySession | None = None
    port_name: str = ""


class DerivedRoutes(VirtualService, frozen=True, kw_only=True):
    """A VirtualService that nobody wrote: it comes of Gateway API's routes. With a Beyond for each rule of `http`,
    `tls` and `tcp`."""

    beyond_http: tuple[Beyond, ...] = ()
    beyond_tls: tuple[Beyond, ...] = ()
    beyond_tcp: tuple[Beyond, ...] = ()

    def as_written(self) -> VirtualService:
        """Without what nobody can write."""
        names = (info.name for info in msgspec.structs.fields(VirtualService))
        return VirtualService(**{name: getattr(self, name) for name in names})
