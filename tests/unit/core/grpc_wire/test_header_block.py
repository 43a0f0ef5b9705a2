"""Blocks of fields: gathered, bounded, unpacked."""

import hpack
import pytest

from proa.core.grpc_wire import frames
from proa.core.grpc_wire.frames import ErrorCode, Misbehaved
from proa.core.grpc_wire.header_block import MOST_CONTINUATIONS, MOST_HEADERS, MOST_PACKED, HeaderBlock

FIELDS = [(b"name", b"value"), (b"other", b"")]
PACKED = hpack.Encoder().encode(FIELDS)


def decoder() -> hpack.Decoder:
    return hpack.Decoder(max_header_list_size=MOST_HEADERS)


def test_pieces_are_one_block() -> None:
    block = HeaderBlock(0, 1, PACKED[:3])
    block.add(PACKED[3:])
    assert block.unpack(decoder()) == FIELDS


def test_padding_and_priority_are_no_fields() -> None:
    flags = frames.PADDED | frames.WITH_PRIORITY | frames.END_STREAM
    block = HeaderBlock(flags, 1, b"\x04" + bytes(5) + PACKED + bytes(4))
    assert block.unpack(decoder()) == FIELDS
    assert block.ends_stream


def test_both_ends_keep_one_table() -> None:
    ours, theirs = decoder(), hpack.Encoder()
    for _ in range(3):
        assert HeaderBlock(0, 1, theirs.encode(FIELDS)).unpack(ours) == FIELDS


def code_of(*pieces: bytes, flags: int = 0, number: int = 1) -> ErrorCode:
    with pytest.raises(Misbehaved) as raised:
        _unpack(pieces, flags, number)
    return raised.value.code


def _unpack(pieces: tuple[bytes, ...], flags: int, number: int) -> None:
    block = HeaderBlock(flags, number, pieces[0])
    for piece in pieces[1:]:
        block.add(piece)
    block.unpack(decoder())


def test_what_cannot_be_is_refused() -> None:
    assert code_of(PACKED, number=2) is ErrorCode.PROTOCOL_ERROR
    assert code_of(b"abc", flags=frames.WITH_PRIORITY) is ErrorCode.FRAME_SIZE_ERROR
    assert code_of(b"\xff" * 9) is ErrorCode.COMPRESSION_ERROR
    assert code_of(*([b""] * (MOST_CONTINUATIONS + 1))) is ErrorCode.ENHANCE_YOUR_CALM
    assert code_of(*([bytes(16_384)] * (MOST_PACKED // 16_384 + 1))) is ErrorCode.ENHANCE_YOUR_CALM


def test_a_small_block_that_unpacks_large_is_refused() -> None:
    """RFC 7541 7.3: one entry of the table, named again and again."""
    theirs = hpack.Encoder()
    large = [(b"x", b"y" * 3_000)]
    bomb = theirs.encode(large) + theirs.encode(large) * 10
    assert len(bomb) < 4_000
    assert code_of(bomb) is ErrorCode.ENHANCE_YOUR_CALM
