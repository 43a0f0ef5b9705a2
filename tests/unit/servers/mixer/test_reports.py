"""A proxy's stream of entries over a real gRPC connection with the certificates of a mesh."""

import asyncio
from collections.abc import Iterable

import grpc
import grpc.aio
import pytest
from envoy.service.accesslog.v3.als_pb2 import StreamAccessLogsMessage
from google.protobuf.json_format import ParseDict

from proa.core.mixer.asked import Asked
from proa.core.mixer.reported import Ended, Viewpoint
from proa.core.model.names import WorkloadId
from proa.servers.asgi import bind_tcp
from proa.servers.grpc_edge import serving_grpc
from proa.servers.mixer.reports import SERVICE, Teller, reports_service
from tests.unit.servers.grpc_edge.edges import PATIENCE_S, TRUST_DOMAIN, authority, channel
from tests.unit.servers.mixer.test_checks import of_workload

CART = WorkloadId("shop", "cart.v2")


class Remembering:
    """Also its one hearing."""

    def __init__(self) -> None:
        self.tellers: list[Teller] = []
        self.told: list[tuple[Asked, Ended]] = []

    def hear(self, teller: Teller) -> "Remembering":
        self.tellers.append(teller)
        return self

    async def take(self, told: Iterable[tuple[Asked, Ended]]) -> None:
        self.told += told


def message(fields: dict[str, object], log: str = "") -> bytes:
    identifier = {"identifier": {"log_name": log}} if log else {}
    return ParseDict({**identifier, **fields}, StreamAccessLogsMessage()).SerializeToString()


def tell(messages: list[bytes], identity: tuple[str, str] | None = None) -> tuple[Remembering, str]:
    """With why the call failed, if it did."""
    remembering = Remembering()

    async def scene() -> str:
        with bind_tcp("127.0.0.1", 0) as listener:
            port = listener.getsockname()[1]
            services = [reports_service(remembering, TRUST_DOMAIN)]
            async with (
                serving_grpc(services, [listener], authority().server(), 0.2),
                channel(port, identity or of_workload(CART)) as connection,
            ):
                call = connection.stream_unary(f"/{SERVICE}/StreamAccessLogs", bytes, bytes)
                try:
                    await call(iter(messages), timeout=PATIENCE_S)
                except grpc.aio.AioRpcError as error:
                    return str(error.details())
        return ""

    return remembering, asyncio.run(scene())


REQUESTS: dict[str, object] = {
    "http_logs": {"log_entry": [{"request": {"path": "/a"}}, {"request": {"path": "/b"}}]}
}
STREAMS: dict[str, object] = {"tcp_logs": {"log_entry": [{"connection_properties": {"received_bytes": 5}}]}}
LOG = Viewpoint("tls", 8080).name


def test_entries_come_with_who_tells_and_from_where() -> None:
    told, failure = tell([message(REQUESTS, LOG), message(REQUESTS), message(STREAMS)])
    assert failure == ""
    identity = f"spiffe://{TRUST_DOMAIN}/ns/shop/sa/web"
    assert told.tellers == [Teller(workload=CART, identity=identity, viewpoint=Viewpoint("tls", 8080))]
    assert [asked.headers.get(":path") for asked, _ in told.told] == ["/a", "/b", "/a", "/b", None]
    assert told.told[-1][1].received == 5


@pytest.mark.parametrize(
    ("messages", "failure"),
    [
        ([message(REQUESTS)], "the first message says which log it is"),
        ([message(REQUESTS, "mine")], '"mine" is no log that is kept here'),
        ([b"\xff"], "that is no StreamAccessLogsMessage"),
    ],
)
def test_what_is_no_log_of_ours_is_refused(messages: list[bytes], failure: str) -> None:
    told, found = tell(messages)
    assert (found, told.told) == (failure, [])


def test_workloads_of_the_mesh_alone_report() -> None:
    told, failure = tell([message(REQUESTS, LOG)], of_workload(CART, "other.test"))
    assert "ask Mixer" in failure
    assert told.told == []
