"""What a route must say, in the terms of routing and not of any rule language.

`core.pilot.scope` fills these from VirtualServices and services; the builders beside this file turn them into
Envoy's messages. Every fact a builder needs is here, so an intent's digest is the key of what is built from it.
"""

from typing import Literal

import msgspec

from proa.core.model.names import ObjectRef
from proa.core.model.settings import Retry


class TextMatch(msgspec.Struct, frozen=True, kw_only=True):
    """`present` asks only that there be a value. `regex` is RE2 and matches the whole text."""

    kind: Literal["exact", "prefix", "regex", "present"]
    value: str = ""


class FieldMatch(msgspec.Struct, frozen=True, kw_only=True):
    """A header (pseudo headers included) or query parameter; `absent_or_not` turns the test round."""

    name: str
    text: TextMatch
    invert: bool = False


class ClaimMatch(msgspec.Struct, frozen=True, kw_only=True):
    """A claim of a good token, by the steps down to it: a text, or a list that holds one."""

    path: tuple[str, ...]
    text: TextMatch
    invert: bool = False


class RequestMatch(msgspec.Struct, frozen=True, kw_only=True):
    """All of it must hold. `path` None: any path. `stat_prefix`: under which name what matches is counted."""

    path: TextMatch | None = None
    ignore_case: bool = False
    headers: tuple[FieldMatch, ...] = ()
    query: tuple[FieldMatch, ...] = ()
    claims: tuple[ClaimMatch, ...] = ()
    stat_prefix: str = ""

    @property
    def takes_all(self) -> bool:
        return self == RequestMatch(stat_prefix=self.stat_prefix)


class HeaderEdits(msgspec.Struct, frozen=True, kw_only=True):
    """`set` overwrites, `add` appends; pairs of name and value, sorted. Values may hold Envoy's operators."""

    set: tuple[tuple[str, str], ...] = ()
    add: tuple[tuple[str, str], ...] = ()
    remove: tuple[str, ...] = ()


class HashKey(msgspec.Struct, frozen=True, kw_only=True):
    """By what of a request its endpoint is chosen. `ttl_ms` None: no cookie is made. `attributes`: of that cookie.
    `filter_state`: a fact of the client itself, by the name it has there."""

    header: str = ""
    query_parameter: str = ""
    source_ip: bool = False
    cookie: str = ""
    path: str = ""
    ttl_ms: int | None = None
    attributes: tuple[tuple[str, str], ...] = ()
    filter_state: str = ""


class Session(msgspec.Struct, frozen=True, kw_only=True):
    """Who was answered goes back to the endpoint that answered, as long as that is there: by a cookie that its client
    keeps (`path`: below which; `ttl_ms` None: until its browser ends), or by a header that it sends again."""

    cookie: str = ""
    path: str = ""
    ttl_ms: int | None = None
    header: str = ""


class Target(msgspec.Struct, frozen=True, kw_only=True):
    """`follows_client` marks a cluster of a port with undeclared protocol: the hop speaks what the client spoke.
    `hash_key`: which endpoint takes a request is not any one's turn. `authority`: the host it is told, if another.
    `answers`: this status is answered, and nothing forwarded. `is_dynamic`: what the request asks for is looked up."""

    cluster: str
    weight: int = 1
    follows_client: bool = False
    hash_key: HashKey | None = None
    authority: str = ""
    request_headers: HeaderEdits = HeaderEdits()
    response_headers: HeaderEdits = HeaderEdits()
    answers: int = 0
    is_dynamic: bool = False


class Mirror(msgspec.Struct, frozen=True, kw_only=True):
    """`percent` of the requests go to `cluster` as well; what it answers reaches nobody."""

    cluster: str
    percent: float = 100.0


class Cors(msgspec.Struct, frozen=True, kw_only=True):
    """`origins` None of them: nobody's. `max_age_s` None: not said."""

    origins: tuple[TextMatch, ...] = ()
    methods: tuple[str, ...] = ()
    headers: tuple[str, ...] = ()
    exposed: tuple[str, ...] = ()
    max_age_s: int | None = None
    credentials: bool = False
    forward_unmatched: bool = True


class OuterTunnel(msgspec.Struct, frozen=True, kw_only=True):
    """What is asked of the cluster that opens it: the way to `target`, an address or name with a port."""

    target: str
    by_post: bool = False


class Stream(msgspec.Struct, frozen=True, kw_only=True):
    """Where raw connections go. `idle_timeout_ms` None: Envoy's hour, 0: never; `max_duration_ms` 0: for ever.
    `looked_up_port`: to the name in SNI, at this port."""

    targets: tuple[Target, ...]
    idle_timeout_ms: int | None = None
    max_duration_ms: int = 0
    by_client_address: bool = False
    tunnel: OuterTunnel | None = None
    looked_up_port: int = 0


class Fault(msgspec.Struct, frozen=True, kw_only=True):
    """Percents are 0 to 100 with Envoy's resolution of a ten-thousandth of a percent."""

    delay_ms: int = 0
    delay_percent: float = 0.0
    abort_status: int = 0
    abort_grpc: int | None = None
    abort_percent: float = 0.0


class Redirect(msgspec.Struct, frozen=True, kw_only=True):
    """`path` replaces the whole path, `prefix` what matched of it. `port` 0: that of the scheme."""

    scheme: str = ""
    path: str = ""
    prefix: str = ""
    authority: str = ""
    port: int = 0
    code: int = 301


class DirectResponse(msgspec.Struct, frozen=True, kw_only=True):
    """`body` is text, `content` anything."""

    status: int
    body: str = ""
    content: bytes = b""


class Rewrite(msgspec.Struct, frozen=True, kw_only=True):
    """`path` replaces the prefix that matched, else the whole path; `pattern` (RE2) every part that matches it."""

    path: str = ""
    authority: str = ""
    pattern: str = ""
    substitution: str = ""


class RouteIntent(msgspec.Struct, frozen=True, kw_only=True):
    """One rule: `matches` are alternatives, in order. Exactly one of targets, redirect, direct_response is set.
    `timeout_ms` 0: none. `guarded`: the egress guard looks at where it goes. `without_proxy`: a gRPC client reads
    it itself, for which a timeout has another name."""

    name: str = ""
    matches: tuple[RequestMatch, ...] = (RequestMatch(),)
    targets: tuple[Target, ...] = ()
    redirect: Redirect | None = None
    direct_response: DirectResponse | None = None
    rewrite: Rewrite | None = None
    timeout_ms: int = 0
    retry: Retry = Retry()
    fault: Fault | None = None
    mirrors: tuple[Mirror, ...] = ()
    cors: Cors | None = None
    session: Session | None = None
    request_headers: HeaderEdits = HeaderEdits()
    response_headers: HeaderEdits = HeaderEdits()
    guarded: bool = False
    without_proxy: bool = False
    objects: tuple[ObjectRef, ...] = ()
    rule: str = ""


class ConnectStream(msgspec.Struct, frozen=True, kw_only=True):
    """Where a tunnel's bytes go that are no requests. `names`: for these in CONNECT alone, `*.` for all below."""

    stream: Stream
    names: tuple[str, ...] = ()
    objects: tuple[ObjectRef, ...] = ()
    rule: str = ""


class Connect(msgspec.Struct, frozen=True, kw_only=True):
    """What becomes of CONNECT to `port`. `tunnel` leads into an internal listener, by the first of `streams` that
    holds; what is left goes straight out (`guarded`), or is refused with `refusal`."""

    port: int = 0
    tunnel: str = ""
    streams: tuple[ConnectStream, ...] = ()
    guarded: str = ""
    refusal: int = 0


class VirtualHostIntent(msgspec.Struct, frozen=True, kw_only=True):
    name: str
    domains: tuple[str, ...]
    routes: tuple[RouteIntent, ...]
    connect: Connect | None = None
    objects: tuple[ObjectRef, ...] = ()
