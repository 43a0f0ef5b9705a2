import pytest

from proa.core.attributes.addresses import address_text, parse_address, plain_address, same_address


@pytest.mark.parametrize(
    ("text", "printed"),
    [
        ("1.2.3.4", "1.2.3.4"),
        ("::ffff:1.2.3.4", "1.2.3.4"),
        ("2001:DB8::0:1", "2001:db8::1"),
        ("::", "::"),
    ],
)
def test_addresses(text: str, printed: str) -> None:
    address = parse_address(text)
    assert address is not None
    assert address_text(address) == printed


@pytest.mark.parametrize(
    "text", ["", "1.2.3", "1.2.3.4.5", "1.2.3.256", "010.0.0.1", "a", "fe80::1%eth0", "1.2.3.4/8", ":"]
)
def test_no_addresses(text: str) -> None:
    assert parse_address(text) is None


def test_four_bytes_are_the_same_as_sixteen() -> None:
    mapped = bytes(10) + b"\xff\xff\x01\x02\x03\x04"
    assert plain_address(mapped) == b"\x01\x02\x03\x04"
    assert same_address(mapped, b"\x01\x02\x03\x04")
    assert same_address(b"\x01\x02\x03\x04", mapped)
    assert not same_address(b"\x01\x02\x03\x05", mapped)


def test_unknown_address() -> None:
    assert address_text(b"") == ""
    with pytest.raises(ValueError, match="3"):
        address_text(b"abc")
