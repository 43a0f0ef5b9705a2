import asyncio

import pytest

from proa.testing.http1 import Connection, ConnectionLost, ProtocolBroken, Response

REQUEST = b"GET / HTTP/1.1\r\nhost: a\r\n\r\n"


def _exchanges(*answers: bytes, is_head: bool = False) -> tuple[list[Response], bool]:
    """One connection; the server sends the answers one per request and closes after the last."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for answer in answers:
            await reader.readuntil(b"\r\n\r\n")
            writer.write(answer)
        writer.close()

    async def run() -> tuple[list[Response], bool]:
        async with await asyncio.start_server(serve, "127.0.0.1", 0) as server:
            connection = Connection(*await asyncio.open_connection(*server.sockets[0].getsockname()))
            try:
                responses = [await connection.exchange(REQUEST, is_head=is_head) for _ in answers]
                return responses, connection.is_reusable
            finally:
                await connection.close()

    return asyncio.run(run())


def _body(answer: bytes, *, is_head: bool = False) -> bytes:
    return _exchanges(answer, is_head=is_head)[0][0].body


def test_bodies_end_where_the_message_says() -> None:
    assert _body(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nab") == b"ab"
    assert (
        _body(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2;x=y\r\nab\r\n1\r\nc\r\n0\r\n\r\n")
        == b"abc"
    )
    assert _body(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nx-trailer: 1\r\n\r\n") == b""
    assert _body(b"HTTP/1.1 200 OK\r\n\r\nto the end") == b"to the end"
    assert _body(b"HTTP/1.1 204 No Content\r\n\r\n") == b""
    assert _body(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n", is_head=True) == b""


def test_interim_answers_are_passed_over() -> None:
    answer = b"HTTP/1.1 103 Early Hints\r\nlink: x\r\n\r\nHTTP/1.1 404 Not Found\r\nX-A: b\r\ncontent-length: 0\r\n\r\n"
    [response], _ = _exchanges(answer)
    assert (response.status, response.headers["x-a"]) == (404, "b")


def test_a_connection_serves_several_requests() -> None:
    answers = [f"HTTP/1.1 200 OK\r\ncontent-length: 1\r\n\r\n{n}".encode() for n in range(3)]
    responses, _ = _exchanges(*answers)
    assert [response.body for response in responses] == [b"0", b"1", b"2"]


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 0\r\n\r\n",
        b"HTTP/1.0 200 OK\r\ncontent-length: 0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\n\r\n",
        b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\nmore than was said",
    ],
)
def test_a_closing_connection_is_not_used_again(answer: bytes) -> None:
    assert not _exchanges(answer)[1]


@pytest.mark.parametrize(
    "answer",
    [
        b"SSH-2.0-x\r\n\r\n",
        b"HTTP/1.1 abc\r\n\r\n",
        b"HTTP/1.1 200 OK\r\ncontent-length: x\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nx: " + b"y" * 300_000,
    ],
)
def test_what_is_no_http(answer: bytes) -> None:
    with pytest.raises(ProtocolBroken):
        _exchanges(answer)


def test_a_close_before_any_answer_is_an_idle_race_only_on_a_used_connection() -> None:
    with pytest.raises(ConnectionLost) as first:
        _exchanges(b"")
    assert not first.value.is_idle_race
    with pytest.raises(ConnectionLost) as second:
        _exchanges(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n", b"")
    assert second.value.is_idle_race


def test_a_close_within_an_answer_is_no_idle_race() -> None:
    with pytest.raises(ConnectionLost) as lost:
        _exchanges(
            b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n",
            b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nabc",
        )
    assert not lost.value.is_idle_race
