"""What is in a list, against the plainest reading of each type."""

import ipaddress
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proa.core.config.mixer.parameters import ListChecker
from proa.core.mixer.lists import (
    MOST_EXPRESSIONS,
    BadList,
    EntryType,
    decide,
    make_entries,
    overrides_of,
    read_list,
    read_network,
    value_fault,
)
from proa.core.mixer.plan.verdict import CheckAnswer

TEXTS = st.text(st.characters(codec="utf-8", exclude_characters="\r\n"), max_size=8)


def has(entry_type: EntryType, text: str, value: str) -> bool:
    return read_list(entry_type, text).has(value)


def test_lines_are_entries() -> None:
    text = "  v1 \r\n\n\tv2\nwith space\n"
    found = [value for value in ("v1", "v2", "v3", "", "V1", "with space") if has("STRINGS", text, value)]
    assert found == ["v1", "v2", "with space"]
    assert has("CASE_INSENSITIVE_STRINGS", "Straße\nABC", "aBc")
    assert has("CASE_INSENSITIVE_STRINGS", "Straße\nABC", "STRASSE")
    assert not has("CASE_INSENSITIVE_STRINGS", "ABC", "ab")


@given(st.lists(TEXTS, max_size=6), TEXTS)
def test_texts_are_compared_as_they_are(entries: list[str], value: str) -> None:
    assert make_entries("STRINGS", entries).has(value) == (value in entries)
    folded = make_entries("CASE_INSENSITIVE_STRINGS", entries)
    assert all(
        folded.has(entry.upper()) and folded.has(entry.lower()) for entry in entries if entry.isascii()
    )


ADDRESSES = st.one_of(
    st.ip_addresses(v=4, network="10.0.0.0/28"),
    st.ip_addresses(v=6, network="2001:db8::/124"),
    st.ip_addresses(),
)
NETWORKS = st.one_of(
    st.builds(lambda at, prefix: f"{at}/{prefix}", st.ip_addresses(v=4), st.integers(0, 32)),
    st.builds(
        lambda at, prefix: f"{at}/{prefix}", st.ip_addresses(v=4, network="10.0.0.0/28"), st.integers(20, 32)
    ),
    st.builds(lambda at, prefix: f"{at}/{prefix}", st.ip_addresses(v=6), st.integers(0, 128)),
    ADDRESSES.map(str),
)


def _plain(
    network: ipaddress.IPv4Network | ipaddress.IPv6Network,
) -> ipaddress.IPv4Network | ipaddress.IPv6Network:
    mapped = network.network_address.ipv4_mapped if isinstance(network, ipaddress.IPv6Network) else None
    if mapped is None or network.prefixlen < 96:
        return network
    return ipaddress.IPv4Network((mapped, network.prefixlen - 96))


@given(st.lists(NETWORKS, max_size=6), ADDRESSES)
def test_addresses_are_in_the_blocks_that_have_them(
    entries: list[str], address: ipaddress.IPv4Address | ipaddress.IPv6Address
) -> None:
    plain = (address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None) or address
    networks = [_plain(ipaddress.ip_network(entry, strict=False)) for entry in entries]
    is_in = any(plain.version == network.version and plain in network for network in networks)
    assert make_entries("IP_ADDRESSES", entries).has(str(address)) == is_in


@pytest.mark.parametrize(
    ("entry", "found"),
    [
        ("10.1.2.3", (bytes((10, 1, 2, 3)), 32)),
        ("10.1.2.3/8", (bytes((10, 1, 2, 3)), 8)),
        ("::ffff:10.0.0.0/104", (bytes((10, 0, 0, 0)), 8)),
        ("::ffff:10.0.0.0/90", (bytes(10) + b"\xff\xff\x0a\x00\x00\x00", 90)),
        ("::1", (bytes(15) + b"\x01", 128)),
    ],
)
def test_blocks(entry: str, found: tuple[bytes, int]) -> None:
    assert read_network(entry) == found


@pytest.mark.parametrize(
    "entry",
    ["", "a", "10.0.0.0/33", "10.0.0.0/", "10.0.0.0/-1", "10.0.0.0/+8", "::ffff:1.2.3.4/129", "1.2.3/8"],
)
def test_what_is_no_block_is_no_entry(entry: str) -> None:
    with pytest.raises(BadList, match="no IP address"):
        read_network(entry)


@pytest.mark.parametrize(
    "text",
    [
        "10.1.0.0/16\n::1\n",
        "whitelist:\n- 10.1.0.0/16\n- ::1\n",
        "# ours\nwhitelist: ['10.1.0.0/16', '::1']",
        '{"whitelist": ["10.1.0.0/16", "::1"]}',
        '"whitelist":\n  - 10.1.0.0/16\n  - "::1"',
    ],
)
def test_addresses_are_lines_or_yaml(text: str) -> None:
    found = read_list("IP_ADDRESSES", text)
    assert [each for each in ("10.1.2.3", "10.2.0.0", "::1", "::2", "no") if found.has(each)] == [
        "10.1.2.3",
        "::1",
    ]


@pytest.mark.parametrize(
    ("entry_type", "text", "why"),
    [
        ("IP_ADDRESSES", "10.0.0.1\nexample.com", '"example.com" is no IP address'),
        ("IP_ADDRESSES", "<html>not found</html>", "is no IP address"),
        ("IP_ADDRESSES", "whitelist: 10.0.0.1", "no list `whitelist`"),
        ("IP_ADDRESSES", "whitelist: [{a: b}]", "an entry of `whitelist` is no text"),
        ("IP_ADDRESSES", "whitelist: [", "line "),
        ("IP_ADDRESSES", "whitelist: []\n---\nwhitelist: []", "no list `whitelist`"),
        ("REGEX", "a\n(", r'"\(" is no RE2 expression'),
        ("REGEX", "\n".join(f"a{n}" for n in range(MOST_EXPRESSIONS + 1)), "are more than 1000"),
    ],
)
def test_half_a_list_is_none(entry_type: EntryType, text: str, why: str) -> None:
    with pytest.raises(BadList, match=why):
        read_list(entry_type, text)


def test_expressions_fit_anywhere() -> None:
    text = "^v[12]$\nbeta"
    values = ("v1", "v3", "xv1", "a-beta-b", "BETA", "\udcff")
    assert [value for value in values if has("REGEX", text, value)] == ["v1", "a-beta-b"]


@given(
    st.lists(st.sampled_from(["a", "b+", "^c", "d$", "[ef]", "(g|h)i", "."]), max_size=4),
    st.text("abcdefghi", max_size=5),
)
def test_expressions_are_tried_all(entries: list[str], value: str) -> None:
    fits = any(re.search(entry, value) for entry in entries)
    assert make_entries("REGEX", entries).has(value) == fits


def test_answers() -> None:
    white = ListChecker(overrides=("v1",))
    assert decide(white, "v1", is_listed=True) == CheckAnswer(valid_ms=300_000, valid_uses=10_000)
    refused = decide(white, "v3", is_listed=False)
    assert (refused.code, refused.message) == (5, "v3 is not whitelisted")
    black = ListChecker(overrides=("v3",), blacklist=True, caching_interval=0, caching_use_count=0)
    refused = decide(black, "v3", is_listed=True)
    assert refused == CheckAnswer(code=7, message="v3 is blacklisted", valid_ms=0, valid_uses=0)
    assert decide(black, "v1", is_listed=False).code == 0


def test_a_value_that_is_no_address_is_nobodys() -> None:
    parameters = ListChecker(entry_type="IP_ADDRESSES", overrides=("10.0.0.0/8",))
    assert value_fault(parameters, "10.0.0.1") is None
    fault = value_fault(parameters, "v1")
    assert fault is not None
    assert (fault.code, fault.message) == (3, '"v1" is no IP address')
    assert value_fault(ListChecker(), "v1") is None
    assert overrides_of(parameters).has("10.1.1.1")
    assert not overrides_of(parameters).has("v1")
