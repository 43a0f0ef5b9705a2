"""B15 (b): how many requests can be reported in a second and core, in messages of one, a hundred and a thousand.

In one process and on CPU time, from the bytes of a message to the handler that has its instances: five metrics for each
request, as Mixer's own rule of 2018 had them. Ours goes the whole way of the control plane, its bounded queue
included; the peer is what one writes first: all attributes of each entry in a dictionary, the expressions walked, and
the handler called for each instance.
"""

import gc
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Final

from envoy.config.core.v3.base_pb2 import RequestMethod
from envoy.service.accesslog.v3.als_pb2 import StreamAccessLogsMessage
from immutables import Map

from benchmarks.expressions import compiled, walker
from benchmarks.figures import Figure, Goal, rounds
from benchmarks.workshop import Workshop
from proa.control_plane.mixer.handlers import Handlers
from proa.control_plane.mixer.reports import Reports
from proa.core.attributes.value_types import Span, Timestamp, Value
from proa.core.config.mixer.catalogue import BUILT_IN, AdapterKind
from proa.core.mixer.asked import Asked, Party, Place
from proa.core.mixer.plan.compiling import compile_plan
from proa.core.mixer.plan.values import DispatchPlan, HandlerPlan
from proa.core.mixer.reported import PEER_TAG, Ended, Viewpoint, read_http_entry
from proa.core.mixer.templates import Instance
from proa.core.model.names import WorkloadId
from proa.ports.policy_adapter import PolicyHandler
from proa.servers.mixer.reports import Teller
from proa.testing.mixer import all_run, mixer_config, rule

PAIRS: Final = 5
SIZES: Final = (1, 100, 1000)
ITEMS: Final = 6_000
GOAL: Final = Goal(ratio=2.0, sense="at least")
REFERENCE_US: Final = 19.2
"""Of an item in mixs 1.3.0, within its process, as it was measured when the goals were set."""
MATCH: Final = 'context.protocol == "http" || context.protocol == "grpc"'
VALUES: Final = {
    "requestcount": "1",
    "requestduration": 'response.duration | "0ms"',
    "requestsize": "request.size | 0",
    "responsesize": "response.size | 0",
    "totalsize": "response.total_size | 0",
}
DIMENSIONS: Final = {
    "reporter": 'conditional((context.reporter.kind | "inbound") == "outbound", "source", "destination")',
    "source": 'source.workload.name | "unknown"',
    "source_version": 'source.labels["version"] | "unknown"',
    "destination": 'destination.workload.name | "unknown"',
    "destination_service": 'destination.service.host | "unknown"',
    "code": "response.code | 200",
    "policy": 'conditional(connection.mtls | false, "mutual_tls", "none")',
}
SERVER, CLIENT = WorkloadId("shop", "cart"), WorkloadId("shop", "web")
PARTIES: Final = {
    each: Party(name=each.name, namespace=each.namespace, labels=Map({"version": "v1"}))
    for each in (SERVER, CLIENT)
}
SERVICE: Final[Mapping[str, Value]] = {
    "destination.service.host": "cart.shop.svc.cluster.local",
    "context.reporter.kind": "inbound",
}
PLACE: Final = Place(attributes=Map({**PARTIES[SERVER].attributes("destination"), **SERVICE}))
IDENTITY: Final = "spiffe://cluster.local/ns/shop/sa/web"
LABELS: Final = {"version": "v1"}
Counts = Counter[tuple[object, ...]]


def message(size: int) -> bytes:
    """What a server's sidecar tells of so many requests."""
    told = StreamAccessLogsMessage()
    for number in range(size):
        entry = told.http_logs.log_entry.add()
        common = entry.common_properties
        common.start_time.FromNanoseconds(10**18 + number)
        common.duration.FromNanoseconds(1_000_000 + number)
        common.tls_properties.peer_certificate_properties.subject_alt_name.add(uri=IDENTITY)
        common.custom_tags[PEER_TAG] = "web.shop.workload.cluster.local"
        common.stream_id = f"stream-{number}"
        common.upstream_cluster = "inbound|8080||"
        entry.request.request_method = RequestMethod.GET
        entry.request.authority = "cart:8080"
        entry.request.path = f"/items/{number % 7}"
        entry.request.scheme = "http"
        entry.request.user_agent = "curl/8"
        entry.request.request_id = f"request-{number}"
        entry.request.request_headers_bytes = 300
        entry.response.response_code.value = 200 if number % 10 else 503
        entry.response.response_body_bytes = 456
        entry.response.response_headers_bytes = 120
    return told.SerializeToString()


class Around:
    """The world of one server and its client."""

    generation = 1

    def place(self, workload: WorkloadId, port: int) -> Place | None:
        return PLACE if workload == SERVER else None

    def party(self, workload: WorkloadId) -> Party | None:
        return PARTIES.get(workload)

    def called(self, host: str) -> Map[str, Value]:
        return Map()


class Counting(PolicyHandler):
    """A handler, and its adapter: counts by name and dimensions, what every handler of metrics does at least."""

    kind: AdapterKind = BUILT_IN.adapters["prometheus"]

    def __init__(self) -> None:
        self.counts: Counts = Counter()

    @asynccontextmanager
    async def open(self, handler: HandlerPlan) -> AsyncIterator[PolicyHandler]:
        yield self

    async def report(self, instances: tuple[Instance, ...]) -> None:
        for each in instances:
            dimensions = each.fields["dimensions"]
            assert isinstance(dimensions, Map)
            self.counts[each.short_name, *(dimensions[name] for name in DIMENSIONS)] += 1


def plan() -> DispatchPlan:
    instances = [
        mixer_config("metric", name, {"value": value, "dimensions": DIMENSIONS}, "shop")
        for name, value in VALUES.items()
    ]
    metrics = [{"instanceName": f"{name}.metric.shop", "kind": "COUNTER"} for name in VALUES]
    handler = mixer_config("prometheus", "handler", {"metrics": metrics}, "shop")
    names = [f"{name}.metric" for name in VALUES]
    rules = rule("promhttp", "handler.prometheus", *names, match=MATCH, namespace="shop")
    return compile_plan([*instances, handler, rules], all_run()).plan


async def ours(body: bytes, times: int) -> tuple[float, Counts]:
    """CPU seconds, and what was counted."""
    counting = Counting()
    async with (
        Handlers({"prometheus": counting}) as handlers,
        Reports(Around(), handlers, "cluster.local") as reports,
    ):
        await handlers.swap(plan())
        teller = Teller(
            workload=SERVER,
            identity="spiffe://cluster.local/ns/shop/sa/cart",
            viewpoint=Viewpoint("tls", 8080),
        )
        hearing = reports.hear(teller)
        gc.collect()
        began = time.thread_time()
        for _ in range(times):
            await hearing.take(_entries(body))
            await reports.emptied()
        return time.thread_time() - began, counting.counts


def _entries(body: bytes) -> Iterator[tuple[Asked, Ended]]:
    for entry in StreamAccessLogsMessage.FromString(body).http_logs.log_entry:
        yield read_http_entry(entry)


class Naive:
    """The peer."""

    def __init__(self) -> None:
        self.counts: Counts = Counter()
        self._match = walker(compiled(MATCH))
        self._values = {name: walker(compiled(text)) for name, text in VALUES.items()}
        self._dimensions = {name: walker(compiled(text)) for name, text in DIMENSIONS.items()}

    async def take(self, body: bytes) -> None:
        for entry in StreamAccessLogsMessage.FromString(body).http_logs.log_entry:
            bag = attributes_of(*read_http_entry(entry))
            if self._match(bag) is True:
                for name, value in self._values.items():
                    dimensions = {each: walk(bag) for each, walk in self._dimensions.items()}
                    await self.report(name, value(bag), dimensions)

    async def report(self, name: str, value: Value, dimensions: Mapping[str, Value]) -> None:
        self.counts[name, *dimensions.values()] += 1


def attributes_of(asked: Asked, ended: Ended) -> dict[str, Value]:
    headers = asked.headers
    source = PARTIES[CLIENT].attributes("source") if asked.workload.startswith("web.") else {}
    if source:
        source["source.labels"] = LABELS  # its walk knows no other maps
    return {
        **PLACE.attributes,
        **source,
        "source.principal": asked.identity.removeprefix("spiffe://"),
        "connection.mtls": bool(asked.identity),
        "request.headers": headers,
        "request.path": headers.get(":path", ""),
        "request.method": headers.get(":method", ""),
        "request.host": headers.get(":authority", ""),
        "request.scheme": headers.get(":scheme", "http"),
        "request.useragent": headers.get("user-agent", ""),
        "request.time": Timestamp(asked.nanoseconds),
        "request.size": ended.request_size,
        "request.total_size": ended.request_total,
        "response.headers": ended.headers,
        "response.code": ended.code,
        "response.size": ended.response_size,
        "response.total_size": ended.response_total,
        "response.duration": Span(ended.duration_ns),
        "response.time": Timestamp(asked.nanoseconds + ended.duration_ns),
        "context.protocol": "http",
    }


async def naive(body: bytes, times: int) -> tuple[float, Counts]:
    peer = Naive()
    gc.collect()
    began = time.thread_time()
    for _ in range(times):
        await peer.take(body)
    return time.thread_time() - began, peer.counts


async def measure_reports(shop: Workshop, full: bool) -> Sequence[Figure]:
    return await measure(shop.tell, ITEMS, 2 * PAIRS if full else PAIRS)


async def measure(
    tell: Callable[[str], None], items: int, pairs: int, sizes: Sequence[int] = SIZES
) -> list[Figure]:
    """One figure for each size; smaller numbers for a test."""
    figures = []
    for size in sizes:
        body, times = message(size), max(1, items // size)
        series: dict[str, list[float]] = {"ours": [], "peer": []}
        counted: list[Counts] = []
        for number, side in rounds(("ours", "peer"), pairs):
            tell(f"messages of {size}, pair {number + 1} of {pairs}: {side}")
            seconds, counts = await (ours if side == "ours" else naive)(body, times)
            series[side].append(size * times / seconds)
            counted.append(counts)
        same = (
            all(each == counted[0] for each in counted) and counted[0].total() == len(VALUES) * size * times
        )
        figures.append(
            Figure(
                benchmark="B15",
                figure=f"reports, messages of {size}",
                unit="items/s CPU",
                ours=tuple(series["ours"]),
                peer=tuple(series["peer"]),
                peer_name="a dictionary and a walk for each",
                goal=GOAL if size >= 100 else None,
                conditions={
                    "metrics": float(len(VALUES)),
                    "reference_us": REFERENCE_US,
                    "reference": "mixs 1.3.0, of an item, within its process",
                },
                flaws=() if same else ("both sides count otherwise",),
            )
        )
    return figures
