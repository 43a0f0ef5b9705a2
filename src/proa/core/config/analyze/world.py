"""What the checks know: objects, services and workloads, with the indexes that keep every check linear.

Built from files alone, or from a mesh's objects with what really runs there. From files alone it is not `whole`: a host
of the mesh, or a workload, may be there that no file tells of, and nothing is said to be missing that a program brings.
"""

from collections.abc import Iterable, Mapping

import msgspec
from immutables import Map

from proa.core.config.config import Config
from proa.core.config.export_to import EVERYWHERE, visible_in
from proa.core.config.kinds.destination_rule.schema import DestinationRule
from proa.core.config.kinds.service_entry.schema import ServiceEntry
from proa.core.model.names import DOMAIN_SUFFIX, expand_host
from proa.core.model.service import normal_protocol

Labels = Map[str, str]


class Known(msgspec.Struct, frozen=True, kw_only=True):
    """A host that somebody has. `ports` are numbers with their protocols; `instances` the labels of each endpoint, None
    when they cannot be known; `takes_mtls`: that all endpoints have sidecars was seen."""

    host: str
    namespace: str
    ports: Mapping[int, str]
    visible_in: tuple[str, ...] = (EVERYWHERE,)
    instances: tuple[Labels, ...] | None = None
    is_external: bool = False
    takes_mtls: bool = False


class Worker(msgspec.Struct, frozen=True, kw_only=True):
    """A workload that runs."""

    namespace: str
    labels: Labels


class World(msgspec.Struct, frozen=True, kw_only=True):
    """`workers` None: not known. `gateways`: how many gateway proxies run, None when not known; `secrets`: the names of
    those kept for gateways; `names` the hosts in order."""

    configs: tuple[Config, ...]
    hosts: Mapping[str, Known]
    endings: Mapping[str, Known]
    names: tuple[str, ...]
    destination_rules: Mapping[str, tuple[Config, ...]]
    workers: tuple[Worker, ...] | None = None
    gateways: int | None = None
    secrets: frozenset[str] | None = None
    whole: bool = False

    def find(self, host: str) -> Known | None:
        """By its full name; a wildcard that covers it counts, the longest first."""
        return self.hosts.get(host) or _by_ending(self.endings, host)

    def rules_for(self, host: str) -> tuple[Config, ...]:
        """DestinationRules for a full host name, of any namespace: the name's own and those of wildcards over it."""
        found = self.destination_rules.get(host, ())
        for ending in _endings(host):
            found += self.destination_rules.get(ending, ())
        return found

    def may_exist(self, host: str) -> bool:
        """Whether a host that is not known may be there all the same."""
        return not self.whole and (host.endswith("." + DOMAIN_SUFFIX) or host.startswith("*"))

    @property
    def inhabited(self) -> frozenset[str] | None:
        """The namespaces in which something runs."""
        return None if self.workers is None else frozenset(worker.namespace for worker in self.workers)


def build_world(
    configs: Iterable[Config],
    services: Iterable[Known] = (),
    *,
    workers: tuple[Worker, ...] | None = None,
    gateways: int | None = None,
    secrets: frozenset[str] | None = None,
    whole: bool = False,
) -> World:
    """`services` are those of the mesh; what ServiceEntries say is added where no service has the host."""
    ordered = tuple(sorted(configs, key=lambda config: config.ref))
    hosts = {service.host: service for service in services}
    rules: dict[str, list[Config]] = {}
    for config in ordered:
        match config.spec:
            case ServiceEntry() as spec:
                for host in spec.hosts:
                    hosts.setdefault(host.lower(), _of_entry(host.lower(), config.meta.namespace, spec))
            case DestinationRule() as rule:
                rules.setdefault(expand_host(rule.host, config.meta.namespace), []).append(config)
            case _:
                pass
    return World(
        configs=ordered,
        hosts=hosts,
        names=tuple(sorted(hosts)),
        endings={host: known for host, known in hosts.items() if host.startswith("*")},
        destination_rules={host: tuple(found) for host, found in rules.items()},
        workers=workers,
        gateways=gateways,
        secrets=secrets,
        whole=whole,
    )


def _of_entry(host: str, namespace: str, spec: ServiceEntry) -> Known:
    """With a selector or without endpoints, the instances are whoever comes."""
    is_listed = bool(spec.endpoints) and spec.workload_selector is None
    return Known(
        host=host,
        namespace=namespace,
        ports={port.number: normal_protocol(port.protocol) for port in spec.ports},
        visible_in=visible_in(spec.export_to, namespace),
        instances=tuple(endpoint.labels for endpoint in spec.endpoints) if is_listed else None,
        is_external=spec.location == "MESH_EXTERNAL",
    )


def _endings(host: str) -> Iterable[str]:
    """The wildcards over whole parts of a name: `*.b.c`, `*.c`, `*` for `a.b.c`."""
    rest = host
    while "." in rest:
        rest = rest.partition(".")[2]
        yield f"*.{rest}"
    yield "*"


def _by_ending(endings: Mapping[str, Known], host: str) -> Known | None:
    if not endings:
        return None
    for ending in _endings(host):
        if ending in endings:
            return endings[ending]
    # `*x.com` stands for parts of a part; there are few of them.
    odd = (known for name, known in endings.items() if not name.startswith("*.") and host.endswith(name[1:]))
    return next(odd, None)


def are_common(one: tuple[str, ...], other: tuple[str, ...]) -> bool:
    """Whether some namespace is in both, of two results of `visible_in`."""
    if EVERYWHERE in one:
        return bool(other)
    return bool(one) if EVERYWHERE in other else bool(set(one) & set(other))
