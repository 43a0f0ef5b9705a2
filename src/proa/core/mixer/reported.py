"""What a proxy tells of a request or connection that has ended, as attributes.

It comes as entries of Envoy's access log. They say of a request what a check would have been told (`Asked`), of headers
those alone that were asked for, and how it ended (`Ended`).

Two tell of the same request: the server's proxy, whose own side is known and who names the caller by his certificate,
and the client's (a gateway's too), who names the server by his.
"""

from collections.abc import Callable, Mapping
from typing import Final

import msgspec
from envoy.config.core.v3.base_pb2 import RequestMethod
from envoy.data.accesslog.v3.accesslog_pb2 import (
    AccessLogCommon,
    AccessLogType,
    HTTPAccessLogEntry,
    TCPAccessLogEntry,
)
from google.protobuf.json_format import MessageToDict
from immutables import Map

from proa.core.attributes.addresses import parse_address
from proa.core.attributes.value_types import Span, StringMap, Timestamp, Value
from proa.core.mixer.api_specs import NO_APIS, Apis
from proa.core.mixer.asked import JWT, Asked, Party, Place, RequestBag
from proa.core.mixer.reporting.connections import Carried, Moment
from proa.core.mixer.reporting.trace_headers import add_b3
from proa.core.mixer.verdict.script import NAMESPACE, TOLD_BY
from proa.core.model.metering import Side

PEER_TAG: Final = "proa.peer"
"""The tag that whoever configures the access log sets to `PEER_FORMAT`: entries tell the certificate's URI alone."""
PEER_FORMAT: Final = "%DOWNSTREAM_PEER_DNS_SAN%"
CALLED_TAG: Final = "proa.called"
"""Of clients' proxies, to `CALLED_FORMAT`: the certificate of the server that was called, which entries do not tell."""
CALLED_FORMAT: Final = "%UPSTREAM_PEER_URI_SAN% %UPSTREAM_PEER_DNS_SAN%"
_NOTHING: Final = "-"
_ON_ITS_WAY: Final = "connect_"
"""How clusters begin that lead into a listener of the proxy's own, which tells of the connection itself."""


class Viewpoint(msgspec.Struct, frozen=True):
    """From where a proxy tells: as the client, or as the server at a service port, of what came by mesh TLS or
    without. It is the name of the log."""

    side: Side
    port: int = 0

    @property
    def name(self) -> str:
        return f"proa.reports|{self.side}|{self.port}"


def viewpoint_of(name: str) -> Viewpoint | None:
    """None: that is no log of ours."""
    parts = name.split("|")
    if len(parts) != 3 or parts[0] != "proa.reports" or not parts[2].isdecimal() or len(parts[2]) > 5:
        return None
    port = int(parts[2])
    match parts[1]:
        case "client" | "tls" | "plain" as side:
            return Viewpoint(side, port)
        case _:
            return None


class Called(msgspec.Struct, frozen=True, kw_only=True):
    """Where a client's proxy sent it: Envoy's name of the cluster, the server's address (`port` 0: none was chosen),
    its SPIFFE id and the name that the authority put beside it. Empty: not known. `is_on_its_way`: into a listener of
    the same proxy, which tells of it again."""

    cluster: str = ""
    address: str = ""
    port: int = 0
    identity: str = ""
    workload: str = ""

    @property
    def is_on_its_way(self) -> bool:
        return self.cluster.startswith(_ON_ITS_WAY)


class Ended(msgspec.Struct, frozen=True, kw_only=True):
    """`code` 0: there was no answer. Sizes in bytes; totals include headers. `error_code` is the google.rpc.Code of a
    check that refused, `is_kept`: by what the proxy knew. Of a connection, which is also told of while it stands, all
    but `duration_ns`, `received` and `sent` (in all until then) is empty; `is_whole`: nothing was told of it before."""

    is_stream: bool = False
    connection: str = ""
    moment: Moment = "close"
    is_whole: bool = False
    called: Called = Called()
    code: int = 0
    headers: Mapping[str, str] = Map()
    grpc_status: str = ""
    grpc_message: str = ""
    duration_ns: int = 0
    request_size: int = 0
    request_total: int = 0
    response_size: int = 0
    response_total: int = 0
    received: int = 0
    sent: int = 0
    error_code: int = 0
    error_message: str = ""
    is_kept: bool = False


def read_http_entry(entry: HTTPAccessLogEntry) -> tuple[Asked, Ended]:
    common, request, response = entry.common_properties, entry.request, entry.response
    headers = dict(request.request_headers)
    method = RequestMethod.Name(request.request_method) if request.request_method else ""
    for name, value in (
        (":method", method),
        (":path", request.original_path or request.path),
        (":authority", request.authority),
        (":scheme", request.scheme),
        ("user-agent", request.user_agent),
        ("referer", request.referer),
        ("x-request-id", request.request_id),
        ("x-forwarded-for", request.forwarded_for),
    ):
        if value:
            headers[name] = value
    add_b3(headers)
    asked = _asked(common, headers)
    if method == "CONNECT":
        return asked, _tunnel(entry)
    told = {**response.response_headers, **response.response_trailers}
    code, message, is_kept = _checked(common)
    return asked, Ended(
        called=_called(common),
        code=response.response_code.value,
        headers=dict(response.response_headers),
        grpc_status=told.get("grpc-status", ""),
        grpc_message=told.get("grpc-message", ""),
        duration_ns=common.duration.ToNanoseconds(),
        request_size=request.request_body_bytes,
        request_total=request.request_body_bytes + request.request_headers_bytes,
        response_size=response.response_body_bytes,
        response_total=response.response_body_bytes + response.response_headers_bytes,
        error_code=code,
        error_message=message,
        is_kept=is_kept,
    )


def _tunnel(entry: HTTPAccessLogEntry) -> Ended:
    """A CONNECT is a connection, told of when it ends."""
    common = entry.common_properties
    return Ended(
        is_stream=True,
        connection=common.stream_id,
        is_whole=True,
        called=_called(common),
        duration_ns=common.duration.ToNanoseconds(),
        received=entry.request.request_body_bytes,
        sent=entry.response.response_body_bytes,
    )


def read_stream_entry(entry: TCPAccessLogEntry) -> tuple[Asked, Ended]:
    common, carried = entry.common_properties, entry.connection_properties
    moment = _MOMENTS.get(common.access_log_type, "close")
    return _asked(common, {}), Ended(
        is_stream=True,
        connection=common.stream_id,
        moment=moment,
        # Who never reached a server was never told of as open.
        is_whole=moment == "close" and not common.HasField("upstream_local_address"),
        called=_called(common),
        duration_ns=common.duration.ToNanoseconds(),
        received=carried.received_bytes,
        sent=carried.sent_bytes,
    )


_MOMENTS: Final[Mapping[int, Moment]] = {
    AccessLogType.TcpUpstreamConnected: "open",
    AccessLogType.TcpPeriodic: "continue",
}


def _called(common: AccessLogCommon) -> Called:
    address = common.upstream_remote_address.socket_address
    identity, _, workload = common.custom_tags.get(CALLED_TAG, "").partition(" ")
    return Called(
        cluster=common.upstream_cluster,
        address=address.address,
        port=address.port_value,
        identity="" if identity == _NOTHING else identity.partition(",")[0],
        workload="" if workload == _NOTHING else workload.partition(",")[0],
    )


def _checked(common: AccessLogCommon) -> tuple[int, str, bool]:
    """What the filters say of the check: the refusal's code and reason, and whether the proxy knew the answer."""
    metadata = common.metadata.filter_metadata
    kept = metadata[NAMESPACE].fields if NAMESPACE in metadata else {}
    if "grpc" in kept:
        return int(kept["grpc"].number_value), kept["body"].string_value, True
    told = metadata[TOLD_BY].fields if TOLD_BY in metadata else {}
    for policy in ("closed", "open"):
        found = told[policy].struct_value.fields if policy in told else {}
        if "grpc" in found and found["grpc"].number_value:
            return int(found["grpc"].number_value), found["body"].string_value, False
    return 0, "", "hit" in kept


def _asked(common: AccessLogCommon, headers: Mapping[str, str]) -> Asked:
    tls = common.tls_properties
    names = (name.uri for name in tls.peer_certificate_properties.subject_alt_name if name.uri)
    workload = common.custom_tags.get(PEER_TAG, _NOTHING)
    metadata = common.metadata.filter_metadata
    claims = MessageToDict(metadata[JWT]).get("payload") if JWT in metadata else None
    return Asked(
        headers=headers,
        identity=next(names, ""),
        workload="" if workload == _NOTHING else workload.partition(",")[0],
        address=common.downstream_direct_remote_address.socket_address.address,
        server_name=tls.tls_sni_hostname,
        claims=claims if isinstance(claims, dict) else {},
        nanoseconds=common.start_time.ToNanoseconds(),
    )


def server_facts(place: Place, caller: Party | None) -> Mapping[str, Value]:
    """What is known beforehand of what a server's proxy tells from a caller."""
    return place.attributes.update(caller.attributes("source")) if caller else place.attributes


def client_facts(
    own: Party, principal: str, server: Place | Party | None, called: Called, service: Map[str, Value]
) -> Mapping[str, Value]:
    """The same of a client's proxy. `principal` is its own SPIFFE id. `server` is the port that was called, or the
    workload that has it; `service` are `destination.service.*` of the host that was called."""
    found: dict[str, Value] = own.attributes("source")
    if isinstance(server, Place):
        served = server.attributes.items()
        found.update((name, value) for name, value in served if name.startswith("destination."))
        found.update(server.apis.constants)
    elif server is not None:
        found |= server.attributes("destination")
    if called.identity:
        found["destination.principal"] = found["destination.user"] = called.identity.removeprefix("spiffe://")
    mine = principal.removeprefix("spiffe://")
    return {
        **found,
        **service,
        "source.principal": mine,
        "source.user": mine,
        "connection.mtls": bool(called.identity),
        "context.reporter.kind": "outbound",
        "context.reporter.uid": found["source.uid"],
    }


class ReportBag:
    """The attributes of what has ended, or of a connection that stands. A core.attributes Bag. `facts` are what is
    known of both sides besides, `apis` those of the service; `carried` what a connection carried since it was told of
    last."""

    def __init__(
        self,
        asked: Asked,
        ended: Ended,
        facts: Mapping[str, Value],
        carried: Carried | None = None,
        apis: Apis = NO_APIS,
    ) -> None:
        self._asked = RequestBag(asked, Place(apis=apis), None)
        self._begun = asked.nanoseconds
        self._ended = ended
        self._facts = facts
        self._carried = carried

    def get(self, name: str, /) -> Value | None:
        ended = self._ended
        if ended.is_stream:
            if name in _OF_STREAMS:
                return _OF_STREAMS[name](ended)
            if name.startswith(("request.", "response.")):
                return None
            carried = self._carried
            if name == "connection.received.bytes":
                return ended.received if carried is None else carried.received
            if name == "connection.sent.bytes":
                return ended.sent if carried is None else carried.sent
        else:
            made = _OF_REQUESTS.get(name)
            if made is not None:
                return made(ended)
            if name == "response.time":
                return Timestamp(self._begun + ended.duration_ns)
        found = self._facts.get(name)
        if found is not None:
            return found
        if name == "destination.ip":
            return parse_address(ended.called.address)
        if name == "destination.port":
            return ended.called.port or None
        return self._asked.get(name)


def _headers(ended: Ended) -> StringMap:
    return ended.headers


_OF_REQUESTS: Final[Mapping[str, Callable[[Ended], Value | None]]] = {
    "response.code": lambda ended: ended.code or None,
    "response.headers": _headers,
    "response.duration": lambda ended: Span(ended.duration_ns),
    "response.size": lambda ended: ended.response_size,
    "response.total_size": lambda ended: ended.response_total,
    "response.grpc_status": lambda ended: ended.grpc_status or None,
    "response.grpc_message": lambda ended: ended.grpc_message or None,
    "request.size": lambda ended: ended.request_size,
    "request.total_size": lambda ended: ended.request_total,
    "check.error_code": lambda ended: ended.error_code or None,
    "check.error_message": lambda ended: ended.error_message or None,
    "check.cache_hit": lambda ended: ended.is_kept,
}
_OF_STREAMS: Final[Mapping[str, Callable[[Ended], Value | None]]] = {
    "context.protocol": lambda ended: "tcp",
    "connection.id": lambda ended: ended.connection or None,
    "connection.event": lambda ended: ended.moment,
    "connection.duration": lambda ended: Span(ended.duration_ns) if ended.moment == "close" else None,
    "connection.received.bytes_total": lambda ended: ended.received,
    "connection.sent.bytes_total": lambda ended: ended.sent,
}
