"""Objects of Gateway API in a live mesh: what they are together in today's language, and how each of them stands.

Owned by `conversion`. A Gateway or service with its routes is derived again only when one of them, a class or a
grant is new. What is derived here is in force and never stored.
"""

from collections.abc import Iterable, Mapping

from proa.core.config import Config
from proa.core.config.gateway_api.bound import API_SPECS, Derivation, Member, Standing
from proa.core.config.gateway_api.derive import Group, Sets, derive_group, groups_for, set_group
from proa.core.config.gateway_api.gateway_schema import (
    GatewayClass,
    ListenerSet,
    ReferenceGrant,
)
from proa.core.config.gateway_api.today import read_derived
from proa.core.config.legacy.today import ReadBack
from proa.core.model.names import ObjectRef

_Inputs = tuple[Config, ...]


class GatewayApi:
    """`parts` are the groups in force, in order; `standings` what each object is told."""

    def __init__(self) -> None:
        self.parts: tuple[ReadBack, ...] = ()
        self.standings: Mapping[ObjectRef, tuple[Standing, ...]] = {}
        self._groups: dict[Group, tuple[_Inputs, ReadBack, Derivation]] = {}
        self._belongs: dict[ObjectRef, tuple[Config, tuple[Group, ...]]] = {}
        self._sets: Sets = {}

    def derive(self, objects: Iterable[Config]) -> None:
        groups: dict[Group, tuple[_Inputs, ReadBack, Derivation]] = {}
        grouped, common = self._grouped(objects)
        for group in sorted(grouped):
            members = (*grouped[group], *common)
            known = self._groups.get(group)
            if known is None or not _same(known[0], members):
                made = derive_group(group, [_member(config) for config in members])
                known = (members, read_derived(made), made)
            groups[group] = known
        self._groups = groups
        self.parts = tuple(read for _, read, _ in groups.values())
        standings: dict[ObjectRef, list[Standing]] = {}
        for _, _, made in groups.values():
            for each in made.standings:
                standings.setdefault(each.ref, []).append(each)
        self.standings = {ref: tuple(found) for ref, found in standings.items()}

    def _grouped(self, objects: Iterable[Config]) -> tuple[dict[Group, list[Config]], list[Config]]:
        """Each group with its members, by name, and what all groups are told of. What an object belongs to is asked
        once, as long as the ListenerSets are the same: what is bound to one belongs to its Gateway."""
        ordered = sorted(objects, key=lambda each: each.ref)
        sets = {
            each.ref: set_group(each.ref, each.spec) for each in ordered if isinstance(each.spec, ListenerSet)
        }
        before, self._belongs = self._belongs if sets == self._sets else {}, {}
        self._sets = sets
        found: dict[Group, list[Config]] = {}
        common: list[Config] = []
        for config in ordered:
            if isinstance(config.spec, GatewayClass | ReferenceGrant):
                common.append(config)
                continue
            known = before.get(config.ref)
            if known is None or known[0] is not config:
                known = (config, tuple(groups_for(config.ref, config.spec, sets)))
            self._belongs[config.ref] = known
            for group in known[1]:
                found.setdefault(group, []).append(config)
        return found, common


def _member(config: Config) -> Member:
    assert isinstance(config.spec, API_SPECS)
    return Member(ref=config.ref, spec=config.spec, created=config.created)


def _same(some: _Inputs, others: _Inputs) -> bool:
    """An object that did not change is the same value: the owner of the configuration keeps it."""
    return len(some) == len(others) and all(one is other for one, other in zip(some, others, strict=True))
