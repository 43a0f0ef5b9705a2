"""influxdb as an adapter: reports come together as points, which are posted in batches (`runtime.delivery`).

What became of each value is counted on the page `/mixer`.
"""

import base64
import logging
import random
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Final

import msgspec
from prometheus_client import CollectorRegistry, Counter, generate_latest

from proa.adapters.policy.influxdb.points import MOST_SERIES, Batch, Points
from proa.core.config.mixer.catalogue import BUILT_IN, AdapterKind
from proa.core.config.mixer.own_parameters import Influxdb
from proa.core.mixer.plan.values import HandlerPlan
from proa.core.mixer.templates import Instance
from proa.ports.failures import HandlerPermanent, HandlerTemporary
from proa.ports.policy_adapter import PolicyHandler
from proa.runtime.backoff import Backoff
from proa.runtime.delivery import Delivery, Pace, delivering

if TYPE_CHECKING:
    import aiohttp

DEADLINE_S: Final = 10.0
_RETRY_MS: Final = 300_000
_LONGEST_RETRY_S: Final = 15.0
_ANSWER: Final = 500
_FOR_GOOD: Final = frozenset((400, 405, 413, 415, 422))
"""What is wrong with the batch itself. Rights and databases (401, 403, 404) can be given while it is tried again."""

log = logging.getLogger("proa.adapters.influxdb")


class InfluxdbAdapter:
    kind: AdapterKind = msgspec.structs.replace(BUILT_IN.adapters["influxdb"], missing="")

    def __init__(self, *, most_series: int = MOST_SERIES) -> None:
        self._most_series = most_series
        self._registry = CollectorRegistry()
        self._values = Counter(
            "proa_mixer_influxdb_values",
            "Reported values by what became of them",
            ["handler", "outcome"],
            registry=self._registry,
        )

    def exposition(self) -> Iterator[str]:
        yield generate_latest(self._registry).decode()

    @asynccontextmanager
    async def open(self, handler: HandlerPlan) -> AsyncIterator[PolicyHandler]:
        """The server is called when there is something to send: one that is away keeps no handler from coming into
        force. At the end what is there is sent, for five seconds at most."""
        parameters = handler.parameters
        assert isinstance(parameters, Influxdb)
        points = Points(parameters, time.time_ns, self._most_series)
        tally = _Tally(handler.name, self._values)
        import aiohttp  # when it is needed: it takes longer to load than all else that reads files

        timeout = aiohttp.ClientTimeout(total=DEADLINE_S)
        async with aiohttp.ClientSession(trust_env=False, timeout=timeout) as web:
            delivery = Delivery(
                points.drain,
                _Server(parameters, web, tally).write,
                tally.given_up,
                Pace.of_ms(parameters.flush_interval, parameters.retry_for, usually=_RETRY_MS),
                Backoff(random.random, shortest=0.2, longest=_LONGEST_RETRY_S),
            )
            async with delivering(delivery):
                yield _Handler(points, tally)


class _Tally:
    def __init__(self, handler: str, values: Counter) -> None:
        self._handler, self._values = handler, values
        self._is_away = False

    def count(self, outcome: str, values: int = 1) -> None:
        self._values.labels(self._handler, outcome).inc(values)

    def written(self, batch: Batch) -> None:
        self._is_away = False
        self.count("written", batch.values)

    def failed(self, why: str) -> None:
        """Of many failures in a row the first is told."""
        if not self._is_away:
            log.warning("%s: %s; what is reported adds up meanwhile", self._handler, why)
        self._is_away = True

    def given_up(self, batch: Batch, why: str) -> None:
        log.warning("%s: %d values are given up: %s", self._handler, batch.values, why)
        self.count("given_up", batch.values)


class _Server:
    def __init__(self, parameters: Influxdb, web: "aiohttp.ClientSession", tally: _Tally) -> None:
        self._web, self._tally = web, tally
        base = parameters.url.rstrip("/")
        self._headers = {"content-type": "text/plain; charset=utf-8"}
        if parameters.bucket:
            self._url = f"{base}/api/v2/write"
            self._query = {"org": parameters.org, "bucket": parameters.bucket}
            self._query["precision"] = parameters.precision
            self._headers["authorization"] = f"Token {parameters.token}"
        else:
            self._url = f"{base}/write"
            self._query = {"db": parameters.database, "precision": parameters.precision[0:1]}
            if parameters.precision == "ms":
                self._query["precision"] = "ms"
            if parameters.retention_policy:
                self._query["rp"] = parameters.retention_policy
            if parameters.user:
                self._headers["authorization"] = _basic(parameters.user, parameters.password)

    async def write(self, batch: Batch) -> None:
        import aiohttp

        try:
            status, text = await self._post(batch.body)
        except (TimeoutError, aiohttp.ClientError, OSError) as error:
            raise self._temporary(f"it cannot be reached: {error or type(error).__name__}") from error
        if status in (200, 204):
            return self._tally.written(batch)
        why = f"it answers {status}: {text}"
        if status in _FOR_GOOD:
            raise HandlerPermanent(f"InfluxDB at {self._url}: {why}")
        raise self._temporary(why)

    async def _post(self, body: bytes) -> tuple[int, str]:
        async with self._web.post(
            self._url,
            params=self._query,
            data=body,
            headers=self._headers,
            allow_redirects=False,
        ) as answer:
            return answer.status, (await answer.content.read(_ANSWER)).decode(errors="replace").strip()

    def _temporary(self, why: str) -> HandlerTemporary:
        told = f"InfluxDB at {self._url}: {why}"
        self._tally.failed(told)
        return HandlerTemporary(told)


def _basic(user: str, password: str) -> str:
    return f"Basic {base64.b64encode(f'{user}:{password}'.encode()).decode()}"


class _Handler(PolicyHandler):
    def __init__(self, points: Points, tally: _Tally) -> None:
        self._points, self._tally = points, tally

    async def report(self, instances: tuple[Instance, ...]) -> None:
        """What cannot be among the points is counted; the others of the batch are taken."""
        for instance in instances:
            if why := self._points.add(instance):
                self._tally.count({"series": "too_many_series", "value": "no_number"}[why])
