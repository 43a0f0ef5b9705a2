"""What headers say. Those that are malformed are in test_connection, where one sees what becomes of them."""

import pytest

from proa.core.grpc_wire.request import Head, Malformed, NoCall, check_trailers, read_head, read_timeout
from tests.unit.core.grpc_wire.peers import HEADERS

GOOD = [(name.encode(), value.encode()) for name, value in HEADERS]


def test_metadata_is_text_in_order_without_binary() -> None:
    head = read_head([*GOOD, (b"one", b"1"), (b"two-bin", b"AAE="), (b"one", b"again")])
    assert isinstance(head, Head)
    assert head.metadata[2:] == (("one", "1"), ("one", "again"))
    assert head.timeout_s is None


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("1H", 3600.0), ("2M", 120.0), ("3S", 3.0), ("250m", 0.25), ("5u", 5e-6), ("99999999n", 0.099999999)],
)
def test_timeouts(text: str, seconds: float) -> None:
    assert read_timeout(text) == pytest.approx(seconds)


@pytest.mark.parametrize("text", ["", "S", "1", "-1S", "123456789S", "1s", "1 S", "1S\n", "\u0661S"])
def test_what_is_no_timeout(text: str) -> None:
    assert read_timeout(text) is None


@pytest.mark.parametrize(
    ("content_type", "is_call"),
    [
        ("application/grpc", True),
        ("application/grpc+proto", True),
        ("application/grpc;charset=utf-8", True),
        ("application/grpc-web", False),
        ("application/json", False),
    ],
)
def test_content_types(content_type: str, is_call: bool) -> None:
    fields = [(n, content_type.encode() if n == b"content-type" else v) for n, v in GOOD]
    found = read_head(fields)
    assert isinstance(found, Head) == is_call
    assert isinstance(found, NoCall) != is_call


def test_a_status_is_no_trailer_of_a_request_when_it_is_a_pseudo_field() -> None:
    check_trailers([(b"grpc-status", b"0")])
    with pytest.raises(Malformed):
        check_trailers([(b":status", b"200")])
