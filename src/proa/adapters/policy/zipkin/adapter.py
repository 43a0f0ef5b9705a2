"""zipkin as an adapter: reports come together as spans, which are posted in batches (`runtime.delivery`).

What became of each span is counted on the page `/mixer`.
"""

import logging
import random
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Final

import msgspec
from prometheus_client import CollectorRegistry, Counter, generate_latest

from proa.adapters.policy.zipkin.waiting import MOST, Batch, Waiting
from proa.core.config.mixer.catalogue import BUILT_IN, AdapterKind
from proa.core.config.mixer.own_parameters import Zipkin
from proa.core.mixer.plan.values import HandlerPlan
from proa.core.mixer.templates import Instance
from proa.ports.failures import HandlerPermanent, HandlerTemporary
from proa.ports.policy_adapter import PolicyHandler
from proa.runtime.backoff import Backoff
from proa.runtime.delivery import Delivery, Pace, delivering

if TYPE_CHECKING:
    import aiohttp

DEADLINE_S: Final = 10.0
_RETRY_MS: Final = 60_000
_LONGEST_RETRY_S: Final = 10.0
_ANSWER: Final = 300
_FINE: Final = range(200, 300)
_FOR_GOOD: Final = frozenset((400, 405, 411, 413, 415, 422))
"""What is wrong with the batch itself."""

log = logging.getLogger("proa.adapters.zipkin")


class ZipkinAdapter:
    kind: AdapterKind = msgspec.structs.replace(BUILT_IN.adapters["zipkin"], missing="")

    def __init__(self, *, most: int = MOST) -> None:
        self._most = most
        self._registry = CollectorRegistry()
        self._spans = Counter(
            "proa_mixer_zipkin_spans",
            "Reported spans by what became of them",
            ["handler", "outcome"],
            registry=self._registry,
        )

    def exposition(self) -> Iterator[str]:
        yield generate_latest(self._registry).decode()

    @asynccontextmanager
    async def open(self, handler: HandlerPlan) -> AsyncIterator[PolicyHandler]:
        """A collector that is away keeps no handler from coming into force. At the end what is there is sent, for five
        seconds at most."""
        parameters = handler.parameters
        assert isinstance(parameters, Zipkin)
        waiting, tally = Waiting(parameters, self._most), _Tally(handler.name, self._spans)
        import aiohttp  # when it is needed: it takes longer to load than all else that reads files

        timeout = aiohttp.ClientTimeout(total=DEADLINE_S)
        async with aiohttp.ClientSession(trust_env=False, timeout=timeout) as web:
            delivery = Delivery(
                waiting.drain,
                _Collector(parameters, web, tally).post,
                tally.given_up,
                Pace.of_ms(parameters.flush_interval, parameters.retry_for, usually=_RETRY_MS),
                Backoff(random.random, shortest=0.2, longest=_LONGEST_RETRY_S),
            )
            async with delivering(delivery):
                yield _Handler(waiting, tally, delivery)


class _Tally:
    def __init__(self, handler: str, spans: Counter) -> None:
        self._handler, self._spans = handler, spans
        self._is_away = False

    def count(self, outcome: str, spans: int = 1) -> None:
        self._spans.labels(self._handler, outcome).inc(spans)

    def sent(self, batch: Batch) -> None:
        self._is_away = False
        self.count("sent", batch.spans)

    def failed(self, why: str) -> None:
        """Of many failures in a row the first is told."""
        if not self._is_away:
            log.warning("%s: %s; spans wait meanwhile", self._handler, why)
        self._is_away = True

    def given_up(self, batch: Batch, why: str) -> None:
        log.warning("%s: %d spans are given up: %s", self._handler, batch.spans, why)
        self.count("given_up", batch.spans)


class _Collector:
    def __init__(self, parameters: Zipkin, web: "aiohttp.ClientSession", tally: _Tally) -> None:
        self._url, self._web, self._tally = parameters.url, web, tally
        self._headers = {**parameters.headers, "content-type": "application/json"}

    async def post(self, batch: Batch) -> None:
        import aiohttp

        try:
            async with self._web.post(
                self._url, data=batch.body, headers=self._headers, allow_redirects=False
            ) as answer:
                status, text = answer.status, (await answer.content.read(_ANSWER)).decode(errors="replace")
        except (TimeoutError, aiohttp.ClientError, OSError) as error:
            raise self._temporary(f"cannot be reached: {error or type(error).__name__}") from error
        if status in _FINE:
            return self._tally.sent(batch)
        why = f"answers {status}: {text.strip()}"
        if status in _FOR_GOOD:
            raise HandlerPermanent(f"the collector {why}")
        raise self._temporary(why)

    def _temporary(self, why: str) -> HandlerTemporary:
        told = f"the collector {why}"
        self._tally.failed(told)
        return HandlerTemporary(told)


class _Handler(PolicyHandler):
    def __init__(self, waiting: Waiting, tally: _Tally, delivery: Delivery[Batch]) -> None:
        self._waiting, self._tally, self._delivery = waiting, tally, delivery

    async def report(self, instances: tuple[Instance, ...]) -> None:
        """What cannot be among the spans is counted; the others of the batch are taken."""
        for instance in instances:
            if why := self._waiting.add(instance):
                self._tally.count(why)
        if self._waiting.is_a_batch:
            self._delivery.hurry()
