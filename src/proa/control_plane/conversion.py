"""Old objects, and those of Gateway API, in a live mesh: what they are together in today's language, kept up to date
by what changed.

Owned by `configuration`. What users wrote is what is stored and shown; what is derived here is in force and never
stored. A group of old objects (the rules of one host, say) is converted again only when one of its members is new.
"""

from collections.abc import Iterable, Mapping
from typing import Final

import msgspec

from proa.control_plane.gateway_api import GatewayApi
from proa.core.config import Config
from proa.core.config.gateway_api.today import is_api
from proa.core.config.kinds.peer_authentication.schema import PeerAuthentication
from proa.core.config.kinds.virtual_service.schema import VirtualService
from proa.core.config.legacy.convert import Group, convert_group, groups_for, silenced
from proa.core.config.legacy.draft import SPEC
from proa.core.config.legacy.today import ReadBack, Today, is_old, read_back
from proa.core.config.problem import Finding, warning
from proa.core.model.digest import digest_of
from proa.core.model.names import ObjectRef, expand_host

SUFFIX: Final = "-2018"
"""Behind the name of a derived object when an object of today bears that name."""


class Conversion:
    """`derived` has the objects in force that nobody wrote, `findings` what old objects are told."""

    def __init__(self) -> None:
        self.derived: Mapping[ObjectRef, Today] = {}
        self.gateway_api = GatewayApi()
        self.findings: tuple[tuple[ObjectRef, Finding], ...] = ()
        self._groups: dict[Group, tuple[tuple[Config, ...], ReadBack]] = {}
        self._belongs: dict[ObjectRef, tuple[Config, tuple[Group, ...]]] = {}
        self._silenced: tuple[tuple[ObjectRef, Finding], ...] = ()

    def in_force(self, configs: Mapping[ObjectRef, Config]) -> dict[ObjectRef, Config]:
        """Objects of today with what the old ones, and those of Gateway API, among `configs` are together. What is
        derived is as old as the oldest of its sources."""
        old = [config for config in configs.values() if is_old(config)]
        api = [config for config in configs.values() if is_api(config)]
        apart = {config.ref for config in (*old, *api)}
        today = (
            {ref: config for ref, config in configs.items() if ref not in apart} if apart else dict(configs)
        )
        self.gateway_api.derive(api)
        self._convert(old)
        self._name(today)
        return {**today, **{ref: _aged(each, configs) for ref, each in self.derived.items()}}

    def sources_of(self, ref: ObjectRef) -> tuple[ObjectRef, ...]:
        """The old objects that a derived one is made of; empty for what somebody wrote."""
        derived = self.derived.get(ref)
        return derived.sources if derived else ()

    def blamed(self, objects: tuple[ObjectRef, ...]) -> tuple[ObjectRef, ...]:
        """Objects with what they are made of: who is told of a derived object must know what to mend."""
        return tuple(dict.fromkeys(each for ref in objects for each in (ref, *self.sources_of(ref))))

    def made_of(self, refs: Iterable[ObjectRef]) -> set[ObjectRef]:
        """The derived objects to which any of these belongs."""
        wanted = set(refs)
        return {ref for ref, each in self.derived.items() if wanted & set(each.sources)}

    def _convert(self, old: Iterable[Config]) -> None:
        groups: dict[Group, tuple[tuple[Config, ...], ReadBack]] = {}
        grouped = self._grouped(old)
        self._silenced = tuple(silenced(grouped))
        for group, members in grouped.items():
            known = self._groups.get(group)
            if known is None or not _same(known[0], members):
                known = (members, read_back(convert_group(group, members)))
            groups[group] = known
        self._groups = groups

    def _grouped(self, old: Iterable[Config]) -> dict[Group, tuple[Config, ...]]:
        """Each group with its members, by name. What an object belongs to is asked once."""
        before, self._belongs = self._belongs, {}
        found: dict[Group, list[Config]] = {}
        for config in sorted(old, key=lambda each: each.ref):
            known = before.get(config.ref)
            if known is None or known[0] is not config:
                known = (config, tuple(groups_for(config)))
            self._belongs[config.ref] = known
            for group in known[1]:
                found.setdefault(group, []).append(config)
        return {group: tuple(members) for group, members in found.items()}

    def _name(self, today: Mapping[ObjectRef, Config]) -> None:
        """What is written in today's language counts: it keeps its name, and its hosts on sidecars."""
        derived: dict[ObjectRef, Today] = {}
        findings = [finding for _, made in sorted(self._groups.items()) for finding in made[1].findings]
        findings += self._silenced
        parts = [*self.gateway_api.parts, *(made[1] for _, made in sorted(self._groups.items()))]
        findings += [finding for part in self.gateway_api.parts for finding in part.findings]
        claims = _claims(today) if parts else {}
        for number, made in enumerate(parts):
            if number == len(self.gateway_api.parts):
                claims |= _claims({ref: each.config for ref, each in derived.items()})
            for each in made.objects:
                owner = _owner(each.config, claims)
                if owner is not None:
                    what = "rules of this host" if each.config.kind == "VirtualService" else "same scope"
                    message = f"{owner} has the {what}; remove one of both"
                    findings += [(source, warning(SPEC, "no-effect", message)) for source in each.sources]
                    continue
                config = each.config
                if number < len(self.gateway_api.parts) and config.ref in today:
                    message = f"it becomes {config.ref}, and there is one of that name; rename one of both"
                    findings += [(source, warning(SPEC, "conflict", message)) for source in each.sources]
                    continue
                while config.ref in today or config.ref in derived:
                    config = _renamed(config)
                derived[config.ref] = msgspec.structs.replace(each, config=config)
        self.derived = derived
        self.findings = tuple(dict.fromkeys(findings))


def _aged(each: Today, written: Mapping[ObjectRef, Config]) -> Config:
    created = min((written[source].created for source in each.sources if source in written), default=0.0)
    return msgspec.structs.replace(each.config, created=created) if created else each.config


def _same(some: tuple[Config, ...], others: tuple[Config, ...]) -> bool:
    """An object that did not change is the same value: the owner of the configuration keeps it."""
    return len(some) == len(others) and all(one is other for one, other in zip(some, others, strict=True))


def _renamed(config: Config) -> Config:
    meta = msgspec.structs.replace(config.meta, name=f"{config.meta.name}{SUFFIX}")
    digest = digest_of((config.kind, meta.namespace, meta.name, meta.labels, config.spec))
    return msgspec.structs.replace(config, meta=meta, digest=digest)


def _claims(today: Mapping[ObjectRef, Config]) -> dict[tuple[str, str], ObjectRef]:
    """By namespace and host: the VirtualService of today that has it on sidecars. By namespace and selector: the
    PeerAuthentication of today."""
    found: dict[tuple[str, str], ObjectRef] = {}
    for ref, config in today.items():
        if isinstance(config.spec, PeerAuthentication):
            found[ref.namespace, _peers_key(config.spec)] = ref
        if isinstance(config.spec, VirtualService) and "mesh" in (config.spec.gateways or ("mesh",)):
            for host in config.spec.hosts:
                found[ref.namespace, expand_host(host, ref.namespace)] = ref
    return found


def _peers_key(spec: PeerAuthentication) -> str:
    """No host has a space in its name."""
    labels = spec.selector.match_labels if spec.selector else {}
    return " ".join(["peers", *(f"{key}={labels[key]}" for key in sorted(labels))]) + " "


def _owner(config: Config, claims: Mapping[tuple[str, str], ObjectRef]) -> ObjectRef | None:
    if isinstance(config.spec, PeerAuthentication):
        return claims.get((config.meta.namespace, _peers_key(config.spec)))
    if not isinstance(config.spec, VirtualService) or config.spec.gateways:
        return None
    namespace = config.meta.namespace
    owners = (claims.get((namespace, expand_host(host, namespace))) for host in config.spec.hosts)
    return next((owner for owner in owners if owner is not None), None)
