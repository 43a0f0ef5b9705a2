"""Several objects for one host, of which not all count."""

from collections.abc import Iterator

from proa.core.config.analyze.message import Message
from proa.core.config.analyze.world import World, are_common
from proa.core.config.config import Config
from proa.core.config.export_to import EVERYWHERE, visible_in
from proa.core.config.kinds.destination_rule.schema import DestinationRule
from proa.core.config.kinds.service_entry.schema import ServiceEntry
from proa.core.config.kinds.virtual_service.schema import VirtualService
from proa.core.config.path import Path
from proa.core.model.names import ObjectRef, expand_host

_MESH = "mesh"


def check_owners(world: World) -> Iterator[Message]:
    yield from _check_virtual_services(world)
    for configs in world.destination_rules.values():
        yield from _check_destination_rules(configs)
    yield from _check_entries(world)


def _check_virtual_services(world: World) -> Iterator[Message]:
    """Of sidecars alone; at gateways rules are joined."""
    by_host: dict[str, list[tuple[ObjectRef, Path, tuple[str, ...]]]] = {}
    for config in world.configs:
        spec = config.spec
        if not isinstance(spec, VirtualService) or (spec.gateways and _MESH not in spec.gateways):
            continue
        visible = visible_in(spec.export_to, config.meta.namespace)
        for index, host in enumerate(spec.hosts):
            place: Path = ("spec", "hosts", index)
            by_host.setdefault(expand_host(host, config.meta.namespace), []).append(
                (config.ref, place, visible)
            )
    for host, owners in by_host.items():
        if len(owners) > 1:
            yield from _told(host, owners)


def _told(host: str, owners: list[tuple[ObjectRef, Path, tuple[str, ...]]]) -> Iterator[Message]:
    """Those that some namespace sees together with another one, each once."""
    first: dict[str, ObjectRef] = {}
    everywhere = next((ref for ref, _, visible in owners if EVERYWHERE in visible), None)
    anyone = next((ref for ref, _, visible in owners if visible), None)
    for ref, place, visible in owners:
        rival = next((first[name] for name in visible if name in first), None)
        if rival is None and everywhere not in (None, ref):
            rival = everywhere
        if rival is None and EVERYWHERE in visible and anyone != ref:
            rival = anyone
        for name in visible:
            first.setdefault(name, ref)
        if rival is not None and rival != ref:
            yield Message(
                ref,
                place,
                "hosts-conflict",
                f"{rival} is for {host} as well; for a sidecar one of them counts",
            )


def _check_destination_rules(configs: tuple[Config, ...]) -> Iterator[Message]:
    """All of one host; in order of names. Rules for clients of different labels do not meet."""
    policies: dict[tuple[str, object], ObjectRef] = {}
    subsets: dict[tuple[str, object, str], ObjectRef] = {}
    for config in configs:
        spec, namespace = config.spec, config.meta.namespace
        assert isinstance(spec, DestinationRule)
        if spec.traffic_policy is not None:
            first = policies.setdefault((namespace, spec.workload_selector), config.ref)
            if first != config.ref:
                text = f"{first} has a policy for {spec.host} already; this one does not count"
                yield Message(config.ref, ("spec", "trafficPolicy"), "destination-rules-overlap", text)
        for index, subset in enumerate(spec.subsets):
            first = subsets.setdefault((namespace, spec.workload_selector, subset.name), config.ref)
            if first != config.ref:
                text = f"{first} has a subset {subset.name} of {spec.host} already; this one does not count"
                yield Message(
                    config.ref, ("spec", "subsets", index, "name"), "destination-rules-overlap", text
                )


def _check_entries(world: World) -> Iterator[Message]:
    """One namespace may spread a host over objects: they are joined."""
    first: dict[str, tuple[str, tuple[str, ...], str]] = {}
    for config in world.configs:
        spec, namespace = config.spec, config.meta.namespace
        if not isinstance(spec, ServiceEntry):
            continue
        visible = visible_in(spec.export_to, namespace)
        for index, written in enumerate(spec.hosts):
            host = written.lower()
            owner, seen, name = first.setdefault(host, (namespace, visible, str(config.ref)))
            if owner != namespace and are_common(seen, visible):
                text = f"{name} declares {host} as well, for namespaces that see both"
                yield Message(config.ref, ("spec", "hosts", index), "host-declared-twice", text)
