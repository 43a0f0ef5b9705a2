"""What of an endpoint set depends on where its client stands, and how: shares by place, or tiers of nearness.

`nearness_of` reads rules once per cluster; `preference_of` cuts from it and a client's standpoint what makes a
difference, so that clients with an equal preference share one set; `arrange` puts endpoints into groups accordingly.
Istio's order of who decides: a DestinationRule, the service itself, the mesh's settings. Without ejection nobody would
ever leave the nearest tier, so there is none unless a policy ejects or the service itself asks for it.
"""

from collections.abc import Mapping
from typing import Final

import msgspec

from proa.core.config.kinds.destination_rule.schema import TrafficPolicy
from proa.core.config.locality import PLACE_LABELS, locality_setting
from proa.core.model.endpoint import Endpoint
from proa.core.model.locality import LocalitySetting, Place, Standpoint, place_of
from proa.core.model.service import Service
from proa.core.model.settings import MeshSettings

NETWORK_LABEL: Final = "topology.istio.io/network"
DISTANCES: Final = 5
"""Same subzone, same zone, same region, the region to fail over to, anywhere else."""
SHARE_UNIT: Final = 1000
"""A percent of traffic in locality weights: places that divide one percent among them get whole numbers."""
SAME_ZONE: Final = LocalitySetting(priority=(NETWORK_LABEL, *PLACE_LABELS[:2]))


class Nearness(msgspec.Struct, frozen=True, kw_only=True):
    """Of one cluster; nothing of its clients."""

    setting: LocalitySetting

    @property
    def has_shares(self) -> bool:
        return bool(self.setting.shares)


class Preference(msgspec.Struct, frozen=True, kw_only=True):
    """What of a client makes a difference: `shares` of the places it sends to, or the values that endpoints of its
    first tier have. `place` None: place makes none; `next_region`: the one that its own fails over to."""

    shares: tuple[tuple[str, int], ...] = ()
    place: Place | None = None
    next_region: str = ""
    labels: tuple[tuple[str, str], ...] = ()


class Group(msgspec.Struct, frozen=True, kw_only=True):
    """Endpoints of one locality and tier."""

    locality: str
    tier: int
    weight: int
    endpoints: tuple[Endpoint, ...]


def nearness_of(traffic: TrafficPolicy, service: Service, settings: MeshSettings) -> Nearness | None:
    """None: all clients have the same set."""
    said = traffic.load_balancer.locality_lb_setting if traffic.load_balancer else None
    ejects = traffic.outlier_detection is not None
    if said is not None:
        setting = locality_setting(said)
    elif service.distribution:
        setting, ejects = SAME_ZONE, True
    else:
        setting = settings.locality
    if not setting.enabled or not (setting.shares or ejects):
        return None
    return Nearness(setting=setting)


def preference_of(nearness: Nearness, client: Standpoint) -> Preference | None:
    """None: for such a client no endpoint is before another."""
    setting = nearness.setting
    place = place_of(client.locality)
    if setting.shares:
        to = next((each.to for each in setting.shares if _is_in(place, each.origin)), ())
        return Preference(shares=to) if to else None
    # Nobody knows what is near to a client of which no place is known.
    unknown = () if client.locality else PLACE_LABELS
    wanted = (_wanted(text, client) for text in setting.priority)
    labels = tuple((name, value) for name, value in wanted if value or name not in unknown)
    by_place = bool(client.locality) and (not setting.priority or bool(setting.failover))
    if not labels and not by_place:
        return None
    following = next((to for origin, to in setting.failover if origin == place.region), "")
    return Preference(
        place=place if by_place else None, next_region=following if by_place else "", labels=labels
    )


def _wanted(text: str, client: Standpoint) -> tuple[str, str]:
    """A label's name, and the value an endpoint should have: the one that is written, or the client's own."""
    name, equals, value = text.partition("=")
    return name, value if equals else _label(client.labels, client.locality, client.network, name)


def _label(labels: Mapping[str, str], locality: str, network: str, name: str) -> str:
    """Of a workload that bears no such label itself, its place and network are labels all the same."""
    if name in labels:
        return labels[name]
    if name == NETWORK_LABEL:
        return network
    if name in PLACE_LABELS:
        place = place_of(locality)
        return (place.region, place.zone, place.subzone)[PLACE_LABELS.index(name)]
    return ""


def _is_in(place: Place, pattern: str) -> bool:
    wanted = place_of(pattern)
    return (
        wanted.region in ("*", place.region)
        and wanted.zone in ("*", "", place.zone)
        and wanted.subzone in ("*", "", place.subzone)
    )


def arrange(endpoints: tuple[Endpoint, ...], preference: Preference | None) -> tuple[Group, ...]:
    """All endpoints, by tier and locality; with shares only those at places that have one. Tiers have no gaps, as
    Envoy demands. A group weighs what its endpoints weigh, or its place's share."""
    members: dict[tuple[int, str], list[Endpoint]] = {}
    for endpoint in endpoints:
        tier = _tier(preference, endpoint) if preference is not None else 0
        members.setdefault((tier, endpoint.locality), []).append(endpoint)
    tiers = {tier: rank for rank, tier in enumerate(sorted({tier for tier, _ in members}))}
    groups = tuple(
        Group(
            locality=locality,
            tier=tiers[tier],
            weight=sum(endpoint.weight for endpoint in group),
            endpoints=tuple(group),
        )
        for (tier, locality), group in sorted(members.items(), key=lambda item: item[0])
    )
    return _shared_out(groups, preference.shares) if preference is not None and preference.shares else groups


def _tier(preference: Preference, endpoint: Endpoint) -> int:
    unlike = 0
    for index, (name, value) in enumerate(preference.labels):
        if _label(endpoint.labels, endpoint.locality, endpoint.network, name) != value:
            unlike = len(preference.labels) - index
            break
    return unlike * DISTANCES + _distance(preference, place_of(endpoint.locality))


def _distance(preference: Preference, place: Place) -> int:
    mine = preference.place
    if mine is None or mine == place:
        return 0
    if (mine.region, mine.zone) == (place.region, place.zone):
        return 1
    if mine.region == place.region:
        return 2
    return 4 if preference.next_region not in ("", place.region) else 3


def _shared_out(groups: tuple[Group, ...], shares: tuple[tuple[str, int], ...]) -> tuple[Group, ...]:
    """Patterns do not overlap, so each group has one share at most; places of one pattern divide it by what their
    endpoints weigh."""
    found: list[Group] = []
    for pattern, percent in shares:
        meant = [group for group in groups if _is_in(place_of(group.locality), pattern)]
        total = sum(group.weight for group in meant)
        found += [
            msgspec.structs.replace(group, weight=max(1, round(percent * SHARE_UNIT * group.weight / total)))
            for group in meant
        ]
    return tuple(sorted(found, key=lambda group: group.locality))
