"""Frames as bytes, and settings as values."""

import pytest

from proa.core.grpc_wire import frames
from proa.core.grpc_wire.frames import ErrorCode, Misbehaved, Setting


def test_a_frames_length_has_three_bytes() -> None:
    assert frames.frame(1, 4, 3, bytes(70_000))[:9] == bytes((1, 0x11, 0x70, 1, 4, 0, 0, 0, 3))


def test_settings_there_and_back() -> None:
    said = frames.settings_frame({Setting.MAX_FRAME_SIZE: 20_000, Setting.INITIAL_WINDOW_SIZE: 7})
    assert frames.read_settings(said[frames.HEAD_SIZE :]) == {5: 20_000, 4: 7}


def test_settings_that_nobody_knows_are_kept_and_harmless() -> None:
    assert frames.read_settings(b"\xff\xff\0\0\0\1") == {0xFFFF: 1}


@pytest.mark.parametrize("payload", [b"\x04abc", b"", b"\x01"])
def test_padding_has_its_place(payload: bytes) -> None:
    assert frames.unpadded(0, payload) == payload
    with pytest.raises(Misbehaved):
        frames.unpadded(frames.PADDED, payload)


def test_padding_is_taken_off() -> None:
    assert frames.unpadded(frames.PADDED, b"\x02word\0\0") == b"word"
    assert frames.unpadded(frames.PADDED, b"\x03abc") == b""
    assert frames.unpadded(frames.PADDED, b"\x00") == b""


def test_a_goodbye_says_how_far_it_reaches_and_why() -> None:
    assert frames.goodbye_frame(7, ErrorCode.ENHANCE_YOUR_CALM, "calm")[9:] == b"\0\0\0\7\0\0\0\x0bcalm"
