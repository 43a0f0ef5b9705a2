"""Gateways and the rules for them: names that are not there, hosts that no server takes, two for one thing."""

from collections.abc import Iterator

from proa.core.config.analyze.message import Message
from proa.core.config.analyze.rules import rules_of
from proa.core.config.analyze.world import World
from proa.core.config.config import Config
from proa.core.config.hostnames import hosts_overlap
from proa.core.config.kinds.gateway.schema import Gateway, Server
from proa.core.config.kinds.virtual_service.schema import VirtualService
from proa.core.config.near_names import neighbours, suggestion
from proa.core.config.path import Path
from proa.core.model.names import ObjectRef

_MESH = "mesh"
_Place = tuple[ObjectRef, Path]


def check_gateways(world: World) -> Iterator[Message]:
    gateways = {
        (config.meta.namespace, config.meta.name): config
        for config in world.configs
        if isinstance(config.spec, Gateway)
    }
    names = sorted("/".join(key) for key in gateways)
    used: set[tuple[str, str]] = set()
    for config in world.configs:
        if isinstance(config.spec, VirtualService):
            yield from _check_names(config, config.spec, gateways, names, used)
    for key, config in gateways.items():
        if key not in used and _wants_rules(config):
            yield Message(config.ref, (), "gateway-unused", "no VirtualService names this gateway")
        if world.gateways == 0:
            yield Message(
                config.ref, ("spec", "selector"), "gateway-selects-nothing", "no gateway runs in the mesh"
            )
    yield from _check_rivals(tuple(gateways.values()))
    if world.secrets is not None:
        for config in gateways.values():
            yield from _check_secrets(config, world.secrets)


def _check_names(
    config: Config,
    spec: VirtualService,
    gateways: dict[tuple[str, str], Config],
    names: list[str],
    used: set[tuple[str, str]],
) -> Iterator[Message]:
    named: list[tuple[Path, str]] = [
        (("spec", "gateways", index), name) for index, name in enumerate(spec.gateways)
    ]
    for placed in rules_of(spec):
        for number, match in enumerate(placed.matches):
            at = (*placed.path, "match", number, "gateways")
            named += [((*at, position), name) for position, name in enumerate(match.gateways)]
    for path, name in named:
        if name == _MESH:
            continue
        namespace, slash, short = name.rpartition("/")
        key = (namespace if slash else config.meta.namespace, short)
        used.add(key)
        gateway = gateways.get(key)
        if gateway is None:
            near = suggestion("/".join(key), neighbours("/".join(key), names))
            yield Message(config.ref, path, "gateway-missing", f"there is no gateway {'/'.join(key)}{near}")
        elif path[1] == "gateways":
            yield from _check_hosts(config, spec, gateway)


def _check_hosts(config: Config, spec: VirtualService, gateway: Config) -> Iterator[Message]:
    assert isinstance(gateway.spec, Gateway)
    taken = [
        host
        for server in gateway.spec.servers
        for namespace, host in _hosts(server, gateway.meta.namespace)
        if namespace in ("*", config.meta.namespace)
    ]
    for index, host in enumerate(spec.hosts):
        if not any(hosts_overlap(host.lower(), one) for one in taken):
            text = f"{gateway.ref} takes no requests for {host} from rules of {config.meta.namespace}"
            yield Message(config.ref, ("spec", "hosts", index), "host-not-at-gateway", text)


def _hosts(server: Server, namespace: str) -> Iterator[tuple[str, str]]:
    """Each with the namespace whose rules it takes, `*` for all."""
    for written in server.hosts:
        owner, slash, host = written.lower().rpartition("/")
        yield (namespace if owner == "." else owner) if slash else "*", host


def _wants_rules(config: Config) -> bool:
    """A server that only redirects, or passes what it is given by name, needs none."""
    assert isinstance(config.spec, Gateway)
    return any(
        server.tls is None or (not server.tls.https_redirect and server.tls.mode != "AUTO_PASSTHROUGH")
        for server in config.spec.servers
    )


def _check_rivals(gateways: tuple[Config, ...]) -> Iterator[Message]:
    """Of the same proxies: one host at one port, one certificate for several objects."""
    hosts: dict[object, _Place] = {}
    certificates: dict[object, ObjectRef] = {}
    for config in gateways:
        spec = config.spec
        assert isinstance(spec, Gateway)
        for index, server in enumerate(spec.servers):
            at: Path = ("spec", "servers", index)
            for number, (namespace, host) in enumerate(_hosts(server, config.meta.namespace)):
                key = (spec.selector, server.port.number, server.bind, namespace, host)
                first, _ = hosts.setdefault(key, (config.ref, at))
                if first != config.ref:
                    text = f"{first} takes {host} on port {server.port.number} of the same proxies"
                    yield Message(config.ref, (*at, "hosts", number), "gateways-conflict", text)
            for name in server.tls.all_credentials if server.tls else ():
                owner = certificates.setdefault((spec.selector, server.port.number, name), config.ref)
                if owner != config.ref:
                    text = f"{owner} shows the certificate {name} on the same port"
                    yield Message(config.ref, (*at, "tls"), "certificate-shared", text)


def _check_secrets(config: Config, secrets: frozenset[str]) -> Iterator[Message]:
    assert isinstance(config.spec, Gateway)
    for index, server in enumerate(config.spec.servers):
        if server.tls is None:
            continue
        named = [*server.tls.all_credentials, server.tls.ca_cert_credential_name]
        for name in filter(None, named):
            if name not in secrets:
                text = f"there is no secret {name}{suggestion(name, secrets)}"
                yield Message(config.ref, ("spec", "servers", index, "tls"), "secret-missing", text)
