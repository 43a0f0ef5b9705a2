"""What a VirtualService says, as users write it. Read by its validator and by Pilot's translation."""

from typing import Annotated

from immutables import Map

from proa.core.config.record import Count, Duration, PercentFloat, PercentInt, Port, Record, Within


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

    NOT_YET = ("statPrefix",)

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


class HttpRouteDestination(Record, frozen=True, kw_only=True):
    NOT_YET = ("headers",)

    destination: Destination
    weight: Count = 0


class Retries(Record, frozen=True, kw_only=True):
    """`retry_on` is a comma list of Envoy's conditions and status codes. `attempts` 0 turns retries off."""

    NOT_YET = ("retryRemoteLocalities", "retryIgnorePreviousHosts", "backoff")

    attempts: Count = 0
    per_try_timeout: Duration | None = None
    retry_on: str = ""


class Percent(Record, frozen=True, kw_only=True):
    value: PercentFloat = 0.0


class Delay(Record, frozen=True, kw_only=True):
    """`percentage` wins over the old `percent`; neither means no request at all."""

    NOT_YET = ("exponentialDelay",)

    fixed_delay: Duration
    percent: PercentInt = 0
    percentage: Percent | None = None

    @property
    def share(self) -> float:
        """Percent of the requests that are delayed."""
        return float(self.percent) if self.percentage is None else self.percentage.value


class Abort(Record, frozen=True, kw_only=True):
    """As Delay, with the status that answers instead of the service."""

    NOT_YET = ("grpcStatus", "http2Error")

    http_status: Annotated[int, Within(200, 599)]
    percent: PercentInt = 0
    percentage: Percent | None = None

    @property
    def share(self) -> float:
        """Percent of the requests that are aborted."""
        return float(self.percent) if self.percentage is None else self.percentage.value


class Fault(Record, frozen=True, kw_only=True):
    delay: Delay | None = None
    abort: Abort | None = None


class Rewrite(Record, frozen=True, kw_only=True):
    """`uri` replaces the whole path, or only the prefix when the match was a prefix."""

    NOT_YET = ("uriRegexRewrite",)

    uri: str = ""
    authority: str = ""


class Redirect(Record, frozen=True, kw_only=True):
    """`redirect_code` 0 is not set: it counts as 301."""

    NOT_YET = ("port", "derivePort", "scheme", "prefixRewrite")

    uri: str = ""
    authority: str = ""
    redirect_code: Count = 0


class HttpBody(Record, frozen=True, kw_only=True):
    NOT_YET = ("bytes",)

    string: str = ""


class DirectResponse(Record, frozen=True, kw_only=True):
    status: Annotated[int, Within(200, 599)]
    body: HttpBody | None = None


class HttpRoute(Record, frozen=True, kw_only=True):
    """One rule: any block of `match` (none: always), then exactly one of route, redirect, direct_response."""

    NOT_YET = (
        "delegate",
        "mirror",
        "mirrors",
        "mirrorPercent",
        "mirrorPercentage",
        "corsPolicy",
        "headers",
    )

    name: str = ""
    match: tuple[HttpMatch, ...] = ()
    route: tuple[HttpRouteDestination, ...] = ()
    redirect: Redirect | None = None
    direct_response: DirectResponse | None = None
    rewrite: Rewrite | None = None
    timeout: Duration | None = None
    retries: Retries | None = None
    fault: Fault | None = None


class VirtualService(Record, frozen=True, kw_only=True):
    """No gateways means `mesh`: all sidecars. No export_to means `*`."""

    NOT_YET = ("tls", "tcp")

    hosts: tuple[str, ...]
    gateways: tuple[str, ...] = ()
    http: tuple[HttpRoute, ...] = ()
    export_to: tuple[str, ...] = ()
