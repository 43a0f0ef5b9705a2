"""Meshes for tests, in few words: services, endpoints, registrations, objects from YAML, and a whole control
plane's memory without its servers.

What is left out of a call gets a plain value. Nothing here is random or does I/O.
"""

from collections.abc import Iterable, Mapping
from typing import Literal
from urllib.parse import urlsplit

import msgspec
from immutables import Map

from proa.control_plane.conversion import Conversion
from proa.control_plane.proxy_source import ProxySource
from proa.control_plane.world import World
from proa.core.auth.peer_policy import PortTls, settled
from proa.core.config import Config, Document, Json, load, load_all
from proa.core.config.endpoint import WorkloadEntry
from proa.core.config.kinds.service_entry.schema import ServiceEntry
from proa.core.config.locality import distribution_of
from proa.core.config.mixer.catalogue import BUILT_IN, Catalogue
from proa.core.config.yaml_reader import NO_MARKS
from proa.core.model.endpoint import Endpoint, TlsFact
from proa.core.model.endpoint import Health as EndpointHealth
from proa.core.model.names import (
    DEFAULT_NAMESPACE,
    DEFAULT_TRUST_DOMAIN,
    ObjectRef,
    WorkloadId,
    parse_workload_id,
)
from proa.core.model.service import Protocol, Service, ServicePort
from proa.core.model.settings import MeshSettings
from proa.core.model.snapshot import Change, Contribution
from proa.core.pilot.registry.entries import contribution_of_service_entry, contribution_of_workload_entry
from proa.core.pilot.registry.registration import contribution_of_registration, workload_source
from proa.core.pilot.scope.index import Affected
from proa.core.pilot.simulate import Explicit, Outcome, Request, Via, simulate
from proa.core.sidecar.session import (
    GatewayPort,
    Health,
    RegisteredPort,
    Registration,
    Upstream,
    WorkloadKind,
)

SIDECAR_PORT = 20_000
"""The inbound port of a registration's first port; the next ones follow."""


def port(number: int = 9080, name: str = "http", protocol: Protocol = "HTTP") -> ServicePort:
    return ServicePort(number=number, name=name, protocol=protocol)


def service(hostname: str, *ports: ServicePort, namespace: str = DEFAULT_NAMESPACE) -> Service:
    return Service(hostname=hostname, namespace=namespace, ports=ports or (port(),))


def endpoint(
    address: str = "10.0.0.1",
    number: int = SIDECAR_PORT,
    *,
    service_port: int = 9080,
    labels: Mapping[str, str] | None = None,
    health: EndpointHealth = "HEALTHY",
    tls: TlsFact = "mutual",
    weight: int = 1,
    locality: str = "",
    workload: str = "",
) -> Endpoint:
    return Endpoint(
        address=address,
        port=number,
        service_port=service_port,
        labels=Map(labels or {}),
        health=health,
        tls=tls,
        weight=weight,
        locality=locality,
        workload=workload,
    )


def registered_port(
    service: str,
    number: int = 9080,
    *,
    protocol: str = "HTTP",
    name: str = "",
    health: Health = "HEALTHY",
    sidecar_port: int = SIDECAR_PORT,
) -> RegisteredPort:
    return RegisteredPort(
        service=service,
        service_port=number,
        name=name or f"{protocol.lower()}-{number}",
        protocol=protocol,
        app_port=number,
        sidecar_port=sidecar_port,
        health=health,
    )


def registration(
    workload: str,
    *ports: RegisteredPort,
    address: str = "10.0.0.1",
    account: str = "",
    labels: Mapping[str, str] | None = None,
    node: str = "node",
    kind: WorkloadKind = "sidecar",
    upstreams: tuple[Upstream, ...] = (),
    gateway_ports: tuple[GatewayPort, ...] = (),
    outbound: bool = True,
    locality: str = "",
) -> Registration:
    """A workload `name` or `namespace/name`. Without an account it acts as its first service, else as itself."""
    identity = parse_workload_id(workload)
    return Registration(
        id=identity,
        node=node,
        account=account or (ports[0].service if ports else identity.name),
        kind=kind,
        labels=Map(labels or {}),
        address=address,
        ports=ports,
        upstreams=upstreams,
        outbound_port=15001 if outbound and kind == "sidecar" else None,
        capture="explicit" if outbound and kind == "sidecar" else "none",
        gateway_ports=gateway_ports,
        locality=locality,
    )


def simple(
    workload: str,
    version: str = "v1",
    *,
    number: int = 9080,
    protocol: str = "HTTP",
    address: str = "10.0.0.1",
    locality: str = "",
) -> Registration:
    """The workload `NAME-VERSION` that serves NAME on one port, labelled as in Istio's samples."""
    identity = parse_workload_id(workload)
    return registration(
        f"{identity}-{version}",
        registered_port(identity.name, number, protocol=protocol),
        address=address,
        labels={"app": identity.name, "version": version},
        locality=locality,
    )


def contribution(
    registered: Registration,
    *,
    accounts: Mapping[str, tuple[str, ...]] | None = None,
    port_tls: Mapping[int, PortTls] | None = None,
    trust_domain: str = DEFAULT_TRUST_DOMAIN,
) -> Contribution:
    """A registration as the world takes it; by default its own account may serve its services, all ports STRICT."""
    return contribution_of_registration(
        registered,
        accounts=accounts or dict.fromkeys(registered.services, (registered.account,)),
        port_tls={each.service_port: settled("STRICT") for each in registered.ports} | dict(port_tls or {}),
        trust_domain=trust_domain,
    )


def configs(text: str, namespace: str = DEFAULT_NAMESPACE) -> tuple[Config, ...]:
    """The objects of a YAML text. Raises AssertionError with all its problems."""
    loaded = load_all(text, "test.yaml", namespace)
    assert not loaded.errors, "\n".join(map(str, loaded.errors))
    return loaded.configs


def config(
    kind: str,
    name: str,
    spec: Mapping[str, Json],
    *,
    namespace: str = DEFAULT_NAMESPACE,
    group: str = "networking",
) -> Config:
    """One object of Istio's group from its spec as JSON. Raises AssertionError."""
    value: dict[str, Json] = {
        "apiVersion": f"{group}.istio.io/v1",
        "kind": kind,
        "metadata": {"name": name, "namespace": namespace},
        "spec": dict(spec),
    }
    loaded = load(Document(file="test", line=1, value=value, marks=NO_MARKS))
    assert isinstance(loaded, Config), "\n".join(map(str, loaded))
    return loaded


def change_of(objects: Iterable[Config], trust_domain: str = DEFAULT_TRUST_DOMAIN) -> Change:
    """What applying these objects tells the world: themselves, and what they add to the service model."""
    objects = tuple(objects)
    contributions: list[Contribution] = []
    for each in objects:
        match each.spec:
            case ServiceEntry() as spec:
                distribution = distribution_of(each.meta.annotations)
                made = contribution_of_service_entry(each.ref, spec, trust_domain, distribution)
                contributions.append(made)
            case WorkloadEntry() as spec:
                contributions.append(contribution_of_workload_entry(each.ref, spec, trust_domain))
    return Change(configs=objects, contributions=tuple(contributions))


def change(text: str, namespace: str = DEFAULT_NAMESPACE) -> Change:
    """What applying this YAML tells the world."""
    return change_of(configs(text, namespace))


def removal(*refs: ObjectRef) -> Change:
    """What deleting these objects tells the world."""
    return Change(removed_configs=refs, removed_sources=refs)


class Mesh:
    """A control plane's memory to drive by hand, and the question what a request would do. A workload `client` that
    serves nothing is there from the start, in the namespaces default and shop.

    mesh = Mesh(simple("reviews", "v1"))
    mesh.apply(YAML)
    assert mesh.get("client", "http://reviews:9080/").cluster == ...
    """

    def __init__(
        self,
        *placed: Registration,
        settings: MeshSettings | None = None,
        catalogue: Catalogue = BUILT_IN,
    ) -> None:
        self.world = World(settings or MeshSettings(), clock=lambda: 0.0, catalogue=catalogue)
        self.conversion = Conversion()
        self._written: dict[ObjectRef, Config] = {}
        self._in_force: dict[ObjectRef, Config] = {}
        self.place(registration("client"), registration("shop/client"), *placed)

    def place(self, *placed: Registration, port_tls: Mapping[int, PortTls] | None = None) -> Affected:
        """Register these workloads, or register them anew."""
        made = tuple(contribution(each, port_tls=port_tls) for each in placed)
        return self.world.fold_in([Change(contributions=made)])

    def displace(self, *workloads: str) -> Affected:
        gone = tuple(workload_source(parse_workload_id(each)) for each in workloads)
        return self.world.fold_in([Change(removed_sources=gone)])

    def apply(self, text: str, namespace: str = DEFAULT_NAMESPACE, *, created: float = 0.0) -> Affected:
        """Objects of 2018 too, which are converted together with those that were applied before. `created` is the age
        of the new ones, in seconds; known ones keep theirs."""
        for config in configs(text, namespace):
            known = self._written.get(config.ref)
            age = known.created if known is not None else created
            self._written[config.ref] = msgspec.structs.replace(config, created=age)
        return self._fold_written()

    def written(self, ref: ObjectRef) -> Config:
        """An object that was applied."""
        return self._written[ref]

    def delete(self, kind: str, name: str, namespace: str = DEFAULT_NAMESPACE) -> Affected:
        self._written.pop(ObjectRef(kind, namespace, name), None)
        return self._fold_written()

    def _fold_written(self) -> Affected:
        before, self._in_force = self._in_force, self.conversion.in_force(self._written)
        new = [config for ref, config in self._in_force.items() if before.get(ref) != config]
        gone = before.keys() - self._in_force.keys()
        return self.world.fold_in([change_of(new), removal(*sorted(gone))])

    def source(self, workload: str | WorkloadId) -> ProxySource:
        known = parse_workload_id(workload) if isinstance(workload, str) else workload
        return self.world.source_for(known)

    def get(
        self,
        workload: str,
        url: str,
        *,
        method: Literal["GET", "POST", "PUT", "DELETE"] = "GET",
        headers: Mapping[str, str] | None = None,
        roll: float = 0.0,
        via: Via | None = None,
    ) -> Outcome:
        """What becomes of a request of this workload (explicit proxy), or to it (`via` Gateway or Inbound)."""
        parts = urlsplit(url)
        request = Request(
            method=method,
            scheme=parts.scheme,
            authority=parts.netloc,
            path=(parts.path or "/") + (f"?{parts.query}" if parts.query else ""),
            headers=tuple((headers or {}).items()),
            roll=roll,
        )
        return simulate(self.source(workload).lookup, request, via or Explicit())
