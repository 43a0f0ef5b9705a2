"""Open-loop HTTP load: requests start when the schedule says, whether or not earlier ones have been answered.

A closed loop slows down with the server and so hides exactly the pauses one looks for. Here a request that finds
every connection busy waits, and its latency counts from its scheduled start. Nothing is ever sent twice: what failed
is in the result, with its time and reason. Called by the demo's check, the mesh tests and the benchmarks.

    result = await offer_load(acceptance_plan(get_url, post_url, b'{"Reviewer1": 5}', seconds=10))
"""

import asyncio
import math
import time
from collections import Counter
from collections.abc import Callable, Mapping
from typing import Literal, Protocol
from urllib.parse import SplitResult, urlsplit

import msgspec

from proa.testing.http1 import Connection, ConnectionLost, ProtocolBroken, Response

FailureKind = Literal["connect", "timeout", "closed", "idle-race", "protocol", "status"]


class Shot(msgspec.Struct, frozen=True, kw_only=True):
    """One kind of request. `url` is an http URL; a `host` header in `headers` replaces the URL's own."""

    url: str
    method: str = "GET"
    headers: tuple[tuple[str, str], ...] = ()
    body: bytes = b""


class LoadPlan(msgspec.Struct, frozen=True, kw_only=True):
    """What is sent. The defaults are the acceptance load: 50 requests per second on 4 kept connections.

    `shots` are taken in turn. `proxy` (`http://host:port`) gets absolute-form requests; without one every shot must
    go to the same host and port. `timeout_s` counts from the scheduled start, waiting for a connection included.
    `forgives_idle_races` leaves requests that crossed the close of an idle connection out of the failures; they are
    still counted as `idle_races`.
    """

    shots: tuple[Shot, ...]
    rate: float = 50.0
    seconds: float = 10.0
    connections: int = 4
    proxy: str | None = None
    timeout_s: float = 15.0
    forgives_idle_races: bool = False


class Record(msgspec.Struct, frozen=True, kw_only=True):
    """One request. Times are `time.monotonic()` seconds; `sent` is None when no connection became free in time.

    `label` is what `classify` made of the answer, "" without answer or classifier.
    """

    shot: Shot
    intended: float
    sent: float | None
    ended: float
    status: int = 0
    label: str = ""
    failure: FailureKind | None = None
    detail: str = ""

    @property
    def latency(self) -> float:
        return self.ended - self.intended


class LoadResult(msgspec.Struct, frozen=True, kw_only=True):
    """`started` on the clock of the records, `started_at` as seconds since the epoch, for logs."""

    plan: LoadPlan
    records: tuple[Record, ...]
    started: float
    started_at: float

    @property
    def sent(self) -> int:
        return len(self.records)

    @property
    def ok(self) -> int:
        return sum(record.failure is None for record in self.records)

    @property
    def idle_races(self) -> tuple[Record, ...]:
        return tuple(record for record in self.records if record.failure == "idle-race")

    @property
    def failures(self) -> tuple[Record, ...]:
        forgiven = "idle-race" if self.plan.forgives_idle_races else None
        return tuple(record for record in self.records if record.failure not in (None, forgiven))

    @property
    def achieved_rate(self) -> float:
        """Good answers per second from the first scheduled start to the last answer."""
        if not self.records:
            return 0.0
        ended = max(record.ended for record in self.records)
        return self.ok / max(ended - self.started, len(self.records) / self.plan.rate)

    def latency(self, percent: float) -> float:
        """Seconds within which `percent` of the good answers came (nearest rank); NaN when there were none."""
        latencies = sorted(record.latency for record in self.records if record.failure is None)
        if not latencies:
            return math.nan
        return latencies[max(0, math.ceil(percent / 100 * len(latencies)) - 1)]

    def labels(self, *, sent_after: float = -math.inf) -> Counter[str]:
        """How often each label came, among the requests sent at or after that time on the records' clock."""
        return Counter(
            record.label
            for record in self.records
            if record.label and record.sent is not None and record.sent >= sent_after
        )

    def summary(self) -> str:
        """One line for tables and logs."""
        line = (
            f"{self.sent} sent, {self.ok} ok, {len(self.failures)} failed, {self.achieved_rate:.1f}/s,"
            f" p50 {self.latency(50) * 1000:.0f} ms, p99 {self.latency(99) * 1000:.0f} ms"
        )
        if not self.failures:
            return line
        kinds = Counter(str(record.failure) for record in self.failures)
        first = self.failures[0]
        told = ", ".join(f"{kind} {count}" for kind, count in sorted(kinds.items()))
        at = first.intended - self.started
        return f"{line} ({told}; first: {first.shot.method} at {at:.2f} s: {first.detail})"


class Clock(Protocol):
    def now(self) -> float: ...

    async def sleep_until(self, moment: float) -> None: ...


class MonotonicClock:
    def now(self) -> float:
        return time.monotonic()

    async def sleep_until(self, moment: float) -> None:
        await asyncio.sleep(moment - time.monotonic())


Classify = Callable[[Response], str]


def acceptance_plan(
    get_url: str,
    post_url: str,
    post_body: bytes,
    *,
    seconds: float,
    content_type: str = "application/json",
    headers: Mapping[str, str] | None = None,
    proxy: str | None = None,
) -> LoadPlan:
    """The load that "no failed request" means: 50/s open loop on 4 connections, every fifth a POST."""
    more = tuple((headers or {}).items())
    get = Shot(url=get_url, headers=more)
    post = Shot(url=post_url, method="POST", headers=(*more, ("content-type", content_type)), body=post_body)
    return LoadPlan(shots=(get, get, get, get, post), seconds=seconds, proxy=proxy)


def is_success(response: Response) -> bool:
    return response.status < 400


async def offer_load(
    plan: LoadPlan,
    *,
    classify: Classify | None = None,
    is_ok: Callable[[Response], bool] = is_success,
    stop: asyncio.Event | None = None,
    clock: Clock | None = None,
) -> LoadResult:
    """Runs the plan, or as much of it as was scheduled before `stop` was set, and waits for the last answer.

    Ends at most `timeout_s` after the last scheduled start. Raises ValueError for a plan that cannot be sent.
    """
    clock = clock or MonotonicClock()
    target = _target(plan)
    requests = {shot: _encode(shot, is_proxied=plan.proxy is not None) for shot in plan.shots}
    queue: asyncio.Queue[_Due | None] = asyncio.Queue()
    gun = _Gun(plan=plan, target=target, requests=requests, classify=classify, is_ok=is_ok, clock=clock)
    started, started_at = clock.now(), time.time()
    async with asyncio.TaskGroup() as group:
        group.create_task(_schedule(plan, queue, started, stop, clock), name="load schedule")
        workers = [group.create_task(gun.fire(queue), name=f"load {n}") for n in range(plan.connections)]
    records = sorted((record for worker in workers for record in worker.result()), key=lambda r: r.intended)
    return LoadResult(plan=plan, records=tuple(records), started=started, started_at=started_at)


class _Due(msgspec.Struct, frozen=True):
    shot: Shot
    intended: float


async def _schedule(
    plan: LoadPlan,
    queue: "asyncio.Queue[_Due | None]",
    started: float,
    stop: asyncio.Event | None,
    clock: Clock,
) -> None:
    for number in range(round(plan.rate * plan.seconds)):
        intended = started + number / plan.rate
        if clock.now() < intended:
            await clock.sleep_until(intended)
        if stop is not None and stop.is_set():
            break
        queue.put_nowait(_Due(plan.shots[number % len(plan.shots)], intended))
    for _ in range(plan.connections):
        queue.put_nowait(None)


class _Gun(msgspec.Struct, frozen=True, kw_only=True):
    """What all connections of one run share."""

    plan: LoadPlan
    target: tuple[str, int]
    requests: Mapping[Shot, bytes]
    classify: Classify | None
    is_ok: Callable[[Response], bool]
    clock: Clock

    async def fire(self, queue: "asyncio.Queue[_Due | None]") -> list[Record]:
        """One connection's life: takes what is due, one after the other, reconnecting only when it must."""
        records: list[Record] = []
        connection: Connection | None = None
        try:
            while (due := await queue.get()) is not None:
                if connection is not None and not connection.is_reusable:
                    await connection.close()
                    connection = None
                connection, record = await self._shoot(due, connection)
                records.append(record)
        finally:
            if connection is not None:
                await connection.close()
        return records

    async def _shoot(self, due: _Due, connection: Connection | None) -> tuple[Connection | None, Record]:
        """The connection to go on with (None after a failure), and what happened."""
        sent = self.clock.now()
        left = due.intended + self.plan.timeout_s - sent
        if left <= 0:
            waited = f"no connection became free within {self.plan.timeout_s} s"
            return connection, self._failed(due, None, "timeout", waited)
        try:
            async with asyncio.timeout(left):
                if connection is None:
                    connection = Connection(*await asyncio.open_connection(*self.target))
                response = await connection.exchange(
                    self.requests[due.shot], is_head=due.shot.method == "HEAD"
                )
        except asyncio.CancelledError:
            if connection is not None:  # a new one, perhaps, that nobody else knows of yet
                await connection.close()
            raise
        except TimeoutError:
            failed = self._failed(due, sent, "timeout", f"no answer within {self.plan.timeout_s} s")
        except ConnectionLost as error:
            kind: FailureKind = "idle-race" if error.is_idle_race else "closed"
            failed = self._failed(due, sent, kind, str(error))
        except ProtocolBroken as error:
            failed = self._failed(due, sent, "protocol", str(error))
        except OSError as error:
            failed = self._failed(due, sent, "connect", str(error))
        else:
            return connection, self._answered(due, sent, response)
        if connection is not None:
            await connection.close()
        return None, failed

    def _failed(self, due: _Due, sent: float | None, kind: FailureKind, detail: str) -> Record:
        return Record(
            shot=due.shot,
            intended=due.intended,
            sent=sent,
            ended=self.clock.now(),
            failure=kind,
            detail=detail,
        )

    def _answered(self, due: _Due, sent: float, response: Response) -> Record:
        is_ok = self.is_ok(response)
        return Record(
            shot=due.shot,
            intended=due.intended,
            sent=sent,
            ended=self.clock.now(),
            status=response.status,
            label=self.classify(response) if self.classify else "",
            failure=None if is_ok else "status",
            detail="" if is_ok else f"{response.status} {response.body[:200].decode(errors='replace')}",
        )


def _target(plan: LoadPlan) -> tuple[str, int]:
    if not plan.shots or plan.rate <= 0 or plan.connections < 1:
        raise ValueError("a plan needs a shot, a positive rate and a connection")
    if plan.proxy is not None:
        return _address(urlsplit(plan.proxy))
    targets = {_address(urlsplit(shot.url)) for shot in plan.shots}
    if len(targets) > 1:
        raise ValueError(f"without a proxy all shots go to one address, not to {sorted(targets)}")
    return targets.pop()


def _address(url: SplitResult) -> tuple[str, int]:
    if url.scheme != "http" or not url.hostname:
        raise ValueError(f"not an http URL: {url.geturl()!r}")
    return url.hostname, url.port or 80


def _encode(shot: Shot, *, is_proxied: bool) -> bytes:
    """The request as bytes: absolute-form for a proxy (RFC 9112 §3.2.2), origin-form otherwise."""
    url = urlsplit(shot.url)
    _address(url)
    path = (url.path or "/") + (f"?{url.query}" if url.query else "")
    target = f"http://{url.netloc}{path}" if is_proxied else path
    headers = list(shot.headers)
    if "host" not in {name.lower() for name, _ in headers}:
        headers.insert(0, ("host", url.netloc))
    if shot.body or shot.method in ("POST", "PUT", "PATCH"):
        headers.append(("content-length", str(len(shot.body))))
    lines = [f"{shot.method} {target} HTTP/1.1", *(f"{name}: {value}" for name, value in headers)]
    if any("\r" in line or "\n" in line for line in lines):
        raise ValueError("a line break in a request's head")
    return "\r\n".join(lines).encode("latin-1") + b"\r\n\r\n" + shot.body
