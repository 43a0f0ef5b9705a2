"""Where rules send to: hosts, subsets and ports that are not there, or cannot do what the rule asks."""

from collections.abc import Iterator, Mapping

import msgspec

from proa.core.config.analyze.message import Message
from proa.core.config.analyze.rules import rules_of
from proa.core.config.analyze.world import Known, World, are_common
from proa.core.config.config import Config
from proa.core.config.export_to import visible_in
from proa.core.config.kinds.destination_rule.schema import DestinationRule
from proa.core.config.kinds.sidecar.schema import Sidecar
from proa.core.config.kinds.virtual_service.schema import Destination, HttpRoute, VirtualService
from proa.core.config.near_names import neighbours, suggestion
from proa.core.config.path import Path
from proa.core.config.tree import shorten
from proa.core.model.names import expand_host

_WITH_REQUESTS = frozenset(["HTTP", "HTTP2", "GRPC", "AUTO"])


class Sent(msgspec.Struct, frozen=True):
    """A destination in a rule. `of_requests`: the rule is under `http`."""

    path: Path
    destination: Destination
    of_requests: bool


def check_destinations(world: World) -> Iterator[Message]:
    for config in world.configs:
        match config.spec:
            case VirtualService() as spec:
                for sent in sent_by(spec):
                    yield from _check_sent(world, config, spec, sent)
                yield from _check_own_ports(world, config, spec)
            case DestinationRule() as rule:
                yield from _check_rule(world, config, rule)
            case Sidecar() as sidecar:
                yield from _check_imports(world, config, sidecar)
            case _:
                pass


def sent_by(spec: VirtualService) -> Iterator[Sent]:
    """Every destination of the object's rules, copies included."""
    for placed in rules_of(spec):
        rule, at = placed.rule, placed.path
        of_requests = isinstance(rule, HttpRoute)
        for number, route in enumerate(placed.targets):
            yield Sent((*at, "route", number, "destination"), route.destination, of_requests)
        if isinstance(rule, HttpRoute):
            if rule.mirror is not None:
                yield Sent((*at, "mirror"), rule.mirror, True)
            for number, mirror in enumerate(rule.mirrors):
                yield Sent((*at, "mirrors", number, "destination"), mirror.destination, True)


def _check_sent(world: World, config: Config, spec: VirtualService, sent: Sent) -> Iterator[Message]:
    namespace = config.meta.namespace
    destination = sent.destination
    host = expand_host(destination.host, namespace)
    known = world.find(host)
    if known is None:
        if not world.may_exist(host):
            yield _missing(world, config, (*sent.path, "host"), host)
    else:
        visible = visible_in(spec.export_to, namespace)
        if not are_common(visible, known.visible_in):
            text = (
                f"{host} is seen in {_namespaces(known.visible_in)}, and this rule in {_namespaces(visible)}"
            )
            yield Message(config.ref, (*sent.path, "host"), "destination-unseen", text)
        yield from _check_port(config, sent, known)
    if destination.subset:
        yield from _check_subset(world, config, sent, host)


def _missing(world: World, config: Config, path: Path, host: str) -> Message:
    near = suggestion(host, neighbours(host, world.names))
    return Message(config.ref, path, "host-missing", f"nobody has the host {shorten(host)}{near}")


def _namespaces(visible: tuple[str, ...]) -> str:
    return f"the namespace {', '.join(visible)}" if visible else "no namespace"


def _check_port(config: Config, sent: Sent, known: Known) -> Iterator[Message]:
    if not known.ports:
        return
    numbers = ", ".join(map(str, sorted(known.ports)))
    wanted = sent.destination.port
    if wanted is None:
        if len(known.ports) > 1:
            text = f"{known.host} has the ports {numbers}, and the rule says none"
            yield Message(config.ref, sent.path, "port-needed", text)
            return
        (number,) = known.ports
    else:
        number = wanted.number
        if number not in known.ports:
            text = f"{known.host} has no port {number}; it has {numbers}"
            yield Message(config.ref, (*sent.path, "port", "number"), "port-missing", text)
            return
    if sent.of_requests and known.ports[number] not in _WITH_REQUESTS:
        text = f"port {number} of {known.host} speaks {known.ports[number]}, and the rule is for requests"
        yield Message(config.ref, sent.path, "protocol-mismatch", text)


def _check_subset(world: World, config: Config, sent: Sent, host: str) -> Iterator[Message]:
    subsets = [subset.name for rule in world.rules_for(host) for subset in _rule(rule).subsets]
    if sent.destination.subset not in subsets:
        name = shorten(sent.destination.subset)
        near = suggestion(name, subsets)
        text = f"no DestinationRule of {host} has a subset {name}{near}"
        yield Message(config.ref, (*sent.path, "subset"), "subset-missing", text)


def _rule(config: Config) -> DestinationRule:
    assert isinstance(config.spec, DestinationRule)
    return config.spec


def _check_own_ports(world: World, config: Config, spec: VirtualService) -> Iterator[Message]:
    """Rules for requests to a host without requests."""
    if not spec.http or (spec.gateways and "mesh" not in spec.gateways):
        return
    for index, host in enumerate(spec.hosts):
        known = world.hosts.get(expand_host(host, config.meta.namespace))
        if known is not None and known.ports and not _WITH_REQUESTS & set(known.ports.values()):
            text = f"no port of {known.host} has requests ({_protocols(known.ports)}); the rules under http never act"
            yield Message(config.ref, ("spec", "hosts", index), "protocol-mismatch", text)


def _protocols(ports: Mapping[int, str]) -> str:
    return ", ".join(f"{number} speaks {protocol}" for number, protocol in sorted(ports.items()))


def _check_rule(world: World, config: Config, rule: DestinationRule) -> Iterator[Message]:
    host = expand_host(rule.host, config.meta.namespace)
    known = world.find(host)
    if known is None:
        if not host.startswith("*") and not world.may_exist(host):
            yield _missing(world, config, ("spec", "host"), host)
        return
    if not are_common(visible_in(rule.export_to, config.meta.namespace), known.visible_in):
        text = f"{host} is seen in {_namespaces(known.visible_in)} alone"
        yield Message(config.ref, ("spec", "exportTo"), "rule-unseen", text)
    if known.instances is None:
        return
    for index, subset in enumerate(rule.subsets):
        wanted = subset.labels.items()
        if not any(all(labels.get(key) == value for key, value in wanted) for labels in known.instances):
            text = f"none of the {len(known.instances)} endpoints of {host} has the labels of {subset.name}"
            yield Message(config.ref, ("spec", "subsets", index, "labels"), "subset-selects-nothing", text)


def _check_imports(world: World, config: Config, sidecar: Sidecar) -> Iterator[Message]:
    """Whole names alone: a wildcard may be for what comes later."""
    for index, listener in enumerate(sidecar.egress):
        for number, written in enumerate(listener.hosts):
            host = written.partition("/")[2].lower()
            if host.startswith("*") or world.find(host) is not None or world.may_exist(host):
                continue
            yield _missing(world, config, ("spec", "egress", index, "hosts", number), host)
