"""IP addresses as attributes hold them: bytes, 4 or 16, and the texts that users write."""

from ipaddress import AddressValueError, IPv4Address, IPv6Address

_MAPPED = bytes(10) + b"\xff\xff"


def parse_address(text: str) -> bytes | None:
    """4 bytes or 16; an IPv4 address in IPv6 clothing (`::ffff:1.2.3.4`) is 4. None when it is no address."""
    try:
        if ":" not in text:
            return IPv4Address(text).packed
        # Go takes no zones (`fe80::1%eth0`).
        return plain_address(IPv6Address(text).packed) if "%" not in text else None
    except AddressValueError:
        return None


def plain_address(address: bytes) -> bytes:
    """4 bytes for an IPv4 address however it was given."""
    return address[12:] if len(address) == 16 and address.startswith(_MAPPED) else address


def same_address(first: bytes, second: bytes) -> bool:
    return first == second or plain_address(first) == plain_address(second)


def address_text(address: bytes) -> str:
    """As RFC 5952 says; nothing for no bytes. Raises ValueError for a length that no address has."""
    plain = plain_address(address)
    if not plain:
        return ""
    return str(IPv4Address(plain)) if len(plain) == 4 else str(IPv6Address(plain))
