"""What proxies tell, to the handlers that rules name: attributes, instances, one batch for each handler, its queue.

A request that is told goes to the handlers that were in force when it was heard of. Nothing here waits for a handler:
a queue that is full drops, and counts what it drops.
"""

import asyncio
import logging
from collections import Counter, OrderedDict
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from typing import Final, Protocol

import msgspec
from immutables import Map

from proa.control_plane.mixer.handlers import Handlers, Standing
from proa.control_plane.mixer.mixer import learn_of
from proa.control_plane.mixer.report_queue import ReportQueue
from proa.control_plane.mixer.running import Running
from proa.core.attributes.value_types import Bag, Value
from proa.core.auth.spiffe import workload_of_dns_name
from proa.core.mixer.api_specs import NO_APIS, Apis
from proa.core.mixer.asked import Asked, Party, Place, named
from proa.core.mixer.plan.dispatch import NOTHING, Dispatched, reports
from proa.core.mixer.reported import Called, Ended, ReportBag, client_facts, server_facts
from proa.core.mixer.reporting.backlog import Counts
from proa.core.mixer.reporting.connections import Carried, Connections
from proa.core.mixer.templates import Instance
from proa.core.model.names import WorkloadId, parse_cluster_name
from proa.runtime.supervise import Supervisor
from proa.servers.mixer.reports import Teller

TURN: Final = 16
"""Entries that are read before others have their turn: a proxy tells hundreds at once."""
PEERS: Final = 1024
"""Peers of one proxy of which all that is known is kept at hand."""
TELLERS: Final = 10_000
"""Workloads whose connections are remembered."""

Facts = Mapping[str, Value]

log = logging.getLogger("proa.control_plane.mixer")


class Surroundings(Protocol):
    """What reports ask of the world. `generation` is another one when anything may be different."""

    generation: int

    def place(self, workload: WorkloadId, port: int) -> Place | None: ...

    def party(self, workload: WorkloadId) -> Party | None: ...

    def called(self, host: str) -> Map[str, Value]: ...


class Heard(msgspec.Struct):
    """Counted since the start. `unmade`: instances that could not be made, by their names; `unmatched`: matches that
    could not be evaluated, by their rules. Of `entries` the broken ones are those that we made a mistake about, counted
    besides. `interrupted`: connections that were told of elsewhere before."""

    entries: Counter[str] = msgspec.field(default_factory=lambda: Counter(request=0, connection=0, broken=0))
    unmade: Counter[str] = msgspec.field(default_factory=Counter)
    unmatched: Counter[str] = msgspec.field(default_factory=Counter)
    interrupted: int = 0


class Reports:
    """`async with` it, around those whose handlers it reports to: at the end nobody is waited for."""

    def __init__(self, surroundings: Surroundings, handlers: Handlers, trust_domain: str) -> None:
        self.surroundings = surroundings
        self.trust_domain = trust_domain
        self.heard = Heard()
        self._handlers = handlers
        self._tasks = Supervisor()
        self._queues: dict[Running, ReportQueue] = {}
        self._past: dict[str, Counts] = {}
        self._connections: OrderedDict[WorkloadId, Connections] = OrderedDict()

    async def __aenter__(self) -> "Reports":
        await self._tasks.__aenter__()
        return self

    async def __aexit__(self, *error: object) -> None:
        self._tasks.stop()
        await self._tasks.__aexit__(None, None, None)

    def hear(self, teller: Teller) -> "Hearing":
        return Hearing(self, teller)

    @property
    def counts(self) -> dict[str, Counts]:
        """Of instances, by the names of handlers, those that are gone among them."""
        found = dict(self._past)
        for running, queue in self._queues.items():
            found[running.plan.name] = found.get(running.plan.name, Counts()) + queue.counts
        return found

    @property
    def waiting(self) -> dict[str, int]:
        found: Counter[str] = Counter()
        for running, queue in self._queues.items():
            found[running.plan.name] += queue.held
        return dict(found)

    async def emptied(self) -> None:
        """Returns when everything that was taken has been handed over."""
        while held := [queue for queue in self._queues.values() if queue.held]:
            await held[0].emptied()

    async def finish(self, seconds: float) -> None:
        """Wait for handlers at the end, not longer than that."""
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self.emptied()

    def connections(self, workload: WorkloadId) -> Connections:
        found = self._connections.setdefault(workload, Connections())
        self._connections.move_to_end(workload)
        if len(self._connections) > TELLERS:
            self._connections.popitem(last=False)
        return found

    async def take(self, bags: Iterable[Bag]) -> None:
        """To the end, even if who tells goes away meanwhile: nobody would tell it again."""
        await asyncio.shield(self._tasks.run("reports of a proxy", self._dispatch(bags)))

    async def _dispatch(self, bags: Iterable[Bag]) -> None:
        with self._handlers.held() as standing:
            batches: dict[str, list[Instance]] = {}
            for number, bag in enumerate(bags, 1):
                try:
                    learned = (await learn_of(standing, bag)).learned if standing.learns else NOTHING
                    self._collect(reports(standing.plan, bag, learned), batches)
                except Exception:  # a mistake of ours about one entry is none about the others
                    log.exception("a report could not be read")
                    self.heard.entries["broken"] += 1
                if not number % TURN:
                    await asyncio.sleep(0)
            self._queue(standing, batches)

    def _collect(self, found: Dispatched, batches: dict[str, list[Instance]]) -> None:
        for prepared in found.calls:
            if prepared.instance is not None:
                batches.setdefault(prepared.call.action.handler, []).append(prepared.instance)
            else:
                self.heard.unmade[prepared.call.action.instance] += 1
        for rule, _ in found.unmatched:
            self.heard.unmatched[str(rule.ref)] += 1

    def _queue(self, standing: Standing, batches: Mapping[str, list[Instance]]) -> None:
        for name, instances in batches.items():
            running = standing.handler(name)
            queue = self._queues.get(running)
            if queue is None:
                self._forget()
                queue = self._queues[running] = ReportQueue(running, self._tasks)
            queue.offer(instances)

    def _forget(self) -> None:
        """Queues of handlers that are gone. What was counted stays."""
        for running, queue in list(self._queues.items()):
            if running.is_over and not queue.held:
                name = running.plan.name
                self._past[name] = self._past.get(name, Counts()) + queue.counts
                del self._queues[running]


class Hearing:
    """What one stream of one proxy tells. What is known of its peers is kept until the world is another."""

    def __init__(self, reports: Reports, teller: Teller) -> None:
        self._reports = reports
        self._teller = teller
        self._place: Place | None = None
        self._own: Party | None = None
        self._generation = -1
        self._facts: dict[object, tuple[Facts, Apis]] = {}

    async def take(self, told: Iterable[tuple[Asked, Ended]]) -> None:
        self._look()
        await self._reports.take(self._bags(told))

    def _look(self) -> None:
        """A workload that has gone still tells what it did: then it is as it was."""
        around, workload = self._reports.surroundings, self._teller.workload
        if around.generation != self._generation:
            self._generation = around.generation
            self._facts.clear()
            self._place = around.place(workload, self._teller.viewpoint.port) or self._place
            self._own = around.party(workload) or self._own

    def _bags(self, told: Iterable[tuple[Asked, Ended]]) -> Iterator[Bag]:
        heard = self._reports.heard
        for asked, ended in told:
            if ended.called.is_on_its_way:
                continue
            heard.entries["connection" if ended.is_stream else "request"] += 1
            carried = self._carried(ended) if ended.is_stream else None
            facts, apis = self._known(asked, ended)
            yield ReportBag(asked, ended, facts, carried, apis)

    def _carried(self, ended: Ended) -> Carried:
        connections = self._reports.connections(self._teller.workload)
        carried = connections.tell(
            ended.connection, ended.moment, ended.received, ended.sent, is_whole=ended.is_whole
        )
        if not carried.is_known:
            self._reports.heard.interrupted += 1
        return carried

    def _known(self, asked: Asked, ended: Ended) -> tuple[Facts, Apis]:
        """Of both sides."""
        is_client = self._teller.viewpoint.side == "client"
        called = ended.called
        key = (
            (called.cluster, called.identity, called.workload)
            if is_client
            else (asked.identity, asked.workload)
        )
        found = self._facts.get(key)
        if found is None:
            if len(self._facts) >= PEERS:
                self._facts.clear()
            found = self._of_client(called) if is_client else self._of_server(asked)
            self._facts[key] = found
        return found

    def _of_server(self, asked: Asked) -> tuple[Facts, Apis]:
        caller = self._workload(asked.identity, asked.workload)
        place = self._place or _nowhere(self._teller.workload)
        return server_facts(place, self._party(caller)), place.apis

    def _of_client(self, called: Called) -> tuple[Facts, Apis]:
        around = self._reports.surroundings
        server = self._workload(called.identity, called.workload)
        host, port = _called(called.cluster)
        place = around.place(server, port) if server else None
        own = self._own or named(self._teller.workload)
        facts = client_facts(
            own, self._teller.identity, place or self._party(server), called, around.called(host)
        )
        return facts, place.apis if place else NO_APIS

    def _workload(self, identity: str, name: str) -> WorkloadId | None:
        """Of our own trust domain: a partner's authority writes what names it likes."""
        domain = self._reports.trust_domain
        if not identity.startswith(f"spiffe://{domain}/"):
            return None
        return workload_of_dns_name(name, domain)

    def _party(self, workload: WorkloadId | None) -> Party | None:
        """One that has just gone, or has just come, is what its certificate says."""
        if workload is None:
            return None
        return self._reports.surroundings.party(workload) or named(workload)


def _nowhere(workload: WorkloadId) -> Place:
    """A port of a workload that nobody knows any more."""
    found = named(workload).attributes("destination")
    uid = found["destination.uid"]
    reporter: dict[str, Value] = {"context.reporter.kind": "inbound", "context.reporter.uid": uid}
    return Place(attributes=Map({**found, **reporter}))


def _called(cluster: str) -> tuple[str, int]:
    """Host and port; "" and 0 of a cluster that stands for no service."""
    try:
        _, port, _, host = parse_cluster_name(cluster)
    except ValueError:
        return "", 0
    return host, port
