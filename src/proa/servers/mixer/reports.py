"""`envoy.service.accesslog.v3.AccessLogService`: a proxy tells what has ended, many at once.

Who tells is the workload whose certificate the connection shows; from where, says the name of the log that Pilot gave
the proxy. What it says of others it knows by their certificates. A stream is read no faster than what it tells is
taken, and a proxy that must wait keeps a little and drops the rest, which it counts.
"""

from collections.abc import Iterable, Iterator
from typing import Final, Protocol

import msgspec
from envoy.service.accesslog.v3.als_pb2 import StreamAccessLogsMessage, StreamAccessLogsResponse
from google.protobuf.message import DecodeError

from proa.core.mixer.asked import Asked
from proa.core.mixer.reported import (
    Ended,
    Viewpoint,
    read_http_entry,
    read_stream_entry,
    viewpoint_of,
)
from proa.core.model.names import WorkloadId
from proa.servers.grpc_edge import BadRequest, ByteStream, Service, service
from proa.servers.mixer.checks import server_of

SERVICE: Final = "envoy.service.accesslog.v3.AccessLogService"


class Teller(msgspec.Struct, frozen=True, kw_only=True):
    """`identity` is its SPIFFE id."""

    workload: WorkloadId
    identity: str
    viewpoint: Viewpoint


class Hearing(Protocol):
    """Of one stream."""

    async def take(self, told: Iterable[tuple[Asked, Ended]]) -> None:
        """Once; returns when the stream may go on. Never fails."""


class Reports(Protocol):
    def hear(self, teller: Teller) -> Hearing: ...


def reports_service(reports: Reports, trust_domain: str) -> Service:
    async def stream(wire: ByteStream) -> None:
        hearing: Hearing | None = None
        while (body := await wire.read()) is not None:
            try:
                message = StreamAccessLogsMessage.FromString(body)
            except DecodeError:
                raise BadRequest("that is no StreamAccessLogsMessage") from None
            # With each message, for who is revoked meanwhile is believed no more.
            workload = server_of(wire.certificate, trust_domain)
            if message.HasField("identifier"):
                viewpoint = viewpoint_of(message.identifier.log_name)
                if viewpoint is None:
                    raise BadRequest(f'"{message.identifier.log_name[:80]}" is no log that is kept here')
                teller = Teller(workload=workload, identity=str(wire.peer), viewpoint=viewpoint)
                hearing = reports.hear(teller)
            if hearing is None:
                raise BadRequest("the first message says which log it is")
            await hearing.take(_entries(message))
        await wire.write(StreamAccessLogsResponse().SerializeToString())

    return service(SERVICE, {"StreamAccessLogs": stream})


def _entries(message: StreamAccessLogsMessage) -> Iterator[tuple[Asked, Ended]]:
    for request in message.http_logs.log_entry:
        yield read_http_entry(request)
    for connection in message.tcp_logs.log_entry:
        yield read_stream_entry(connection)
