"""Which scope a workload is of: its namespace, and what the Sidecars in force for it say.

A scope is a value, and all that a view depends on besides the world: workloads whose Sidecars say the same share one,
and a Sidecar that is changed moves its workloads to another. Called by the world, when a workload or a Sidecar comes.
"""

from collections.abc import Iterator, Mapping

import msgspec
from immutables import Map

from proa.core.config.config import Config
from proa.core.config.kinds.sidecar.schema import LOOPBACK, OutboundTrafficPolicy, Sidecar
from proa.core.model.names import ObjectRef, WorkloadId, expand_host
from proa.core.model.service import Protocol, normal_protocol
from proa.core.model.settings import OutboundPolicy, Reporting
from proa.core.model.snapshot import MeshSnapshot
from proa.core.pilot.scope.imports import Imports, imports_of
from proa.core.pilot.scope.index import RuleIndex, by_age
from proa.core.pilot.scope.selectors import Labels, worn
from proa.core.pilot.scope.telemetry import Observing, observing_of


class EgressProxy(msgspec.Struct, frozen=True, kw_only=True, cache_hash=True):
    """`host` in full; `sidecar` is who says so."""

    host: str
    port: int
    subset: str
    sidecar: ObjectRef


class PortImports(msgspec.Struct, frozen=True, kw_only=True, cache_hash=True):
    """An egress listener with a port: what it imports of services' ports of that number (None: all). `bind`: where it
    is the proxy's own, empty when it is not; `captures`: requests by proxy variables to that port keep to it."""

    port: int
    protocol: Protocol
    imports: Imports | None
    bind: str
    captures: bool
    sidecar: ObjectRef

    @property
    def name(self) -> str:
        """Of the listener and of its routes."""
        return f"{self.bind}_{self.port}"

    @property
    def is_http(self) -> bool:
        """Whether requests are told apart there."""
        return self.protocol in ("HTTP", "HTTP2", "GRPC")

    def has(self, namespace: str, host: str) -> bool:
        return self.imports is None or self.imports.has(namespace, host)

    def touches(self, namespace: str, pattern: str) -> bool:
        return self.imports is None or self.imports.touches(namespace, pattern)


class Scope(msgspec.Struct, frozen=True, cache_hash=True):
    """Proxies with an equal scope see the same. `imports`: what they see of what is exported to them (None: all),
    but for `ports` that have a listener;
    `outbound`: where requests for other hosts go (None: as the mesh's settings say), and `egress` through whom;
    `wears`: of the selectors of
    DestinationRules in its namespace, those that hold for them; `observing`: what Telemetries say of what their
    listeners tell, and `reporting` what Mixer is told of their calls."""

    namespace: str
    imports: Imports | None = None
    outbound: OutboundPolicy | None = None
    egress: EgressProxy | None = None
    wears: frozenset[Labels] = frozenset()
    ports: tuple[PortImports, ...] = ()
    observing: Observing | None = None
    reporting: Reporting | None = None

    @property
    def is_narrow(self) -> bool:
        """Whether there may be something that it does not see."""
        return self.imports is not None or bool(self.ports)

    @property
    def own(self) -> tuple[PortImports, ...]:
        """The listeners that programs dial."""
        return tuple(each for each in self.ports if each.bind)

    def hears(self, port: int, namespace: str, host: str) -> bool:
        """Whether a host's port is there for requests by proxy variables: the listener of that port is asked before
        the one without any."""
        for each in self.ports:
            if each.captures and each.port == port:
                return each.has(namespace, host)
        return self.imports is None or self.imports.has(namespace, host)

    def has(self, port: int, namespace: str, host: str) -> bool:
        """Whether any listener imports it."""
        found = (each.has(namespace, host) for each in self.ports if each.port == port)
        return self.hears(port, namespace, host) or any(found)

    def touches(self, namespace: str, pattern: str) -> bool:
        """Whether rules for `pattern` are imported, by any listener."""
        if self.imports is None or self.imports.touches(namespace, pattern):
            return True
        return any(each.touches(namespace, pattern) for each in self.ports)


def scope_of(snapshot: MeshSnapshot, index: RuleIndex, workload: WorkloadId) -> Scope:
    """A gateway has no Sidecar, as in Istio. A workload of which nothing is known yet wears no labels."""
    known = snapshot.workloads.get(workload)
    labels: Map[str, str] = known.labels if known else Map()
    plain = plain_scope(index, workload.namespace, labels)
    if known is not None and known.kind == "gateway":
        return plain
    observing = observing_of(snapshot.settings, index, snapshot.configs, known) if known is not None else None
    if observing is not None:
        observing = msgspec.structs.replace(observing, notes=())
        plain = msgspec.structs.replace(plain, observing=observing)
    in_force = tuple(sidecars_in_force(snapshot, index, workload.namespace, labels))
    if not in_force:
        return plain
    ref, narrowest = in_force[0]
    policy = narrowest.outbound_traffic_policy
    who, listeners = next(((who, spec.egress) for who, spec in in_force if spec.egress), (ref, ()))
    hosts = tuple(host for listener in listeners if listener.port is None for host in listener.hosts)
    return Scope(
        workload.namespace,
        imports=imports_of(hosts, workload.namespace) if listeners else None,
        outbound=policy.mode if policy else None,
        egress=_egress(policy, ref) if policy else None,
        wears=plain.wears,
        observing=observing,
        ports=tuple(
            PortImports(
                port=listener.port.number,
                protocol=normal_protocol(listener.port.protocol),
                imports=imports_of(listener.hosts, workload.namespace),
                bind=(listener.bind or LOOPBACK) if listener.has_own else "",
                captures=listener.captures,
                sidecar=who,
            )
            for listener in listeners
            if listener.port is not None
        ),
    )


def _egress(policy: OutboundTrafficPolicy, ref: ObjectRef) -> EgressProxy | None:
    said = policy.egress_proxy
    if said is None or said.port is None:
        return None
    host = expand_host(said.host, ref.namespace)
    return EgressProxy(host=host, port=said.port.number, subset=said.subset, sidecar=ref)


def plain_scope(index: RuleIndex, namespace: str, labels: Mapping[str, str]) -> Scope:
    """That of a workload without a Sidecar."""
    asked = {selector for selector, _ in index.policy_selectors.get(namespace, frozenset())}
    return Scope(namespace, wears=worn(asked, labels))


def sidecars_in_force(
    snapshot: MeshSnapshot, index: RuleIndex, namespace: str, labels: Map[str, str]
) -> Iterator[tuple[ObjectRef, Sidecar]]:
    """The narrowest first: one that names the workload, its namespace's, the mesh's. Of several alike the oldest."""
    own = _sidecars(snapshot, index, namespace)
    for ref, spec in own:
        selector = spec.workload_selector
        if selector and all(labels.get(key) == value for key, value in selector.labels.items()):
            yield ref, spec
            break
    root = snapshot.settings.root_namespace
    for found in (own, _sidecars(snapshot, index, root) if root != namespace else []):
        yield from [each for each in found if each[1].workload_selector is None][:1]


def _sidecars(snapshot: MeshSnapshot, index: RuleIndex, namespace: str) -> list[tuple[ObjectRef, Sidecar]]:
    found: list[tuple[ObjectRef, Sidecar]] = []
    for ref in by_age(snapshot, index.sidecars.get(namespace, frozenset())):
        config = snapshot.configs[ref]
        if isinstance(config, Config) and isinstance(config.spec, Sidecar):
            found.append((ref, config.spec))
    return found
