"""gRPC streams as bytes in and bytes out, with one exception for every way in which a stream ends."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, cast

import grpc

from proa.core.sidecar.session import MessageError

Metadata = tuple[tuple[str, str], ...]

_LOSSES = (grpc.RpcError, MessageError, asyncio.InvalidStateError, grpc.aio.UsageError)
"""What reading and writing raise when the other side, or the channel, is gone."""


class StreamLost(Exception):
    """The text says why, for a log line."""


class ByteStream:
    """A bidirectional call on a channel. `close` it when done."""

    def __init__(self, channel: grpc.aio.Channel, method: str, metadata: Metadata = ()) -> None:
        opened: Any = cast(Any, channel).stream_stream(method)
        self._call: Any = opened(metadata=metadata)

    async def read(self) -> bytes | None:
        """The next message, None at the end."""
        body = await self._call.read()
        return None if body is cast(Any, grpc.aio).EOF else cast(bytes, body)

    async def write(self, body: bytes) -> None:
        await self._call.write(body)

    def close(self) -> None:
        self._call.cancel()


async def call_once(channel: grpc.aio.Channel, method: str, body: bytes, timeout_s: float) -> bytes:
    """A unary call. Raises grpc.aio.AioRpcError."""
    call: Any = cast(Any, channel).unary_unary(method)
    return cast(bytes, await call(body, timeout=timeout_s, wait_for_ready=True))


@contextmanager
def losses() -> Iterator[None]:
    """Around the use of a stream: whatever ended it is raised as StreamLost, alone or in a group; our own
    cancellation and bugs stay what they are. gRPC ends the calls of a closed channel with CancelledError."""
    try:
        yield
    except asyncio.CancelledError:
        if is_cancelled():
            raise
        raise StreamLost("the connection was replaced") from None
    except BaseExceptionGroup as group:
        lost, bugs = group.split(_LOSSES)
        if bugs is not None or lost is None:
            raise
        raise StreamLost(_why(lost)) from None
    except _LOSSES as error:
        raise StreamLost(_why(error)) from None


def is_cancelled() -> bool:
    """Whether somebody cancelled the task we run in."""
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0


def _why(error: BaseException) -> str:
    if isinstance(error, BaseExceptionGroup):
        return _why(error.exceptions[0])
    if isinstance(error, grpc.aio.AioRpcError):
        return error.details() or str(error.code().name)
    return str(error) or type(error).__name__
