"""Content digests: equal values have equal digests, on every machine and in every process.

Callers use a digest as the version of a resource and as the key of a cache. A digest never covers a clock, a
counter or a line number, so an edit that changes no meaning changes no digest.
"""

from collections.abc import Iterable

import msgspec
import xxhash
from immutables import Map


def _plain(value: object) -> object:
    """Maps become sorted pairs: a hash-ordered map has no stable order of its own."""
    if isinstance(value, Map):
        return sorted(value.items())
    raise TypeError(f"{type(value).__name__} has no stable encoding")


_ENCODER = msgspec.msgpack.Encoder(enc_hook=_plain, order="deterministic")


def digest_of(value: object) -> str:
    """128-bit xxh3 of the value's deterministic encoding, as 32 hex digits.

    Raises TypeError for a value that has no stable encoding (anything but structs, plain containers and Maps).
    """
    return xxhash.xxh3_128_hexdigest(_ENCODER.encode(value))


def digest_bytes(body: bytes) -> str:
    """The same digest over bytes that are already encoded."""
    return xxhash.xxh3_128_hexdigest(body)


def combine(digests: Iterable[str]) -> str:
    """One digest of several, in the order given."""
    return xxhash.xxh3_128_hexdigest("\n".join(digests).encode())
