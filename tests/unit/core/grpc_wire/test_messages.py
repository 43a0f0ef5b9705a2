"""Messages out of a stream of bytes."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proa.core.grpc_wire.messages import LARGEST, Messages, NotAMessage
from proa.core.grpc_wire.status import Code
from tests.unit.core.grpc_wire.peers import message


@given(st.lists(st.binary(max_size=40)), st.data())
def test_every_cut_gives_the_same_messages(bodies: list[bytes], draw: st.DataObject) -> None:
    said = b"".join(message(body) for body in bodies)
    messages, found = Messages(), []
    while said:
        size = draw.draw(st.integers(1, len(said)))
        found += messages.feed(said[:size])
        said = said[size:]
    assert found == bodies
    assert messages.unfinished == 0


def test_what_is_not_whole_is_counted() -> None:
    messages = Messages()
    assert messages.feed(message(b"one") + message(b"two")[:6]) == [b"one"]
    assert messages.unfinished == 6


@pytest.mark.parametrize(
    ("said", "is_compressed", "code"),
    [
        (message(b"x", flag=1), True, Code.UNIMPLEMENTED),
        (message(b"x", flag=1), False, Code.INTERNAL),
        (message(b"x", flag=2), True, Code.INTERNAL),
        (b"\0" + (LARGEST + 1).to_bytes(4, "big"), False, Code.RESOURCE_EXHAUSTED),
    ],
)
def test_what_is_no_message_ends_the_call(said: bytes, is_compressed: bool, code: Code) -> None:
    for pieces in ([said], [said[:3], said[3:]]):
        messages = Messages(is_compressed)
        for piece in pieces[:-1]:
            messages.feed(piece)
        with pytest.raises(NotAMessage) as raised:
            messages.feed(pieces[-1])
        assert raised.value.status.code is code


def test_the_largest_is_taken() -> None:
    messages = Messages()
    assert messages.feed(b"\0" + LARGEST.to_bytes(4, "big")) == []
    assert [len(body) for body in messages.feed(bytes(LARGEST))] == [LARGEST]
