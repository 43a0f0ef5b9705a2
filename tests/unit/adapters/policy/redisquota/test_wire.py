import asyncio

import pytest

from proa.adapters.policy.redisquota.wire import Answer, RedisError, WireError, command, read_answer


def read(text: bytes) -> Answer:
    async def body() -> Answer:
        reader = asyncio.StreamReader()
        reader.feed_data(text)
        reader.feed_eof()
        return await read_answer(reader)

    return asyncio.run(body())


def test_a_command_counts_bytes_and_not_letters() -> None:
    assert command(("SET", "ä", -5)) == b"*3\r\n$3\r\nSET\r\n$2\r\n\xc3\xa4\r\n$2\r\n-5\r\n"


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        (b"+OK\r\n", b"OK"),
        (b":-7\r\n", -7),
        (b"$4\r\na\r\nb\r\n", b"a\r\nb"),
        (b"$-1\r\n", None),
        (b"*-1\r\n", None),
        (b"*2\r\n:1\r\n*1\r\n$0\r\n\r\n", [1, [b""]]),
        (b"-WRONGTYPE no such\r\n", RedisError("WRONGTYPE", "WRONGTYPE no such")),
    ],
)
def test_answers_are_read(text: bytes, answer: Answer) -> None:
    assert read(text) == answer


@pytest.mark.parametrize("text", [b"*1\r\n" * 9 + b":1\r\n", b"x\r\n", b":1.5\r\n"])
def test_what_is_no_answer_is_refused(text: bytes) -> None:
    with pytest.raises(WireError):
        read(text)


@pytest.mark.parametrize("text", [b"", b"$4\r\nab", b"*2\r\n:1\r\n"])
def test_an_end_within_an_answer_is_told(text: bytes) -> None:
    with pytest.raises(EOFError):
        read(text)
