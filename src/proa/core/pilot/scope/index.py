"""Reverse indexes: from a change to the hosts, gateways and workloads it concerns, and to nothing else.

`reindex` takes the snapshots before and after a fold with what the fold touched; it reads only what those name.
"""

from collections.abc import Iterable, Iterator
from typing import Final, TypeVar

import msgspec
from immutables import Map, MapMutation

from proa.core.auth.authorization.in_force import selectors_of_policy
from proa.core.auth.end_users import sources_of
from proa.core.config.config import Config
from proa.core.config.gateway_api.gateway_schema import GATEWAY_NAME_LABEL
from proa.core.config.kinds.authorization_policy.schema import AuthorizationPolicy
from proa.core.config.kinds.destination_rule.schema import DestinationRule
from proa.core.config.kinds.envoy_filter.schema import EnvoyFilter
from proa.core.config.kinds.federated_trust_domain.schema import EVERY_NAMESPACE, FederatedTrustDomain
from proa.core.config.kinds.gateway.schema import Gateway
from proa.core.config.kinds.proxy_config.schema import ProxyConfig
from proa.core.config.kinds.rbac_2018.schema import RbacConfig, ServiceRole, ServiceRoleBinding
from proa.core.config.kinds.request_authentication.schema import RequestAuthentication
from proa.core.config.kinds.sidecar.schema import Sidecar
from proa.core.config.kinds.telemetry.schema import Telemetry
from proa.core.config.kinds.virtual_service.delegation import delegates_of, merged
from proa.core.config.kinds.virtual_service.schema import Destination, HttpRoute, VirtualService
from proa.core.mixer.plan.in_force import is_mixers
from proa.core.model.names import DOMAIN_SUFFIX, ObjectRef, WorkloadId, expand_host
from proa.core.model.snapshot import MeshSnapshot, Touched
from proa.core.model.token_keys import KeySource
from proa.core.pilot.scope.selectors import Labels, labels_of, matches_of, selectors_of

K = TypeVar("K")
M = TypeVar("M")

MESH_GATEWAY: Final = "mesh"
"""The reserved name by which a VirtualService binds to all sidecars."""


class Affected(msgspec.Struct, frozen=True, kw_only=True):
    """`hosts`: views of these differ; `endpoints`: only who stands behind them; `edge`: gateway objects or rules bound
    to gateways; `nodes`: the set of addresses that run sidecars; `clients`: which labels rules ask for; `scopes`:
    namespaces whose workloads may be of another scope now; `targets`: hosts that rules begin or cease to send to,
    which is news to scopes that see them by those rules alone; `patches`: EnvoyFilters; `revoked`: whom every inbound
    side refuses; `policies`: authorization policies and rules of tokens, as the namespaces they are of (empty: every
    one) and the labels they ask for; `mixer`: Mixer's objects; `control_planes`: where proxies ask them."""

    hosts: frozenset[str] = frozenset()
    endpoints: frozenset[str] = frozenset()
    workloads: frozenset[WorkloadId] = frozenset()
    edge: bool = False
    settings: bool = False
    nodes: bool = False
    clients: bool = False
    scopes: frozenset[str] = frozenset()
    targets: frozenset[str] = frozenset()
    patches: bool = False
    revoked: bool = False
    policies: frozenset[tuple[str, Labels]] = frozenset()
    mixer: bool = False
    control_planes: bool = False


class RuleIndex(msgspec.Struct, frozen=True, kw_only=True):
    """By host (full name or wildcard): the rules that name it. `mentions`: a destination's host to the rule hosts that
    send there. `edge_rules`: VirtualServices bound to a gateway. `nodes`: sidecars per host address. `selectors`: the
    labels that rules ask of clients, with the rules. `sidecars`: by namespace; `policy_selectors`: by namespace the
    labels that DestinationRules ask of clients, with the rules. `roots`: by VirtualService those that hand on to it,
    by whose rules (merged with its own) they are in this index. `authorization`: by namespace its policies and roles;
    `rbac_configs`: 2018's switches; `label_roles`: bindings of roles that ask for labels of callers. `end_users`: by
    namespace the rules of tokens; `token_keys`: those that need the keys of a source. `federated`: partners' trust
    domains. `telemetries`: by namespace. `mixer`: all that a plan of Mixer's is made of."""

    virtual_services: Map[str, frozenset[ObjectRef]] = msgspec.field(default_factory=Map)
    destination_rules: Map[str, frozenset[ObjectRef]] = msgspec.field(default_factory=Map)
    mentions: Map[str, frozenset[str]] = msgspec.field(default_factory=Map)
    edge_rules: frozenset[ObjectRef] = frozenset()
    gateways: frozenset[ObjectRef] = frozenset()
    envoy_filters: frozenset[ObjectRef] = frozenset()
    proxy_configs: frozenset[ObjectRef] = frozenset()
    nodes: Map[str, int] = msgspec.field(default_factory=Map)
    selectors: Map[Labels, frozenset[ObjectRef]] = msgspec.field(default_factory=Map)
    sidecars: Map[str, frozenset[ObjectRef]] = msgspec.field(default_factory=Map)
    policy_selectors: Map[str, frozenset[tuple[Labels, ObjectRef]]] = msgspec.field(default_factory=Map)
    roots: Map[ObjectRef, frozenset[ObjectRef]] = msgspec.field(default_factory=Map)
    authorization: Map[str, frozenset[ObjectRef]] = msgspec.field(default_factory=Map)
    rbac_configs: frozenset[ObjectRef] = frozenset()
    label_roles: frozenset[ObjectRef] = frozenset()
    end_users: Map[str, frozenset[ObjectRef]] = msgspec.field(default_factory=Map)
    token_keys: Map[KeySource, frozenset[ObjectRef]] = msgspec.field(default_factory=Map)
    federated: frozenset[ObjectRef] = frozenset()
    telemetries: Map[str, frozenset[ObjectRef]] = msgspec.field(default_factory=Map)
    mixer: frozenset[ObjectRef] = frozenset()


def by_age(snapshot: MeshSnapshot, refs: Iterable[ObjectRef]) -> list[ObjectRef]:
    """The oldest first, those of one age by their names: whatever several objects decide is decided in this order."""
    return sorted(refs, key=lambda ref: snapshot.configs[ref].age)


def bound_to_mesh(spec: VirtualService) -> bool:
    """Whether any of its rules may be for sidecars."""
    return MESH_GATEWAY in _gateways_of(spec)


def bound_to_gateways(spec: VirtualService) -> bool:
    return bool(_gateways_of(spec) - {MESH_GATEWAY})


def _gateways_of(spec: VirtualService) -> set[str]:
    """As its rules write them. What the object says holds for each match that says nothing of its own."""
    own = {name for match in matches_of(spec) for name in match.gateways}
    return own | set(spec.gateways or (MESH_GATEWAY,))


def destinations_of(spec: VirtualService, namespace: str) -> frozenset[str]:
    """The full host names its rules send to, copies included."""
    requests = [destination for rule in spec.http for destination in _named_by(rule)]
    routes = [*(rule.route for rule in spec.tls), *(rule.route for rule in spec.tcp)]
    streams = [each.destination for route in routes for each in route]
    return frozenset(expand_host(each.host, namespace) for each in (*requests, *streams))


def _named_by(rule: HttpRoute) -> Iterator[Destination]:
    yield from (target.destination for target in rule.route)
    yield from (mirror.destination for mirror in rule.mirrors)
    if rule.mirror is not None:
        yield rule.mirror


def matching_hosts(pattern: str, hosts: Iterable[str]) -> frozenset[str]:
    """The hosts a rule's host covers: itself, or for `*.foo` all that end so (`*`: all)."""
    if not pattern.startswith("*"):
        return frozenset((pattern,))
    return frozenset(host for host in hosts if host.endswith(pattern[1:])) | {pattern}


def reindex(
    index: RuleIndex, before: MeshSnapshot, after: MeshSnapshot, touched: Touched
) -> tuple[RuleIndex, Affected]:
    """The index of `after`, and what of the views must be looked at again."""
    rules = _Rules(index)
    hosts: set[str] = set()
    policies: set[str] = set()
    scopes: set[str] = set()
    targets: set[str] = set()
    selected: set[tuple[str, Labels]] = set()
    edge = patches = False
    mixer = before.settings.root_namespace != after.settings.root_namespace
    exports_differ = before.settings.rule_export_to != after.settings.rule_export_to
    for ref in _with_roots(index, touched.configs, everyone=exports_differ):
        for snapshot, joins in ((before, False), (after, True)):
            config = snapshot.configs.get(ref)
            if not isinstance(config, Config):
                continue
            match config.spec:
                case VirtualService() as written:
                    spec = _in_force(snapshot, ref, written)
                    for delegate in delegates_of(ref, written):
                        _index(rules.roots, delegate, ref, joins)
                    if not spec.hosts:
                        continue
                    edge = edge or bound_to_gateways(spec)
                    hosts |= rules.virtual_service(config, spec, after, joins)
                    targets |= destinations_of(spec, ref.namespace) if bound_to_mesh(spec) else frozenset()
                case DestinationRule() as spec:
                    named = expand_host(spec.host, config.meta.namespace)
                    _index(rules.destination_rules, named, ref, joins)
                    policies |= matching_hosts(named, after.services)
                    if spec.workload_selector is not None:
                        asked = labels_of(spec.workload_selector.match_labels)
                        scopes.add(ref.namespace)
                        _index(rules.policy_selectors, ref.namespace, (asked, ref), joins)
                case Gateway():
                    edge = True
                    rules.gateways = rules.gateways | {ref} if joins else rules.gateways - {ref}
                case Sidecar():
                    scopes.add(ref.namespace)
                    _index(rules.sidecars, ref.namespace, ref, joins)
                case Telemetry():
                    scopes.add(ref.namespace)
                    _index(rules.telemetries, ref.namespace, ref, joins)
                case ProxyConfig():
                    before_it = rules.proxy_configs
                    rules.proxy_configs = before_it | {ref} if joins else before_it - {ref}
                case EnvoyFilter():
                    patches = True
                    known = rules.envoy_filters
                    rules.envoy_filters = known | {ref} if joins else known - {ref}
                case AuthorizationPolicy() | ServiceRole() | ServiceRoleBinding() | RbacConfig():
                    selected |= rules.authorize(config, joins)
                    if is_mixers(config.spec):
                        mixer = True
                        rules.mixer = rules.mixer | {ref} if joins else rules.mixer - {ref}
                case FederatedTrustDomain() as partner:
                    selected |= rules.federate(ref, partner, joins)
                    hosts |= _of_partner(partner.trust_domain, after)
                case RequestAuthentication() as users:
                    selected |= rules.authenticate(ref, users, joins)
                case spec if is_mixers(spec):
                    mixer = True
                    rules.mixer = rules.mixer | {ref} if joins else rules.mixer - {ref}
                case _:
                    pass
    if touched.workloads:
        selected |= {(ref.namespace, ()) for ref in rules.label_roles}
    for ref in rules.that_need(touched.key_sets):
        needy = after.configs[ref].spec
        assert isinstance(needy, RequestAuthentication)
        selected |= {(ref.namespace, labels) for labels in labels_asked(needy)}
    nodes_changed = rules.nodes_of(before, after, touched)
    destinations = policies | touched.services
    following = rules.finish()
    hosts |= destinations
    for host in destinations:
        for named in following.mentions.get(host, frozenset()):
            hosts |= matching_hosts(named, after.services)
    for host in touched.services:
        if host.startswith("*"):
            hosts |= {name for name in following.virtual_services if name.endswith(host[1:])}
    for host in tuple(hosts):
        hosts |= _shadowed(host, after.services)
    dns = {host for host in touched.endpoints if _is_inline(after, host)}
    return following, Affected(
        hosts=frozenset(hosts | dns),
        endpoints=touched.endpoints | frozenset(policies) | touched.services,
        workloads=touched.workloads,
        edge=edge,
        settings=touched.settings,
        nodes=nodes_changed,
        clients=set(index.selectors) != set(following.selectors),
        scopes=frozenset(scopes),
        targets=frozenset(targets),
        patches=patches,
        revoked=touched.revoked,
        policies=frozenset(selected),
        mixer=mixer,
        control_planes=touched.control_planes,
    )


def _of_partner(trust_domain: str, snapshot: MeshSnapshot) -> frozenset[str]:
    """The services whose servers are of that domain. All are looked at: partners come and go rarely."""
    prefix = f"spiffe://{trust_domain}/"
    return frozenset(
        host
        for host, service in snapshot.services.items()
        if any(account.startswith(prefix) for account in service.accounts)
    )


def _in_force(snapshot: MeshSnapshot, ref: ObjectRef, spec: VirtualService) -> VirtualService:
    return merged(snapshot.configs, ref, spec, snapshot.settings.rule_export_to).spec


def _with_roots(index: RuleIndex, touched: frozenset[ObjectRef], *, everyone: bool) -> frozenset[ObjectRef]:
    """What a delegate says is what its roots say; `everyone`: who sees delegates may be others."""
    if not index.roots:
        return touched
    if everyone:
        return touched.union(*index.roots.values())
    return touched.union(*(index.roots.get(ref, frozenset()) for ref in touched))


def _shadowed(host: str, services: Iterable[str]) -> frozenset[str]:
    """The services that may have `host` as a short spelling of their name, and lose it to the host itself."""
    if host.startswith("*") or host.endswith("." + DOMAIN_SUFFIX):
        return frozenset()
    dots = host.count(".")
    if dots == 0:
        return frozenset(
            name for name in services if name.startswith(f"{host}.") and name.endswith(DOMAIN_SUFFIX)
        )
    if dots == 1:
        return frozenset((f"{host}.{DOMAIN_SUFFIX}",))
    return frozenset((f"{host.removesuffix('.svc')}.{DOMAIN_SUFFIX}",)) if dots == 2 else frozenset()


def _is_inline(snapshot: MeshSnapshot, host: str) -> bool:
    """A DNS service's addresses are part of its cluster."""
    service = snapshot.services.get(host)
    return service is not None and service.is_looked_up


class _Rules:
    """The index while it is being changed."""

    def __init__(self, index: RuleIndex) -> None:
        self.virtual_services = index.virtual_services.mutate()
        self.destination_rules = index.destination_rules.mutate()
        self.mentions = index.mentions.mutate()
        self.edge_rules = index.edge_rules
        self.gateways = index.gateways
        self.envoy_filters = index.envoy_filters
        self.proxy_configs = index.proxy_configs
        self.nodes = index.nodes
        self.selectors = index.selectors.mutate()
        self.sidecars = index.sidecars.mutate()
        self.policy_selectors = index.policy_selectors.mutate()
        self.authorization = index.authorization.mutate()
        self.rbac_configs = index.rbac_configs
        self.label_roles = index.label_roles
        self.roots = index.roots.mutate()
        self.end_users = index.end_users.mutate()
        self.token_keys = index.token_keys.mutate()
        self.telemetries = index.telemetries.mutate()
        self.federated = index.federated
        self.mixer = index.mixer

    def federate(self, ref: ObjectRef, spec: FederatedTrustDomain, joins: bool) -> set[tuple[str, Labels]]:
        """Of whom a partner's identities are believed."""
        self.federated = self.federated | {ref} if joins else self.federated - {ref}
        return {("" if name == EVERY_NAMESPACE else name, ()) for name in spec.namespaces}

    def authenticate(
        self, ref: ObjectRef, spec: RequestAuthentication, joins: bool
    ) -> set[tuple[str, Labels]]:
        """For whom rules of tokens are."""
        _index(self.end_users, ref.namespace, ref, joins)
        for source in sources_of(spec):
            _index(self.token_keys, source, ref, joins)
        return {(ref.namespace, labels) for labels in labels_asked(spec)}

    def that_need(self, sources: Iterable[KeySource]) -> frozenset[ObjectRef]:
        return frozenset(
            ref for source in sources for ref in self.token_keys.get(source, frozenset[ObjectRef]())
        )

    def authorize(self, config: Config, joins: bool) -> set[tuple[str, Labels]]:
        """For whom a policy or role is."""
        ref, spec = config.ref, config.spec
        _index(self.authorization, ref.namespace, ref, joins)
        match spec:
            case AuthorizationPolicy():
                return {(ref.namespace, labels) for labels in selectors_of_policy(spec)}
            case RbacConfig():
                self.rbac_configs = self.rbac_configs | {ref} if joins else self.rbac_configs - {ref}
                return {("", ())}
            case ServiceRoleBinding() if _asks_for_labels(spec):
                self.label_roles = self.label_roles | {ref} if joins else self.label_roles - {ref}
        return {(ref.namespace, ())}

    def virtual_service(
        self, config: Config, spec: VirtualService, after: MeshSnapshot, joins: bool
    ) -> set[str]:
        ref, namespace = config.ref, config.meta.namespace
        if bound_to_gateways(spec):
            self.edge_rules = self.edge_rules | {ref} if joins else self.edge_rules - {ref}
        if not bound_to_mesh(spec):
            return set()
        for selector in selectors_of(spec):
            _index(self.selectors, selector, ref, joins)
        hosts: set[str] = set()
        for host in spec.hosts:
            named = expand_host(host, namespace)
            _index(self.virtual_services, named, ref, joins)
            hosts |= matching_hosts(named, after.services)
            for destination in destinations_of(spec, namespace):
                # Counting who else mentions it would cost an index of counts; a mention too many is harmless.
                _index(
                    self.mentions,
                    destination,
                    named,
                    joins or self._still_mentions(named, destination, after),
                )
        return hosts

    def _still_mentions(self, host: str, destination: str, after: MeshSnapshot) -> bool:
        for ref in self.virtual_services.get(host, frozenset()):
            config = after.configs.get(ref)
            if isinstance(config, Config) and isinstance(config.spec, VirtualService):
                if destination in destinations_of(_in_force(after, ref, config.spec), ref.namespace):
                    return True
        return False

    def nodes_of(self, before: MeshSnapshot, after: MeshSnapshot, touched: Touched) -> bool:
        counts = self.nodes.mutate()
        for workload_id in touched.workloads:
            for snapshot, step in ((before, -1), (after, 1)):
                workload = snapshot.workloads.get(workload_id)
                if workload is not None:
                    count = counts.get(workload.bind, 0) + step
                    if count:
                        counts[workload.bind] = count
                    else:
                        counts.pop(workload.bind, None)
        previous, self.nodes = self.nodes, counts.finish()
        return set(previous) != set(self.nodes)

    def finish(self) -> RuleIndex:
        return RuleIndex(
            virtual_services=self.virtual_services.finish(),
            destination_rules=self.destination_rules.finish(),
            mentions=self.mentions.finish(),
            edge_rules=self.edge_rules,
            gateways=self.gateways,
            envoy_filters=self.envoy_filters,
            proxy_configs=self.proxy_configs,
            nodes=self.nodes,
            selectors=self.selectors.finish(),
            sidecars=self.sidecars.finish(),
            policy_selectors=self.policy_selectors.finish(),
            authorization=self.authorization.finish(),
            rbac_configs=self.rbac_configs,
            label_roles=self.label_roles,
            roots=self.roots.finish(),
            end_users=self.end_users.finish(),
            token_keys=self.token_keys.finish(),
            federated=self.federated,
            telemetries=self.telemetries.finish(),
            mixer=self.mixer,
        )


def _asks_for_labels(spec: ServiceRoleBinding) -> bool:
    return any(key.startswith("source.labels[") for subject in spec.subjects for key in subject.properties)


def labels_asked(spec: RequestAuthentication) -> tuple[Labels, ...]:
    """The labels by which it picks workloads, any of them; none for a target that is no proxy of ours."""
    targets = (*spec.target_refs, *((spec.target_ref,) if spec.target_ref else ()))
    if targets:
        return tuple(((GATEWAY_NAME_LABEL, each.name),) for each in targets if each.kind == "Gateway")
    return (labels_of(spec.selector.match_labels if spec.selector else {}),)


def _index(mutation: MapMutation[K, frozenset[M]], key: K, member: M, joins: bool) -> None:
    members = mutation.get(key, frozenset())
    changed = members | {member} if joins else members - {member}
    if changed:
        mutation[key] = changed
    else:
        mutation.pop(key, None)
