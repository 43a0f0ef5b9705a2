"""otlp as an adapter: reports come together as records and totals, which a collector is sent in batches
(`runtime.delivery`).

What became of each instance is counted on the page `/mixer`.
"""

import logging
import random
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Final

import msgspec
from prometheus_client import CollectorRegistry, Counter, generate_latest

from proa.adapters.policy.otlp.batches import MOST_WAITING, Batch, Waiting
from proa.adapters.policy.otlp.totals import MOST_SERIES
from proa.core.config.mixer.catalogue import BUILT_IN, AdapterKind
from proa.core.config.mixer.own_parameters import Otlp
from proa.core.mixer.plan.values import HandlerPlan
from proa.core.mixer.templates import Instance
from proa.ports.failures import HandlerTemporary
from proa.ports.policy_adapter import PolicyHandler
from proa.runtime.backoff import Backoff
from proa.runtime.delivery import Delivery, Pace, delivering

if TYPE_CHECKING:
    from proa.adapters.policy.otlp.collectors import Collector

_RETRY_MS: Final = 300_000
_LONGEST_RETRY_S: Final = 15.0

log = logging.getLogger("proa.adapters.otlp")


class OtlpAdapter:
    kind: AdapterKind = msgspec.structs.replace(BUILT_IN.adapters["otlp"], missing="")

    def __init__(self, *, most_waiting: int = MOST_WAITING, most_series: int = MOST_SERIES) -> None:
        self._most_waiting, self._most_series = most_waiting, most_series
        self._registry = CollectorRegistry()
        self._instances = Counter(
            "proa_mixer_otlp_instances",
            "Reported instances by what became of them",
            ["handler", "outcome"],
            registry=self._registry,
        )

    def exposition(self) -> Iterator[str]:
        yield generate_latest(self._registry).decode()

    @asynccontextmanager
    async def open(self, handler: HandlerPlan) -> AsyncIterator[PolicyHandler]:
        """The collector is called when there is something to send: one that is away keeps no handler from coming into
        force. At the end what is there is sent, for five seconds at most."""
        # When it is needed: both clients take longer to load than all else that reads files.
        from proa.adapters.policy.otlp.collectors import collector

        parameters = handler.parameters
        assert isinstance(parameters, Otlp)
        waiting = Waiting(parameters, time.time_ns, self._most_waiting, self._most_series)
        async with collector(parameters) as found:
            sender = _Sender(handler.name, found, waiting, self._instances)
            delivery = Delivery(
                waiting.drain,
                sender.send,
                sender.given_up,
                Pace.of_ms(parameters.flush_interval, parameters.retry_for, usually=_RETRY_MS),
                Backoff(random.random, shortest=0.2, longest=_LONGEST_RETRY_S),
            )
            sender.delivery = delivery
            async with delivering(delivery):
                yield _Handler(waiting, sender, delivery)


class _Sender:
    def __init__(self, handler: str, found: "Collector", waiting: Waiting, instances: Counter) -> None:
        self._handler, self._collector, self._waiting = handler, found, waiting
        self._instances = instances
        self._is_away = False
        self.delivery: Delivery[Batch] | None = None

    def count(self, outcome: str, instances: int = 1) -> None:
        if instances:
            self._instances.labels(self._handler, outcome).inc(instances)

    async def send(self, batch: Batch) -> None:
        try:
            rejected, why = await self._collector.export(batch.signal, batch.body)
        except HandlerTemporary as error:
            if not self._is_away:
                log.warning("%s: %s; what is reported waits meanwhile", self._handler, error)
            self._is_away = True
            raise
        self._is_away = False
        rejected = min(rejected, batch.count)
        if rejected or why:
            log.warning("%s: the collector refused %d %s: %s", self._handler, rejected, batch.signal, why)
        self.count("refused", rejected)
        self.count("written", batch.count - rejected)

    def given_up(self, batch: Batch, why: str) -> None:
        """What the next batch tells is not lost, as long as there is one."""
        is_final = self.delivery is not None and self.delivery.is_final
        if not is_final and self._waiting.taken_back(batch):
            return
        log.warning("%s: %d %s are given up: %s", self._handler, batch.count, batch.signal, why)
        self.count("given_up", batch.count)


class _Handler(PolicyHandler):
    def __init__(self, waiting: Waiting, sender: _Sender, delivery: Delivery[Batch]) -> None:
        self._waiting, self._sender, self._delivery = waiting, sender, delivery

    async def report(self, instances: tuple[Instance, ...]) -> None:
        """What cannot wait with the others is counted; the rest of the batch is taken."""
        for instance in instances:
            if why := self._waiting.add(instance):
                self._sender.count(why)
        if self._waiting.is_full:
            self._delivery.hurry()
