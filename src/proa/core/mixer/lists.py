"""Lists of listchecker: what is in them, and what a check for a value comes to.

An entry is compared by the list's type. Letters of CASE_INSENSITIVE_STRINGS are compared case-folded; IP_ADDRESSES are
addresses and CIDR blocks, an IPv4 address in IPv6 clothing is that IPv4 address, and no IPv6 block has IPv4 addresses;
REGEX are RE2 expressions that fit when they are found anywhere in the value.
"""

from collections.abc import Iterable, Iterator
from ipaddress import IPv6Address
from typing import Final, Literal, Protocol

import re2  # type: ignore[import-untyped]

from proa.core.attributes.addresses import parse_address
from proa.core.config.mixer.parameters import ListChecker
from proa.core.config.tree import shorten
from proa.core.config.yaml_reader import Tree, read_stream
from proa.core.mixer.plan.verdict import CheckAnswer

EntryType = Literal["STRINGS", "CASE_INSENSITIVE_STRINGS", "IP_ADDRESSES", "REGEX"]

MOST_EXPRESSIONS: Final = 1000
"""Of a list of REGEX: each value is tried against all of them."""
CACHING_MS: Final = 300_000
CACHING_USES: Final = 10_000

INVALID_ARGUMENT: Final = 3
NOT_FOUND: Final = 5
PERMISSION_DENIED: Final = 7


class BadList(ValueError):
    """What a text says is no list. Told in words an operator can act on."""


class Entries(Protocol):
    def has(self, value: str) -> bool:
        """Of values without a `value_fault`."""


class _Texts:
    def __init__(self, entries: Iterable[str], *, folded: bool) -> None:
        self._folded = folded
        self._entries = frozenset(map(str.casefold, entries) if folded else entries)

    def has(self, value: str) -> bool:
        return (value.casefold() if self._folded else value) in self._entries


class _Networks:
    """By the lengths of addresses and prefixes that occur: a look-up for each, however long the list is."""

    def __init__(self, entries: Iterable[str]) -> None:
        self._starts: dict[tuple[int, int], set[int]] = {}
        for entry in entries:
            base, prefix = read_network(entry)
            bits = len(base) * 8
            start = int.from_bytes(base) >> (bits - prefix)
            self._starts.setdefault((bits, prefix), set()).add(start)

    def has(self, value: str) -> bool:
        address = parse_address(value)
        if address is None:
            return False
        number, length = int.from_bytes(address), len(address) * 8
        return any(
            number >> (bits - prefix) in starts
            for (bits, prefix), starts in self._starts.items()
            if bits == length
        )


class _Expressions:
    def __init__(self, entries: Iterable[str]) -> None:
        self._expressions = [_expression(entry) for entry in dict.fromkeys(entries)]
        if len(self._expressions) > MOST_EXPRESSIONS:
            raise BadList(f"{len(self._expressions)} expressions are more than {MOST_EXPRESSIONS}")

    def has(self, value: str) -> bool:
        text = value.encode(errors="replace")
        return any(each.search(text) is not None for each in self._expressions)


def _expression(entry: str) -> "re2._Regexp":
    options = re2.Options()
    options.log_errors = False
    try:
        return re2.compile(entry, options)
    except (re2.error, ValueError) as error:
        raise BadList(f'"{shorten(entry)}" is no RE2 expression') from error


def read_network(entry: str) -> tuple[bytes, int]:
    """An address and how many of its bits count. Bits beyond them mean nothing. Raises BadList."""
    text, slash, length = entry.partition("/")
    base = parse_address(text)
    if base is not None and not slash:
        return base, len(base) * 8
    if base is not None and length.isascii() and length.isdecimal() and len(length) <= 3:
        prefix = int(length)
        if (
            ":" in text and len(base) == 4
        ):  # ::ffff:10.0.0.0/104 is 10.0.0.0/8, ::ffff:10.0.0.0/90 a block of IPv6
            base, prefix = (base, prefix - 96) if prefix >= 96 else (IPv6Address(text).packed, prefix)
        if 0 <= prefix <= len(base) * 8:
            return base, prefix
    raise BadList(f'"{shorten(entry)}" is no IP address and no CIDR block')


def make_entries(entry_type: EntryType, entries: Iterable[str]) -> Entries:
    """Raises BadList for the first that does not make sense."""
    match entry_type:
        case "STRINGS":
            return _Texts(entries, folded=False)
        case "CASE_INSENSITIVE_STRINGS":
            return _Texts(entries, folded=True)
        case "IP_ADDRESSES":
            return _Networks(entries)
        case "REGEX":
            return _Expressions(entries)


def read_list(entry_type: EntryType, text: str) -> Entries:
    """One entry a line, without the spaces around it; empty lines are none. Addresses may stand in YAML instead, as
    texts of a list `whitelist`, whatever the list is used for. Raises BadList: half a list would let pass what the
    other half denies."""
    lines = [line for line in map(str.strip, text.splitlines()) if line]
    if entry_type == "IP_ADDRESSES" and any(":" in line and _is_yaml(line) for line in lines):
        return make_entries(entry_type, _of_yaml(text))
    return make_entries(entry_type, lines)


def _is_yaml(line: str) -> bool:
    return line.startswith("{") or line.partition(":")[0].strip().strip("\"'") == "whitelist"


def _of_yaml(text: str) -> Iterator[str]:
    trees = read_stream(text, 1)
    for tree in trees:
        faults = tree.faults if isinstance(tree, Tree) else (tree,)
        for fault in faults:
            raise BadList(f"line {fault.line}: {fault.message}")
    value = trees[0].value if len(trees) == 1 and isinstance(trees[0], Tree) else None
    found = value.get("whitelist") if isinstance(value, dict) else None
    if not isinstance(found, list):
        raise BadList("it has no list `whitelist`")
    for each in found:
        if not isinstance(each, str):
            raise BadList("an entry of `whitelist` is no text")
        yield each.strip()


def overrides_of(parameters: ListChecker) -> Entries:
    """The entries that the handler itself has, which are part of the list always. Of parameters without faults."""
    return make_entries(parameters.entry_type, parameters.overrides)


def value_fault(parameters: ListChecker, value: str) -> CheckAnswer | None:
    """The answer to a value that cannot be in a list of the type."""
    if parameters.entry_type != "IP_ADDRESSES" or parse_address(value) is not None:
        return None
    return _answer(parameters, INVALID_ARGUMENT, f'"{shorten(value)}" is no IP address')


def decide(parameters: ListChecker, value: str, *, is_listed: bool) -> CheckAnswer:
    if parameters.blacklist and is_listed:
        return _answer(parameters, PERMISSION_DENIED, f"{shorten(value)} is blacklisted")
    if not parameters.blacklist and not is_listed:
        return _answer(parameters, NOT_FOUND, f"{shorten(value)} is not whitelisted")
    return _answer(parameters)


def _answer(parameters: ListChecker, code: int = 0, message: str = "") -> CheckAnswer:
    span, uses = parameters.caching_interval, parameters.caching_use_count
    return CheckAnswer(
        code=code,
        message=message,
        valid_ms=CACHING_MS if span is None else span,
        valid_uses=CACHING_USES if uses is None else uses,
    )
