"""The world as one value, and the only way to a new one.

`fold` takes a change and gives the next snapshot with the set of what it touched, and visits nothing else: its
cost depends on the change, not on the size of the mesh. Only `control_plane/world.py` calls it; only
`core/pilot/scope` reads a whole snapshot.

Sources (a ServiceEntry, a WorkloadEntry, a registered workload) come in as Contributions. What several of them
say of one host is merged here, the oldest object first and registrations last, so that the order of arrival never
matters.
"""

from collections.abc import Iterable
from typing import Final, Protocol, TypeVar

import msgspec
from immutables import Map, MapMutation

from proa.core.model.endpoint import Endpoint, EndpointSet, build_endpoint_set
from proa.core.model.names import ObjectRef, WorkloadId
from proa.core.model.revoked import Revoked
from proa.core.model.service import Selector, Service, ServicePort
from proa.core.model.settings import MeshSettings
from proa.core.model.token_keys import KeySource
from proa.core.model.workload import Workload

WORKLOAD_SOURCE: Final = "Workload"
"""Kind of the sources that are registered workloads and not an operator's objects."""

V = TypeVar("V")
M = TypeVar("M")


class ConfigValue(Protocol):
    """What the model needs of a configuration object; the language defines the rest."""

    @property
    def ref(self) -> ObjectRef: ...
    @property
    def digest(self) -> str: ...
    @property
    def spec(self) -> object: ...
    @property
    def age(self) -> tuple[float, ObjectRef]: ...


class SelectedPort(msgspec.Struct, frozen=True, kw_only=True):
    """A port of a service with a selector: on each instance it is the port named so, else `target`."""

    port: ServicePort
    target: int


class ServiceClaim(msgspec.Struct, frozen=True, kw_only=True):
    """What one source says of one host. With a `selector` the instances it picks are endpoints as well. Not
    `says_who_sees`: the mesh's settings do."""

    service: Service
    endpoints: tuple[Endpoint, ...] = ()
    selector: Selector | None = None
    says_who_sees: bool = True
    selected_ports: tuple[SelectedPort, ...] = ()


class Instance(msgspec.Struct, frozen=True, kw_only=True):
    """An address that selectors may pick. `ports` maps names (and service ports as text) to numbers there;
    `template` carries the remaining facts of the endpoints made from it, `templates` those of a number that has its
    own (health and TLS are facts of a port)."""

    namespace: str
    labels: Map[str, str]
    ports: Map[str, int]
    template: Endpoint
    templates: Map[int, Endpoint] = msgspec.field(default_factory=Map)

    def endpoint(self, selected: SelectedPort, *, known_only: bool) -> Endpoint | None:
        """The endpoint that a service's port has here; None when `known_only` and no port of that name or number is."""
        named = self.ports.get(selected.port.name, self.ports.get(str(selected.port.number)))
        if named is None and known_only:
            return None
        number = selected.target if named is None else named
        template = self.templates.get(number, self.template)
        return msgspec.structs.replace(
            template, port=number, service_port=selected.port.number, labels=self.labels
        )


class Contribution(msgspec.Struct, frozen=True, kw_only=True):
    """All that one source adds to the model."""

    source: ObjectRef
    claims: tuple[ServiceClaim, ...] = ()
    instances: tuple[Instance, ...] = ()
    workload: Workload | None = None


class Change(msgspec.Struct, frozen=True, kw_only=True):
    """Facts that are new, changed or gone. A configuration object may also be a source: its contribution then
    comes in the same change. `key_sets` are all that are known now; so are `control_planes`, the `host:port` where each
    of them serves proxies."""

    configs: tuple[ConfigValue, ...] = ()
    removed_configs: tuple[ObjectRef, ...] = ()
    contributions: tuple[Contribution, ...] = ()
    removed_sources: tuple[ObjectRef, ...] = ()
    settings: MeshSettings | None = None
    revoked: Revoked | None = None
    key_sets: Map[KeySource, str] | None = None
    control_planes: tuple[str, ...] | None = None


class Touched(msgspec.Struct, frozen=True, kw_only=True):
    """What a fold really changed: hosts whose service or endpoints differ, workloads, configuration objects."""

    services: frozenset[str] = frozenset()
    endpoints: frozenset[str] = frozenset()
    workloads: frozenset[WorkloadId] = frozenset()
    configs: frozenset[ObjectRef] = frozenset()
    settings: bool = False
    revoked: bool = False
    key_sets: frozenset[KeySource] = frozenset()
    control_planes: bool = False

    def __bool__(self) -> bool:
        facts = self.services or self.endpoints or self.workloads or self.configs
        return bool(facts or self.settings or self.revoked or self.key_sets or self.control_planes)


class MeshSnapshot(msgspec.Struct, frozen=True, kw_only=True):
    """`claimants` and `selecting` are the reverse indexes that keep a fold's cost at what it touches."""

    settings: MeshSettings = MeshSettings()
    revoked: Revoked = Revoked()
    key_sets: Map[KeySource, str] = msgspec.field(default_factory=Map)
    control_planes: tuple[str, ...] = ()
    configs: Map[ObjectRef, ConfigValue] = msgspec.field(default_factory=Map)
    contributions: Map[ObjectRef, Contribution] = msgspec.field(default_factory=Map)
    services: Map[str, Service] = msgspec.field(default_factory=Map)
    endpoints: Map[str, EndpointSet] = msgspec.field(default_factory=Map)
    workloads: Map[WorkloadId, Workload] = msgspec.field(default_factory=Map)
    claimants: Map[str, frozenset[ObjectRef]] = msgspec.field(default_factory=Map)
    selecting: Map[str, frozenset[str]] = msgspec.field(default_factory=Map)
    instances: Map[str, frozenset[ObjectRef]] = msgspec.field(default_factory=Map)


def fold(snapshot: MeshSnapshot, change: Change) -> tuple[MeshSnapshot, Touched]:
    """The next snapshot and what differs in it. Folding a change that says nothing new touches nothing."""
    configs, touched_configs = _fold_configs(snapshot.configs, change)
    folded, hosts, touched_workloads = _fold_sources(
        msgspec.structs.replace(snapshot, configs=configs), change, touched_configs
    )
    settings = change.settings or snapshot.settings
    folded = msgspec.structs.replace(folded, settings=settings)
    if settings.service_export_to != snapshot.settings.service_export_to:
        hosts |= set(folded.claimants)
    services, endpoints = folded.services.mutate(), folded.endpoints.mutate()
    touched_services: set[str] = set()
    touched_endpoints: set[str] = set()
    for host in hosts:
        service, endpoint_set = _merge(folded, host)
        if service != services.get(host):
            touched_services.add(host)
            _put(services, host, service)
        if (endpoint_set.digest if endpoint_set else "") != _digest(endpoints.get(host)):
            touched_endpoints.add(host)
            _put(endpoints, host, endpoint_set)
    revoked = snapshot.revoked if change.revoked is None else change.revoked
    key_sets = snapshot.key_sets if change.key_sets is None else change.key_sets
    servers = snapshot.control_planes if change.control_planes is None else change.control_planes
    following = msgspec.structs.replace(
        folded,
        revoked=revoked,
        key_sets=key_sets,
        control_planes=servers,
        services=services.finish(),
        endpoints=endpoints.finish(),
    )
    return following, Touched(
        services=frozenset(touched_services),
        endpoints=frozenset(touched_endpoints),
        workloads=frozenset(touched_workloads),
        configs=frozenset(touched_configs),
        settings=settings != snapshot.settings,
        revoked=revoked != snapshot.revoked,
        key_sets=_differing(snapshot.key_sets, key_sets),
        control_planes=servers != snapshot.control_planes,
    )


def _differing(before: Map[KeySource, str], after: Map[KeySource, str]) -> frozenset[KeySource]:
    if before is after:
        return frozenset()
    return frozenset(source for source in {*before, *after} if before.get(source) != after.get(source))


def _digest(endpoint_set: EndpointSet | None) -> str:
    return endpoint_set.digest if endpoint_set else ""


def _put(mutation: MapMutation[M, V], key: M, value: V | None) -> None:
    if value is None:
        mutation.pop(key, None)
    else:
        mutation[key] = value


def _fold_configs(
    configs: Map[ObjectRef, ConfigValue], change: Change
) -> tuple[Map[ObjectRef, ConfigValue], set[ObjectRef]]:
    touched: set[ObjectRef] = set()
    mutation = configs.mutate()
    for config in change.configs:
        known = mutation.get(config.ref)
        if known is None or known.digest != config.digest or known.age != config.age:
            mutation[config.ref] = config
            touched.add(config.ref)
    for ref in change.removed_configs:
        if mutation.pop(ref, None) is not None:
            touched.add(ref)
    return mutation.finish(), touched


def _fold_sources(
    snapshot: MeshSnapshot, change: Change, touched_configs: set[ObjectRef]
) -> tuple[MeshSnapshot, set[str], set[WorkloadId]]:
    """Swap contributions, keep the reverse indexes, and name the hosts to merge anew. An object that says what it said
    may be younger now: its place among the others is another."""
    contributions = snapshot.contributions.mutate()
    workloads = snapshot.workloads.mutate()
    claimants = snapshot.claimants.mutate()
    selecting = snapshot.selecting.mutate()
    instances = snapshot.instances.mutate()
    hosts: set[str] = set()
    touched: set[WorkloadId] = set()
    updates: list[tuple[ObjectRef, Contribution | None]] = [(new.source, new) for new in change.contributions]
    updates += [(source, None) for source in change.removed_sources]
    for source, new in updates:
        old = contributions.get(source)
        if old == new and source not in touched_configs:
            continue
        _put(contributions, source, new)
        for contribution, joins in ((old, False), (new, True)):
            if contribution is None:
                continue
            for claim in contribution.claims:
                host = claim.service.hostname
                hosts.add(host)
                _index(claimants, host, source, joins)
                if claim.selector is not None:
                    _index(selecting, claim.selector.namespace, host, joins)
            for instance in contribution.instances:
                _index(instances, instance.namespace, source, joins)
                hosts |= selecting.get(instance.namespace, frozenset())
        before, after = old.workload if old else None, new.workload if new else None
        if before != after:
            for workload in (before, after):
                if workload is not None:
                    touched.add(workload.id)
            if after is not None:
                workloads[after.id] = after
            elif before is not None:
                workloads.pop(before.id, None)
    folded = msgspec.structs.replace(
        snapshot,
        contributions=contributions.finish(),
        workloads=workloads.finish(),
        claimants=claimants.finish(),
        selecting=selecting.finish(),
        instances=instances.finish(),
    )
    return folded, hosts, touched


def _index(mutation: MapMutation[str, frozenset[M]], key: str, member: M, joins: bool) -> None:
    members = mutation.get(key, frozenset())
    changed = members | {member} if joins else members - {member}
    _put(mutation, key, changed or None)


def _merge(snapshot: MeshSnapshot, host: str) -> tuple[Service | None, EndpointSet | None]:
    """One service of all that is claimed of a host. Where claims disagree on a fact that can have one value only
    (namespace, resolution, a port's protocol) the oldest object wins, and objects before registrations."""
    claims = [
        (source, _seen_by_default(claim, snapshot.settings))
        for source in sorted(snapshot.claimants.get(host, frozenset()), key=lambda ref: _order(snapshot, ref))
        for claim in snapshot.contributions[source].claims
        if claim.service.hostname == host
    ]
    if not claims:
        return None, None
    # A claim that its namespace keeps to itself must not reach a host that others see: it could hide or take it.
    public = [claim.service.namespace for _, claim in claims if claim.service.is_public]
    owner = public[0] if public else claims[0][1].service.namespace
    claims = [
        (source, claim)
        for source, claim in claims
        if claim.service.is_public or claim.service.namespace == owner
    ]
    owned = [claim.service for _, claim in claims if claim.service.namespace == owner]
    first = owned[0]
    ports: dict[int, ServicePort] = {}
    for _, claim in claims:
        for port in claim.service.ports:
            known = ports.get(port.number)
            if known is None or (known.protocol == "AUTO" and port.protocol != "AUTO"):
                ports[port.number] = port
    accounts = {account for _, claim in claims for account in claim.service.accounts}
    accounts |= {account for _, claim in claims for account in _selected_accounts(snapshot, claim)}
    service = Service(
        hostname=host,
        namespace=first.namespace,
        ports=tuple(sorted(ports.values())),
        resolution=first.resolution,
        mesh_external=first.mesh_external,
        addresses=tuple(sorted({address for _, claim in claims for address in claim.service.addresses})),
        accounts=tuple(sorted(accounts)),
        visible_in=_seen_by_all(owned),
        distribution=next((each.distribution for each in owned if each.distribution), ""),
        sources=tuple(source for source, _ in claims),
    )
    endpoints: dict[tuple[int, str, int, str], Endpoint] = {}
    for _, claim in claims:
        for endpoint in (*claim.endpoints, *_selected(snapshot, claim)):
            endpoints.setdefault(endpoint.sort_key, endpoint)
    return service, build_endpoint_set(tuple(endpoints.values()))


def _seen_by_default(claim: ServiceClaim, settings: MeshSettings) -> ServiceClaim:
    if claim.says_who_sees:
        return claim
    own = claim.service.namespace
    seen = tuple(sorted({own if entry == "." else entry for entry in settings.service_export_to}))
    return msgspec.structs.replace(claim, service=msgspec.structs.replace(claim.service, visible_in=seen))


def _order(snapshot: MeshSnapshot, source: ObjectRef) -> tuple[bool, float, ObjectRef]:
    config = snapshot.configs.get(source)
    return (True, 0.0, source) if config is None else (False, *config.age)


def _seen_by_all(owned: list[Service]) -> tuple[str, ...]:
    """Of several that say who sees their host, the strictest holds."""
    limits = [set(service.visible_in) for service in owned if not service.is_public]
    return tuple(sorted(set.intersection(*limits))) if limits else ("*",)


def _instances_of(snapshot: MeshSnapshot, claim: ServiceClaim) -> Iterable[tuple[ObjectRef, Instance]]:
    selector = claim.selector
    if selector is None:
        return
    for source in sorted(snapshot.instances.get(selector.namespace, frozenset())):
        for instance in snapshot.contributions[source].instances:
            if selector.matches(instance.namespace, instance.labels):
                yield source, instance


def _selected_accounts(snapshot: MeshSnapshot, claim: ServiceClaim) -> Iterable[str]:
    """An operator's object may name the account of what a selector picks; a registration may not, or any workload
    could own any service by wearing its labels."""
    for source, instance in _instances_of(snapshot, claim):
        if source.kind != WORKLOAD_SOURCE and instance.template.account:
            yield instance.template.account


def _selected(snapshot: MeshSnapshot, claim: ServiceClaim) -> Iterable[Endpoint]:
    """A workload is reached through its sidecar's ports alone; at an operator's address any port may be open."""
    for source, instance in _instances_of(snapshot, claim):
        for selected in claim.selected_ports:
            endpoint = instance.endpoint(selected, known_only=source.kind == WORKLOAD_SOURCE)
            if endpoint is not None:
                yield endpoint
