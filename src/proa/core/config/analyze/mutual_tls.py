"""What clients are made to speak against what servers take."""

from collections.abc import Iterator
from typing import Final, TypeAlias

import msgspec

from proa.core.config.analyze.message import Message
from proa.core.config.analyze.world import Known, World
from proa.core.config.config import Config
from proa.core.config.kinds.destination_rule.schema import ClientTls, DestinationRule, TrafficPolicy
from proa.core.config.kinds.peer_authentication.schema import PeerAuthentication
from proa.core.config.path import Path
from proa.core.model.names import DOMAIN_SUFFIX, ROOT_NAMESPACE, ObjectRef, expand_host

APP_LABEL: Final = "app"
Said: TypeAlias = tuple[str, str]
"""A mode, and who says it."""


def check_mutual_tls(world: World) -> Iterator[Message]:
    """By the policies of whole namespaces, and by those that select all workloads of a host. Which these are is known
    where they run; from files alone a service's workloads are those with its name as the label `app`."""
    modes = dict(_modes(world.configs))
    selecting = _selecting(world.configs)
    for config in world.configs:
        if not isinstance(config.spec, DestinationRule):
            continue
        host = expand_host(config.spec.host, config.meta.namespace)
        known = world.find(host)
        namespace = _namespace_of(host, known)
        if namespace is None or (known is not None and known.is_external):
            continue
        said = modes.get(namespace) or modes.get(ROOT_NAMESPACE)
        if said is None and known is not None and known.takes_mtls:
            said = ("STRICT", "the mesh's default")
        chosen = [
            each
            for home in dict.fromkeys((namespace, ROOT_NAMESPACE))
            for each in selecting.get(home, ())
            if _selects(each[1], host, known)
        ]
        if said is not None or chosen:
            yield from _check_rule(config, config.spec, host, _Server(chosen, said))


class _Server(msgspec.Struct, frozen=True):
    """What the servers of a host take: by policies that select them, and else by a wider one."""

    chosen: list[tuple[ObjectRef, PeerAuthentication]]
    wider: Said | None

    def at(self, port: int | None) -> Said | None:
        """At one port, or where nothing is said of single ports."""
        for ref, spec in self.chosen:
            level = spec.port_level_mtls.get(port) if port is not None else None
            for each in (level, spec.mtls):
                if each is not None and each.mode != "UNSET":
                    return each.mode, str(ref)
        return self.wider

    @property
    def ports(self) -> tuple[int, ...]:
        """Of which something of their own is said."""
        return tuple(sorted({port for _, spec in self.chosen for port in spec.port_level_mtls}))


def _selecting(configs: tuple[Config, ...]) -> dict[str, list[tuple[ObjectRef, PeerAuthentication]]]:
    """By namespace: the policies that select workloads, in the order in which they count."""
    found: dict[str, list[tuple[ObjectRef, PeerAuthentication]]] = {}
    for config in sorted(configs, key=lambda each: each.age):
        spec = config.spec
        if isinstance(spec, PeerAuthentication) and spec.selector is not None and spec.selector.match_labels:
            found.setdefault(config.meta.namespace, []).append((config.ref, spec))
    return found


def _selects(spec: PeerAuthentication, host: str, known: Known | None) -> bool:
    assert spec.selector is not None
    wanted = spec.selector.match_labels
    if known is None or known.instances is None:
        return dict(wanted) == {APP_LABEL: host.partition(".")[0]}
    matching = (all(labels.get(key) == value for key, value in wanted.items()) for labels in known.instances)
    return bool(known.instances) and all(matching)


def _modes(configs: tuple[Config, ...]) -> Iterator[tuple[str, tuple[str, str]]]:
    """By namespace: the mode and who says it. The first by name counts, so it is given last."""
    for config in reversed(configs):
        spec = config.spec
        if isinstance(spec, PeerAuthentication) and (spec.selector is None or not spec.selector.match_labels):
            if spec.mtls is not None and spec.mtls.mode != "UNSET":
                yield config.meta.namespace, (spec.mtls.mode, str(config.ref))


def _namespace_of(host: str, known: Known | None) -> str | None:
    if known is not None:
        return known.namespace
    stem = host.removesuffix("." + DOMAIN_SUFFIX)
    return stem.partition(".")[2] or None if stem != host else None


def _check_rule(config: Config, rule: DestinationRule, host: str, server: _Server) -> Iterator[Message]:
    policies: list[tuple[Path, TrafficPolicy | None]] = [(("spec", "trafficPolicy"), rule.traffic_policy)]
    policies += [
        (("spec", "subsets", index, "trafficPolicy"), subset.traffic_policy)
        for index, subset in enumerate(rule.subsets)
    ]
    for at, policy in policies:
        if policy is None:
            continue
        own = [each.port.number for each in policy.port_level_settings]
        settings: list[tuple[Path, ClientTls | None, int | None]] = [
            ((*at, "tls"), policy.tls, port)
            for port in (None, *(port for port in server.ports if port not in own))
        ]
        settings += [
            ((*at, "portLevelSettings", index, "tls"), port.tls, port.port.number)
            for index, port in enumerate(policy.port_level_settings)
        ]
        told: set[tuple[Path, Said]] = set()
        for path, tls, port in settings:
            said = server.at(port)
            if tls is None or said is None or (path, said) in told or not _disagree(tls.mode, said[0]):
                continue
            told.add((path, said))
            text = f"clients speak {tls.mode} to {host}, and by {said[1]} its servers take {said[0]}"
            yield Message(config.ref, (*path, "mode"), "mtls-conflict", text)


def _disagree(client: str, server: str) -> bool:
    if server == "STRICT":
        return client != "ISTIO_MUTUAL"
    return server == "DISABLE" and client == "ISTIO_MUTUAL"
