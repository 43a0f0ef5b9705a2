"""Frames, however their bytes come."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proa.core.grpc_wire.cutter import LARGEST_FRAME, Frame, FrameCutter
from proa.core.grpc_wire.frames import PREFACE, Misbehaved, frame

FRAMES = st.lists(
    st.tuples(st.integers(0, 255), st.integers(0, 255), st.integers(0, 2**31 - 1), st.binary(max_size=50))
)


@given(FRAMES, st.data())
def test_every_cut_gives_the_same_frames(wanted: list[Frame], draw: st.DataObject) -> None:
    said = PREFACE + b"".join(frame(*each) for each in wanted)
    cutter = FrameCutter()
    found: list[Frame] = []
    while said:
        size = draw.draw(st.integers(1, len(said)))
        found += cutter.feed(said[:size])
        said = said[size:]
    assert found == wanted


def test_the_reserved_bit_of_a_stream_is_ignored() -> None:
    cutter = FrameCutter()
    assert cutter.feed(PREFACE + frame(6, 0, 2**31 + 5, b"")) == [(6, 0, 5, b"")]


def test_a_frame_that_is_too_large_is_refused_before_it_is_there() -> None:
    cutter = FrameCutter()
    with pytest.raises(Misbehaved):
        cutter.feed(PREFACE + frame(0, 0, 1, bytes(LARGEST_FRAME + 1))[:20])


def test_another_protocol_is_refused() -> None:
    with pytest.raises(Misbehaved):
        FrameCutter().feed(b"GET /index.html HTTP/1.1\r\n\r\n")
