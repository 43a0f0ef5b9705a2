"""The DestinationRules that hold for one host and one scope, joined to a policy, with what BackendTLSPolicies add.

Called by `views`.
"""

from collections.abc import Iterator

import msgspec
from immutables import Map

from proa.core.config.export_to import sees, visible_in
from proa.core.config.kinds.destination_rule.schema import (
    ClientTls,
    DerivedTls,
    DestinationRule,
    Subset,
    TrafficPolicy,
)
from proa.core.model.names import ObjectRef
from proa.core.model.service import Service
from proa.core.model.snapshot import MeshSnapshot
from proa.core.pilot.scope.index import RuleIndex, by_age
from proa.core.pilot.scope.scope import Scope
from proa.core.pilot.scope.selectors import labels_of


class Policy(msgspec.Struct, frozen=True, kw_only=True):
    """The DestinationRules for one host, joined: the oldest traffic policy wins, subsets are added up. `tls`: of which
    port (0: of all others) callers begin TLS with, when nothing else is said."""

    refs: tuple[ObjectRef, ...]
    traffic: TrafficPolicy | None
    subsets: tuple[Subset, ...]
    tls: tuple[tuple[int, ClientTls], ...] = ()

    def tls_at(self, port: int) -> ClientTls | None:
        by_port = dict(self.tls)
        return by_port.get(port, by_port.get(0))


def policy_of(snapshot: MeshSnapshot, index: RuleIndex, scope: Scope, service: Service) -> Policy | None:
    """Istio's look-up: the client's namespace, there first what is for the client by its labels, then the service's
    namespace, then the root namespace."""
    written = _written_policy(snapshot, index, scope, service)
    derived = dict(_derived_tls(snapshot, index, service))
    if not derived:
        return written
    plain = written or Policy(refs=(), traffic=None, subsets=())
    refs = (*plain.refs, *(ref for ref, _ in derived.values()))
    tls = tuple(sorted((port, tls) for port, (_, tls) in derived.items()))
    return msgspec.structs.replace(plain, refs=tuple(dict.fromkeys(refs)), tls=tls)


def _derived_tls(
    snapshot: MeshSnapshot, index: RuleIndex, service: Service
) -> Iterator[tuple[int, tuple[ObjectRef, ClientTls]]]:
    """By port, what the service's own namespace says of its TLS. A port that it does not have is nobody's."""
    numbers = {port.name: port.number for port in service.ports} | {"": 0}
    for ref in sorted(index.destination_rules.get(service.hostname, frozenset())):
        spec = snapshot.configs[ref].spec
        if isinstance(spec, DerivedTls) and ref.namespace == service.namespace and spec.port_name in numbers:
            assert spec.traffic_policy is not None
            assert spec.traffic_policy.tls is not None
            yield numbers[spec.port_name], (ref, spec.traffic_policy.tls)


def _written_policy(
    snapshot: MeshSnapshot, index: RuleIndex, scope: Scope, service: Service
) -> Policy | None:
    lookup = dict.fromkeys((scope.namespace, service.namespace, snapshot.settings.root_namespace))
    for name in candidates(index.destination_rules, service.hostname):
        for namespace in lookup:
            chosen: list[tuple[ObjectRef, DestinationRule]] = []
            others: list[tuple[ObjectRef, DestinationRule]] = []
            for ref in by_age(snapshot, index.destination_rules[name]):
                spec = snapshot.configs[ref].spec
                if ref.namespace != namespace or not isinstance(spec, DestinationRule):
                    continue
                if isinstance(spec, DerivedTls):
                    continue
                if spec.workload_selector is None:
                    if is_visible(spec.export_to or snapshot.settings.policy_export_to, ref.namespace, scope):
                        others.append((ref, spec))
                elif (
                    namespace == scope.namespace
                    and labels_of(spec.workload_selector.match_labels) in scope.wears
                ):
                    chosen.append((ref, spec))
            if chosen or others:
                return _join(chosen or others)
    return None


def _join(rules: list[tuple[ObjectRef, DestinationRule]]) -> Policy:
    subsets: dict[str, Subset] = {}
    traffic: TrafficPolicy | None = None
    for _, rule in rules:
        traffic = traffic or rule.traffic_policy
        for subset in rule.subsets:
            subsets.setdefault(subset.name, subset)
    return Policy(refs=tuple(ref for ref, _ in rules), traffic=traffic, subsets=tuple(subsets.values()))


def is_visible(export_to: tuple[str, ...], owner: str, scope: Scope) -> bool:
    return sees(visible_in(export_to, owner), scope.namespace)


def candidates(index: Map[str, frozenset[ObjectRef]], host: str, *, exact: bool = False) -> Iterator[str]:
    """Names that rules have for a host, the most exact first: itself, then (unless `exact`) the longest wildcard, then
    `*`."""
    wildcards = () if exact else (f"*{host[cut:]}" for cut in range(1, len(host) + 1))
    for name in dict.fromkeys((host, *wildcards)):
        if name in index:
            yield name
