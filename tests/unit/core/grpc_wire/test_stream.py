"""A stream's receiving window."""

from proa.core.grpc_wire.stream import Stream


def test_the_window_is_what_may_be_sent_and_no_byte_more() -> None:
    stream = Stream(1, 0, 10)
    assert stream.take_from_window(10)
    assert not stream.take_from_window(1)
