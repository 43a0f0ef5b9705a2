"""What a proxy tells of a request or connection that has ended, as attributes.

It comes as entries of Envoy's access log. They say of a request what a check would have been told (`Asked`), of headers
those alone that were asked for, and how it ended (`Ended`).
"""

from collections.abc import Callable, Mapping
from typing import Final

import msgspec
from envoy.config.core.v3.base_pb2 import RequestMethod
from envoy.data.accesslog.v3.accesslog_pb2 import (
    AccessLogCommon,
    HTTPAccessLogEntry,
    TCPAccessLogEntry,
)
from google.protobuf.json_format import MessageToDict
from immutables import Map

from proa.core.attributes.value_types import Span, StringMap, Timestamp, Value
from proa.core.mixer.asked import JWT, Asked, Party, Place, RequestBag
from proa.core.mixer.verdict.script import NAMESPACE, TOLD_BY

PEER_TAG: Final = "proa.peer"
"""The tag that whoever configures the access log sets to `PEER_FORMAT`: entries tell the certificate's URI alone."""
PEER_FORMAT: Final = "%DOWNSTREAM_PEER_DNS_SAN%"
_NOTHING: Final = "-"


class Ended(msgspec.Struct, frozen=True, kw_only=True):
    """`code` 0: there was no answer. Sizes in bytes; totals include headers. `error_code` is the google.rpc.Code of a
    check that refused, `is_kept`: by what the proxy knew. Of a connection all but `duration_ns`, `received` and `sent`
    is empty."""

    is_stream: bool = False
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
    ):
        if value:
            headers[name] = value
    asked = _asked(common, headers)
    told = {**response.response_headers, **response.response_trailers}
    code, message, is_kept = _checked(common)
    return asked, Ended(
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


def read_stream_entry(entry: TCPAccessLogEntry) -> tuple[Asked, Ended]:
    common, connection = entry.common_properties, entry.connection_properties
    return _asked(common, {}), Ended(
        is_stream=True,
        duration_ns=common.duration.ToNanoseconds(),
        received=connection.received_bytes,
        sent=connection.sent_bytes,
    )


def _checked(common: AccessLogCommon) -> tuple[int, str, bool]:
    """What the filters say of the check: the refusal's code and reason, and whether the proxy knew the answer."""
    metadata = common.metadata.filter_metadata
    for namespace, known in ((NAMESPACE, True), (TOLD_BY, False)):
        found = metadata[namespace].fields if namespace in metadata else {}
        if "grpc" in found:
            return int(found["grpc"].number_value), found["body"].string_value, known
        if "hit" in found:
            return 0, "", True
    return 0, "", False


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


class ReportBag:
    """The attributes of what has ended. A core.attributes Bag."""

    def __init__(self, asked: Asked, ended: Ended, place: Place, caller: Party | None) -> None:
        self._asked = RequestBag(asked, place, caller)
        self._begun = asked.nanoseconds
        self._ended = ended

    def get(self, name: str, /) -> Value | None:
        ended = self._ended
        made = (_OF_STREAMS if ended.is_stream else _OF_REQUESTS).get(name)
        if made is not None:
            return made(ended)
        if ended.is_stream and name.startswith("request."):
            return None
        if name == "response.time":
            return None if ended.is_stream else Timestamp(self._begun + ended.duration_ns)
        if name == "context.protocol" and ended.is_stream:
            return "tcp"
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
    "connection.event": lambda ended: "close",
    "connection.duration": lambda ended: Span(ended.duration_ns),
    "connection.received.bytes": lambda ended: ended.received,
    "connection.sent.bytes": lambda ended: ended.sent,
    "connection.received.bytes_total": lambda ended: ended.received,
    "connection.sent.bytes_total": lambda ended: ended.sent,
}
