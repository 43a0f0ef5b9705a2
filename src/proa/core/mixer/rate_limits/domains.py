"""The domain of a rate limit: which port it stands at, and which quotas it asks for."""

from collections.abc import Iterable
from typing import Final

import msgspec

PREFIX: Final = "proa.mixer"


class Domain(msgspec.Struct, frozen=True):
    """`quotas` by their short names; empty for all that are owed at `port`."""

    port: int
    quotas: tuple[str, ...] = ()


def domain_text(port: int, quotas: Iterable[str]) -> str:
    return "/".join((PREFIX, str(port), ",".join(quotas)))


def read_domain(text: str) -> Domain | None:
    """None: it is none of ours."""
    prefix, _, rest = text.partition("/")
    port, _, quotas = rest.partition("/")
    is_number = port.isascii() and port.isdecimal() and len(port) <= 5
    if prefix != PREFIX or not is_number or int(port) > 65535:
        return None
    return Domain(int(port), tuple(each for each in quotas.split(",") if each))
