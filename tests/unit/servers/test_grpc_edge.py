"""Where a peer comes from, as gRPC tells it, and what it is told when it is refused."""

import asyncio

import grpc
import pytest

from proa.ports.failures import StoreTemporary
from proa.servers.grpc_edge import NotNow, PeerRefused, answering, is_loopback, refusal_in


class Call:
    """A gRPC call's context that notes how it was ended."""

    ended: tuple[grpc.StatusCode, str] | None = None

    async def abort(self, code: grpc.StatusCode, details: str) -> None:
        self.ended = (code, details)


@pytest.mark.parametrize("peer", ["ipv4:127.0.0.1:5000", "ipv6:%5B::1%5D:5000", "ipv6:[::1]:5000"])
def test_loopback_is_known_in_every_spelling(peer: str) -> None:
    assert is_loopback(peer)


@pytest.mark.parametrize(
    "peer", ["ipv4:10.0.0.1:5000", "ipv6:%5B2001:db8::1%5D:5000", "unix:/run/x:1", "ipv4:localhost:1", ""]
)
def test_everything_else_is_elsewhere(peer: str) -> None:
    assert not is_loopback(peer)


def test_a_refusal_in_a_task_is_the_handlers() -> None:
    refusal = PeerRefused("no")
    assert refusal_in(ExceptionGroup("tasks", [ExceptionGroup("inner", [refusal])])) is refusal


def test_a_bug_beside_a_refusal_stays_a_bug() -> None:
    assert refusal_in(ExceptionGroup("tasks", [PeerRefused("no"), KeyError("bug")])) is None
    assert refusal_in(ExceptionGroup("tasks", [KeyError("bug")])) is None


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (PeerRefused("why"), grpc.StatusCode.PERMISSION_DENIED),
        (NotNow("why"), grpc.StatusCode.UNAVAILABLE),
        (StoreTemporary("why"), grpc.StatusCode.UNAVAILABLE),
    ],
)
def test_a_call_that_fails_says_why_and_whether_to_come_again(
    error: Exception, code: grpc.StatusCode
) -> None:
    async def failing() -> None:
        raise error

    call = Call()
    asyncio.run(answering(call, failing()))
    assert call.ended == (code, "why")
