"""A collector, spoken to by gRPC or by HTTP: a request of bytes, and what of it was refused.

Which failures pass is said by OpenTelemetry's protocol, once for each of the two.
"""

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Final, Protocol
from urllib.parse import urlsplit

import aiohttp
import grpc

from proa.adapters.policy.otlp.answers import refused
from proa.adapters.policy.otlp.batches import Signal
from proa.core.config.mixer.own_parameters import Otlp
from proa.ports.failures import HandlerPermanent, HandlerTemporary

DEADLINE_S: Final = 10.0
_METHODS: Final[Mapping[Signal, str]] = {
    "logs": "/opentelemetry.proto.collector.logs.v1.LogsService/Export",
    "metrics": "/opentelemetry.proto.collector.metrics.v1.MetricsService/Export",
    "traces": "/opentelemetry.proto.collector.trace.v1.TraceService/Export",
}
_PASSING_CODES: Final = frozenset(
    (
        grpc.StatusCode.CANCELLED,
        grpc.StatusCode.DEADLINE_EXCEEDED,
        grpc.StatusCode.RESOURCE_EXHAUSTED,
        grpc.StatusCode.ABORTED,
        grpc.StatusCode.OUT_OF_RANGE,
        grpc.StatusCode.UNAVAILABLE,
        grpc.StatusCode.DATA_LOSS,
    )
)
_PASSING_STATUSES: Final = frozenset((408, 429, 502, 503, 504))
_OPTIONS: Final = (
    ("grpc.enable_http_proxy", 0),
    ("grpc.initial_reconnect_backoff_ms", 200),
    ("grpc.max_reconnect_backoff_ms", 5000),
    ("grpc.max_receive_message_length", 1 << 16),
    ("grpc.use_local_subchannel_pool", 1),
)
_PORTS: Final = {"http": 80, "https": 443}
_MOST_ANSWER: Final = 1 << 16
_QUOTED: Final = 500


class Collector(Protocol):
    async def export(self, signal: Signal, body: bytes) -> tuple[int, str]:
        """How many of them were refused, and why. Raises HandlerTemporary, HandlerPermanent."""


@asynccontextmanager
async def collector(parameters: Otlp) -> AsyncIterator[Collector]:
    """Nobody is called before the first batch."""
    parts = urlsplit(parameters.endpoint)
    if parameters.protocol == "HTTP":
        timeout = aiohttp.ClientTimeout(total=DEADLINE_S)
        async with aiohttp.ClientSession(trust_env=False, timeout=timeout) as web:
            yield _Web(parameters.endpoint.rstrip("/"), parameters.headers, web)
        return
    host = f"[{parts.hostname}]" if ":" in (parts.hostname or "") else parts.hostname
    target = f"{host}:{parts.port or _PORTS[parts.scheme]}"
    if parts.scheme == "https":
        channel = grpc.aio.secure_channel(target, grpc.ssl_channel_credentials(), _OPTIONS)
    else:
        channel = grpc.aio.insecure_channel(target, _OPTIONS)
    async with channel:
        yield _Grpc(target, tuple(parameters.headers.items()), channel)


class _Grpc:
    def __init__(self, target: str, metadata: Sequence[tuple[str, str]], channel: grpc.aio.Channel) -> None:
        self._target, self._metadata = target, metadata
        self._calls = {
            signal: channel.unary_unary(method, bytes, bytes) for signal, method in _METHODS.items()
        }

    async def export(self, signal: Signal, body: bytes) -> tuple[int, str]:
        try:
            answer = await self._calls[signal](body, timeout=DEADLINE_S, metadata=self._metadata)
        except grpc.aio.AioRpcError as error:
            code = error.code()
            failure = HandlerTemporary if code in _PASSING_CODES else HandlerPermanent
            raise failure(f"the collector at {self._target}: {code.name}: {error.details()}") from None
        return refused(answer)


class _Web:
    def __init__(self, endpoint: str, headers: Mapping[str, str], web: aiohttp.ClientSession) -> None:
        self._endpoint, self._web = endpoint, web
        self._headers = {**headers, "content-type": "application/x-protobuf"}

    async def export(self, signal: Signal, body: bytes) -> tuple[int, str]:
        url = f"{self._endpoint}/v1/{signal}"
        try:
            async with self._web.post(url, data=body, headers=self._headers, allow_redirects=False) as answer:
                status, told = answer.status, await answer.content.read(_MOST_ANSWER)
        except (TimeoutError, aiohttp.ClientError, OSError) as error:
            why = str(error) or type(error).__name__
            raise HandlerTemporary(f"the collector at {url} cannot be reached: {why}") from error
        if status == 200:
            return refused(told)
        text = told[:_QUOTED].decode(errors="replace")
        failure = HandlerTemporary if status in _PASSING_STATUSES else HandlerPermanent
        raise failure(f"the collector at {url} answers {status}: {text}")
