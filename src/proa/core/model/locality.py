"""Places: region, zone and subzone of endpoints and of those who call them, and what is said of nearness.

A place is text, `region/zone/subzone`, shorter where less is known and empty where nothing is.
"""

from typing import Literal

import msgspec
from immutables import Map

TrafficDistribution = Literal["", "PreferSameZone"]
"""What a service says of itself: nearest endpoints first, whether or not anybody ejects bad ones. Empty: nothing."""


class Place(msgspec.Struct, frozen=True, order=True):
    region: str = ""
    zone: str = ""
    subzone: str = ""


def place_of(locality: str) -> Place:
    """What follows a second slash is all subzone."""
    return Place(*locality.split("/", 2))


class Shares(msgspec.Struct, frozen=True, kw_only=True):
    """Clients in `origin` send to each of `to` its percentage, and nowhere else. `*` or nothing stands for any place
    at its level."""

    origin: str
    to: tuple[tuple[str, int], ...]


class LocalitySetting(msgspec.Struct, frozen=True, kw_only=True):
    """How place decides between endpoints: by `shares`; else the nearest first. `failover`: for clients of a region the
    one that comes next. `priority`: names of labels (or `name=value`) that an endpoint must have like its client, the
    most important first, in place of its locality."""

    enabled: bool = True
    shares: tuple[Shares, ...] = ()
    failover: tuple[tuple[str, str], ...] = ()
    priority: tuple[str, ...] = ()


class Standpoint(msgspec.Struct, frozen=True, kw_only=True):
    """Where a client is: all that can make endpoint sets differ between clients of one scope."""

    locality: str = ""
    network: str = ""
    labels: Map[str, str] = msgspec.field(default_factory=Map)
