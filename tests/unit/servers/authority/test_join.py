"""Joining over HTTP: what strangers may send, and how much of it."""

import asyncio
import socket
from collections.abc import Iterable

from immutables import Map

from proa.core.sidecar.retry import retry_after
from proa.core.sidecar.session import JoinReply, JoinRequest, encode
from proa.runtime.bucket import Rate
from proa.servers.asgi import bind_tcp, serving
from proa.servers.authority.attempts import Attempts
from proa.servers.authority.join import MAX_BODY, build_join_app
from proa.servers.grpc_edge import PeerRefused


class Desk:
    """Lets in who brings the token `good`, whose id is `g`."""

    roots_pem = "ROOTS"
    bundle_document = b'{"keys":[]}'

    async def prove_roots(self, token_id: str) -> str:
        return "proof" if token_id == "g" else ""

    async def join(self, request: JoinRequest) -> JoinReply:
        if request.token != "good":
            raise PeerRefused("unknown join token")
        return JoinReply(chain_pem="CHAIN", bundles=Map(), node="a", servers=())


def answers(
    *requests: Iterable[bytes], patience_s: float = 60.0, attempts: Attempts | None = None
) -> list[bytes]:
    """What each request, sent on a connection of its own, is answered until the server closes."""

    async def ask(address: tuple[str, int], request: Iterable[bytes]) -> bytes:
        reader, writer = await asyncio.open_connection(*address)
        for piece in request:
            writer.write(piece)
        await writer.drain()
        answer = await reader.read()
        writer.close()
        return answer

    async def scene(bound: socket.socket) -> list[bytes]:
        app = build_join_app(Desk(), patience_s=patience_s, attempts=attempts)
        async with asyncio.timeout(60), serving(app, [bound]):
            return [await ask(bound.getsockname(), request) for request in requests]

    with bind_tcp("127.0.0.1", 0) as bound:
        return asyncio.run(scene(bound))


def post(body: bytes, length: int | None = None) -> bytes:
    size = len(body) if length is None else length
    head = f"POST /v1/join HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-length: {size}\r\n\r\n"
    return head.encode() + body


def request(token: str) -> bytes:
    return encode(JoinRequest(token=token, csr_pem=""))


def test_a_good_token_joins_and_another_does_not() -> None:
    good, bad, nonsense = answers([post(request("good"))], [post(request("bad"))], [post(b"{}")])
    assert good.startswith(b"HTTP/1.1 200")
    assert b"CHAIN" in good
    assert bad.startswith(b"HTTP/1.1 403")
    assert nonsense.startswith(b"HTTP/1.1 400")
    assert b"CHAIN" not in bad + nonsense


def test_a_body_without_end_is_cut_off() -> None:
    (answer,) = answers([post(b"x" * (MAX_BODY + 1), length=MAX_BODY * 100)])
    assert answer.startswith(b"HTTP/1.1 413")


def test_a_body_that_does_not_come_is_not_waited_for() -> None:
    (answer,) = answers([post(b"x", length=60_000)], patience_s=0.05)
    assert answer.startswith(b"HTTP/1.1 408")


def test_who_guesses_is_told_to_wait_and_who_joins_is_not_counted() -> None:
    attempts = Attempts(lambda: 0.0, rate=Rate(per_s=0.2, burst=2))
    good, bad = [post(request("good"))], [post(request("bad"))]
    *joined, first, second, third = answers(good, good, good, bad, bad, good, attempts=attempts)
    assert all(answer.startswith(b"HTTP/1.1 200") for answer in joined)
    assert first.startswith(b"HTTP/1.1 403")
    assert second.startswith(b"HTTP/1.1 403")
    assert third.startswith(b"HTTP/1.1 429")
    assert retry_after(third.decode().strip()) == 5.0


def fetch(path: str) -> bytes:
    return f"GET {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n".encode()


def test_the_roots_are_anybodys_and_their_proof_is_for_who_has_a_token() -> None:
    for path, has_proof in (("/v1/root", False), ("/v1/root?token=x", False), ("/v1/root?token=g", True)):
        (answer,) = answers([fetch(path)])
        assert answer.startswith(b"HTTP/1.1 200"), answer
        assert answer.endswith(b"ROOTS")
        assert (b"proa-roots-proof: proof" in answer) == has_proof


def test_who_asks_too_often_gets_the_roots_without_a_proof() -> None:
    attempts = Attempts(lambda: 0.0, rate=Rate(per_s=1, burst=1))
    assert attempts.wait_s("127.0.0.1") == 0
    (answer,) = answers([fetch("/v1/root?token=g")], attempts=attempts)
    assert answer.endswith(b"ROOTS")
    assert b"proof" not in answer
