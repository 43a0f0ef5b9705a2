"""Blocks that another library understands."""

from urllib.parse import unquote

import hpack
from hypothesis import given
from hypothesis import strategies as st

from proa.core.grpc_wire import status
from proa.core.grpc_wire.status import LONGEST_MESSAGE, OK, Code, Status, literal, percent_encoded, trailers


def unpacked(block: bytes) -> list[tuple[str, str]]:
    return [(str(name), str(value)) for name, value in hpack.Decoder().decode(block)]


@given(st.text("abc-:", min_size=1, max_size=300), st.text("xyzé %", max_size=300))
def test_literals(name: str, value: str) -> None:
    assert unpacked(literal(name, value)) == [(name, value)]


def test_the_end_of_a_call_that_went_well_has_no_words() -> None:
    assert unpacked(trailers(OK)) == [("grpc-status", "0")]
    assert unpacked(trailers(Status(Code.UNAVAILABLE, "later"))) == [
        ("grpc-status", "14"),
        ("grpc-message", "later"),
    ]


def test_a_response_begins() -> None:
    assert unpacked(status.FIRST + status.HEADERS)[0] == (":status", "200")
    assert unpacked(status.http_error(415)) == [(":status", "415"), ("content-length", "0")]


@given(st.text(max_size=100))
def test_messages_are_printable_and_come_back(text: str) -> None:
    encoded = percent_encoded(text)
    assert all(" " <= character <= "~" for character in encoded)
    assert unquote(encoded) == text


def test_a_long_message_is_cut_between_characters() -> None:
    encoded = percent_encoded("€" * LONGEST_MESSAGE)
    assert len(encoded) <= LONGEST_MESSAGE
    assert set(unquote(encoded)) == {"€"}
