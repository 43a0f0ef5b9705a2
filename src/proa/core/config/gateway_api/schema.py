"""What routes say, as users write them. Read by their checks and by the derivation."""

from typing import Annotated, Literal

from proa.core.config.record import Count, Duration, DurationOrZero, PercentInt, Port, Record, Within

GROUP = "gateway.networking.k8s.io"
X_GROUP = "gateway.networking.x-k8s.io"
"""Where the same kinds stood while they were tried."""
LISTENER_SETS = ((GROUP, "ListenerSet"), (X_GROUP, "XListenerSet"))
Weight = Annotated[int, Within(0, 1_000_000)]
RetryCode = Annotated[int, Within(400, 599)]
Seconds = Annotated[int, Within(1, 2**31 - 1)]
Denominator = Annotated[int, Within(1, 2**31 - 1)]
MatchType = Literal["Exact", "RegularExpression"]
PathType = Literal["PathPrefix", "Exact", "RegularExpression"]
Method = Literal["GET", "HEAD", "POST", "PUT", "DELETE", "CONNECT", "OPTIONS", "TRACE", "PATCH"]
Scheme = Literal["http", "https"]
CorsMethod = Literal["*", "GET", "HEAD", "POST", "PUT", "DELETE", "CONNECT", "OPTIONS", "TRACE", "PATCH"]


class ApiRecord(Record, frozen=True, kw_only=True):
    LANGUAGE = "Gateway API"


class ParentRef(ApiRecord, frozen=True, kw_only=True):
    """What a route is bound to: a Gateway (by default), a ListenerSet, or a Service whose callers obey it (GAMMA).
    Without a namespace it is in the route's. `section_name` is a listener, or the name of a Service's port."""

    group: str = GROUP
    kind: str = "Gateway"
    namespace: str = ""
    name: str
    section_name: str = ""
    port: Port | None = None


class BackendObject(ApiRecord, frozen=True, kw_only=True):
    """Without a namespace it is in the route's."""

    group: str = ""
    kind: str = "Service"
    name: str
    namespace: str = ""
    port: Port | None = None


class ValueMatch(ApiRecord, frozen=True, kw_only=True):
    type: MatchType = "Exact"
    name: str
    value: str


class PathMatch(ApiRecord, frozen=True, kw_only=True):
    """A prefix matches whole segments: `/foo` is one of `/foo/bar` and not of `/foobar`."""

    type: PathType = "PathPrefix"
    value: str = "/"


class HttpMatch(ApiRecord, frozen=True, kw_only=True):
    """All of it must hold. Of several conditions on one name the first counts."""

    path: PathMatch = PathMatch()
    headers: tuple[ValueMatch, ...] = ()
    query_params: tuple[ValueMatch, ...] = ()
    method: Method | None = None


class HeaderValue(ApiRecord, frozen=True, kw_only=True):
    name: str
    value: str


class HeaderModifier(ApiRecord, frozen=True, kw_only=True):
    set: tuple[HeaderValue, ...] = ()
    add: tuple[HeaderValue, ...] = ()
    remove: tuple[str, ...] = ()


class PathModifier(ApiRecord, frozen=True, kw_only=True):
    """One of the two, the one that `type` names."""

    type: Literal["ReplaceFullPath", "ReplacePrefixMatch"]
    replace_full_path: str | None = None
    replace_prefix_match: str | None = None


class RequestRedirect(ApiRecord, frozen=True, kw_only=True):
    """Without a port: that of the scheme, or without a scheme that of the listener."""

    scheme: Scheme | None = None
    hostname: str = ""
    path: PathModifier | None = None
    port: Port | None = None
    status_code: Annotated[int, Within(301, 308)] = 302


class UrlRewrite(ApiRecord, frozen=True, kw_only=True):
    hostname: str = ""
    path: PathModifier | None = None


class Fraction(ApiRecord, frozen=True, kw_only=True):
    numerator: Count
    denominator: Denominator = 100


class RequestMirror(ApiRecord, frozen=True, kw_only=True):
    """Neither `percent` nor `fraction`: a copy of every request."""

    backend_ref: BackendObject
    percent: PercentInt | None = None
    fraction: Fraction | None = None

    @property
    def share(self) -> float:
        """Percent of the requests that are copied."""
        if self.fraction is not None:
            return 100.0 * self.fraction.numerator / self.fraction.denominator
        return 100.0 if self.percent is None else float(self.percent)


class Cors(ApiRecord, frozen=True, kw_only=True):
    """An origin is `*`, or scheme://host with an optional port, the host's first label may be `*`."""

    allow_origins: tuple[str, ...] = ()
    allow_methods: tuple[CorsMethod, ...] = ()
    allow_headers: tuple[str, ...] = ()
    expose_headers: tuple[str, ...] = ()
    max_age: Seconds = 5
    allow_credentials: bool = False


class Filter(ApiRecord, frozen=True, kw_only=True):
    """The one field that `type` names."""

    NOT_YET = ("externalAuth", "extensionRef")

    type: str
    request_header_modifier: HeaderModifier | None = None
    response_header_modifier: HeaderModifier | None = None
    request_redirect: RequestRedirect | None = None
    url_rewrite: UrlRewrite | None = None
    request_mirror: RequestMirror | None = None
    cors: Cors | None = None


class BackendRef(BackendObject, frozen=True, kw_only=True):
    """Its part of the requests is `weight` of the sum of all."""

    weight: Weight = 1
    filters: tuple[Filter, ...] = ()


class Timeouts(ApiRecord, frozen=True, kw_only=True):
    """`request` for the answer with all tries, `backend_request` for one try. 0: none."""

    request: DurationOrZero | None = None
    backend_request: DurationOrZero | None = None


class Retry(ApiRecord, frozen=True, kw_only=True):
    """Connections that fail are tried again whatever `codes` says."""

    codes: tuple[RetryCode, ...] = ()
    attempts: Count | None = None
    backoff: DurationOrZero | None = None


class CookieConfig(ApiRecord, frozen=True, kw_only=True):
    """`Session`: until the client's browser ends. `Permanent`: for the session's absolute time."""

    lifetime_type: Literal["Session", "Permanent"] = "Session"


class SessionPersistence(ApiRecord, frozen=True, kw_only=True):
    """Who was answered goes back to the endpoint that answered. No name: one of the rule's own."""

    NOT_YET = ("idleTimeout",)

    session_name: str = ""
    type: Literal["Cookie", "Header"] = "Cookie"
    absolute_timeout: Duration | None = None
    cookie_config: CookieConfig | None = None


class HttpRule(ApiRecord, frozen=True, kw_only=True):
    """No matches: every request."""

    name: str = ""
    matches: tuple[HttpMatch, ...] = ()
    filters: tuple[Filter, ...] = ()
    backend_refs: tuple[BackendRef, ...] = ()
    timeouts: Timeouts | None = None
    retry: Retry | None = None
    session_persistence: SessionPersistence | None = None


class HttpRoute(ApiRecord, frozen=True, kw_only=True):
    """No hostnames: those of the listener. No rules: one for every request."""

    NOT_YET = ("useDefaultGateways",)

    parent_refs: tuple[ParentRef, ...] = ()
    hostnames: tuple[str, ...] = ()
    rules: tuple[HttpRule, ...] = (HttpRule(),)


class MethodMatch(ApiRecord, frozen=True, kw_only=True):
    """A service, a method of any service, or both."""

    type: MatchType = "Exact"
    service: str = ""
    method: str = ""


class GrpcMatch(ApiRecord, frozen=True, kw_only=True):
    method: MethodMatch | None = None
    headers: tuple[ValueMatch, ...] = ()


class GrpcRule(ApiRecord, frozen=True, kw_only=True):
    name: str = ""
    matches: tuple[GrpcMatch, ...] = ()
    filters: tuple[Filter, ...] = ()
    backend_refs: tuple[BackendRef, ...] = ()
    session_persistence: SessionPersistence | None = None


class GrpcRoute(ApiRecord, frozen=True, kw_only=True):
    NOT_YET = ("useDefaultGateways",)

    parent_refs: tuple[ParentRef, ...] = ()
    hostnames: tuple[str, ...] = ()
    rules: tuple[GrpcRule, ...] = (GrpcRule(),)


class StreamBackend(BackendObject, frozen=True, kw_only=True):
    """Its part of the connections is `weight` of the sum of all."""

    weight: Weight = 1


class StreamRule(ApiRecord, frozen=True, kw_only=True):
    name: str = ""
    backend_refs: tuple[StreamBackend, ...]


class TlsRoute(ApiRecord, frozen=True, kw_only=True):
    """Connections by the name their client asks for in TLS, passed on unopened or without it. One rule."""

    NOT_YET = ("useDefaultGateways",)

    parent_refs: tuple[ParentRef, ...] = ()
    hostnames: tuple[str, ...] = ()
    rules: tuple[StreamRule, ...]


class TcpRoute(ApiRecord, frozen=True, kw_only=True):
    """All connections of a listener. One rule."""

    NOT_YET = ("useDefaultGateways",)

    parent_refs: tuple[ParentRef, ...] = ()
    rules: tuple[StreamRule, ...]
