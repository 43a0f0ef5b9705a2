"""A request again, of what a proxy told of it."""

from collections.abc import Iterable
from typing import Final

from immutables import Map

from proa.core.attributes.time_texts import parse_timestamp
from proa.core.mixer.asked import Asked
from proa.core.mixer.rate_limits.parts import ADDRESS, CONNECTION, MOMENT

_TOKEN: Final = ""
"""A claim for a token that has none of those that matter: it is there all the same."""


def read_entries(entries: Iterable[tuple[str, str]]) -> tuple[Asked, str]:
    """The request, and what tells it from all others of its proxy: "" when that was not told. Entries that are no part
    are passed over."""
    told = dict(entries)
    headers = {key[2:]: value for key, value in told.items() if key.startswith("h:")}
    claims: dict[str, object] = {}
    for key, value in told.items():
        if key.startswith("l:"):
            # As a list: by itself it does not say whether the claim is a text.
            claims.setdefault(key[2:], [value])
        elif key.startswith("c:"):
            claims[key[2:]] = value
    if "j" in told and not claims:
        claims[_TOKEN] = None
    asked = Asked(
        headers=headers,
        identity=told.get("u", ""),
        workload=told.get("w", ""),
        address=told.get(ADDRESS, ""),
        server_name=told.get("s", ""),
        claims=Map(claims),
        nanoseconds=_nanoseconds(told.get(MOMENT, "")),
    )
    connection, moment = told.get(CONNECTION, ""), told.get(MOMENT, "")
    return asked, f"{connection}@{moment}" if connection and moment else ""


def _nanoseconds(text: str) -> int:
    moment = parse_timestamp(text)
    return moment.nanoseconds if moment else 0
