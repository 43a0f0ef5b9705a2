"""What the control plane says of workloads and hosts that this node's proxies have met, for those who scrape.

Asked by name when a name is new or was asked long ago; what is known stays, also when its workload is gone or the
control plane is away: a counter must not change its labels for that.
"""

import asyncio
import logging
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Iterable
from typing import Final, TypeVar

from immutables import Map

from proa.core.model.names import parse_workload_id
from proa.core.sidecar.session import DescribeReply, DescribeRequest
from proa.core.sidecar.standard_metrics import Facts
from proa.node.uplink import Unanswered

FRESH_S: Final = 30.0
"""A workload that comes again may wear other labels."""
WITHIN_S: Final = 1.0
"""A scrape waits no longer for an answer, and shows what is not known as unknown."""
BATCH: Final = 500
MOST: Final = 20_000
"""Names that are remembered; the one not asked for the longest goes."""
log = logging.getLogger("proa.node.peer_facts")

V = TypeVar("V")
Ask = Callable[[DescribeRequest, float], Awaitable[DescribeReply]]


class PeerFacts:
    """Used by the metrics pages alone, in one event loop. `clock` is monotonic."""

    def __init__(self, ask: Ask, clock: Callable[[], float]) -> None:
        self._ask = ask
        self._clock = clock
        self._workloads: OrderedDict[str, Map[str, str]] = OrderedDict()
        self._hosts: OrderedDict[str, str] = OrderedDict()
        self._asked: OrderedDict[str, float] = OrderedDict()

    async def of(self, workloads: Iterable[str], hosts: Iterable[str]) -> Facts:
        """Never raises; what nobody tells is left out."""
        wanted = [name for name in sorted(workloads) if self._is_old(name)]
        places = [name for name in sorted(hosts) if self._is_old(name)]
        try:
            async with asyncio.timeout(WITHIN_S):
                await self._learn(wanted, places)
        except (Unanswered, TimeoutError) as error:
            log.info("names of peers are not known yet: %s", error or "no answer")
        return Facts(workloads=self._workloads, hosts=self._hosts)

    def _is_old(self, name: str) -> bool:
        asked = self._asked.get(name)
        return asked is None or self._clock() - asked > FRESH_S

    async def _learn(self, workloads: list[str], hosts: list[str]) -> None:
        while workloads or hosts:
            some, workloads = workloads[:BATCH], workloads[BATCH:]
            places, hosts = hosts[:BATCH], hosts[BATCH:]
            request = DescribeRequest(
                workloads=tuple(parse_workload_id(name) for name in some), hosts=tuple(places)
            )
            reply = await self._ask(request, WITHIN_S)
            self._take(reply, (*some, *places))

    def _take(self, reply: DescribeReply, asked: Iterable[str]) -> None:
        now = self._clock()
        for name in asked:
            _remember(self._asked, name, now)
        for each in reply.workloads:
            _remember(self._workloads, str(each.id), each.labels)
        for host, namespace in reply.hosts.items():
            _remember(self._hosts, host, namespace)


def _remember(known: OrderedDict[str, V], name: str, value: V) -> None:
    known[name] = value
    known.move_to_end(name)
    while len(known) > MOST:
        known.popitem(last=False)
