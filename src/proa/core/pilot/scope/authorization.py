"""Which authorization policies are in force for a workload: one structure, for its whole inbound side and for each
port.

AuthorizationPolicies of the root namespace and of the workload's own that select it, by label or as a Gateway's proxy;
roles of 2018 of its own namespace where an RbacConfig is on for the port's service. Reads only what the index names.
"""

from collections.abc import Iterator

import msgspec
from immutables import Map

from proa.core.auth.authorization.custom import obeyable
from proa.core.auth.authorization.in_force import selecting, wears
from proa.core.auth.authorization.reading import TrustDomains, read_policy
from proa.core.auth.authorization.roles import Server, matches, read_roles
from proa.core.auth.authorization.values import Policy, Value
from proa.core.config.config import Config
from proa.core.config.kinds.rbac_2018.schema import RbacConfig, ServiceRole, ServiceRoleBinding
from proa.core.model.names import ObjectRef, expand_host
from proa.core.model.notes import Note
from proa.core.model.settings import MeshSettings
from proa.core.model.snapshot import MeshSnapshot
from proa.core.model.workload import Workload
from proa.core.pilot.scope.index import RuleIndex
from proa.core.pilot.scope.selectors import Labels


class AuthorizationView(msgspec.Struct, frozen=True, kw_only=True):
    """`everywhere` holds for every port; `ports` has what 2018's roles add to a service port."""

    everywhere: tuple[Policy, ...] = ()
    ports: Map[int, tuple[Policy, ...]] = Map()
    notes: tuple[Note, ...] = ()

    def at(self, port: int) -> tuple[Policy, ...]:
        return self.everywhere + self.ports.get(port, ())


def authorization_view(snapshot: MeshSnapshot, index: RuleIndex, workload: Workload) -> AuthorizationView:
    if not index.authorization:
        return AuthorizationView()
    domains = trust_domains(snapshot.settings)
    everywhere = tuple(read_policy(config, domains) for config in _selecting(snapshot, index, workload))
    notes = tuple(_notes(everywhere, snapshot.settings))
    ports = dict(_roles_of_ports(snapshot, index, workload, domains))
    return AuthorizationView(everywhere=everywhere, ports=Map(ports), notes=notes)


def trust_domains(settings: MeshSettings) -> TrustDomains:
    return TrustDomains(own=settings.trust_domain, aliases=settings.trust_domain_aliases)


def selects(selected: frozenset[tuple[str, Labels]], workload: Workload, root_namespace: str) -> bool:
    """Whether policies of these namespaces and selectors are for a workload."""
    return any(
        namespace in ("", workload.id.namespace, root_namespace) and wears(workload.labels, labels)
        for namespace, labels in selected
    )


def _selecting(snapshot: MeshSnapshot, index: RuleIndex, workload: Workload) -> tuple[Config, ...]:
    root = snapshot.settings.root_namespace
    refs = {
        ref for namespace in {root, workload.id.namespace} for ref in index.authorization.get(namespace, ())
    }
    found = (snapshot.configs[ref] for ref in refs)
    configs = (config for config in found if isinstance(config, Config))
    return selecting(configs, workload.id.namespace, workload.labels, root)


def _notes(policies: tuple[Policy, ...], settings: MeshSettings) -> Iterator[Note]:
    kept = {policy.ref for policy in obeyable(policies, settings.check_providers).policies if policy.provider}
    for policy in policies:
        if policy.action == "CUSTOM" and policy.ref not in kept:
            message = (
                f"everything is refused where it holds: there is no provider {policy.provider} in the mesh's"
                " settings, or policies of one workload name several"
            )
            yield Note(code="custom-provider-missing", about=policy.ref, message=message)


def _roles_of_ports(
    snapshot: MeshSnapshot, index: RuleIndex, workload: Workload, domains: TrustDomains
) -> Iterator[tuple[int, tuple[Policy, ...]]]:
    """Gateways serve no service, so no role is for them."""
    near = _old(snapshot, index.authorization.get(workload.id.namespace, frozenset()))
    switches = _old(snapshot, index.rbac_configs)
    if not switches:
        return
    configs = {config.ref: config for config in (*near, *switches)}
    for port in workload.inbound:
        server = Server(
            service=expand_host(port.service, workload.id.namespace),
            workload=workload.id.name,
            namespace=workload.id.namespace,
            principal=f"{domains.own}/ns/{workload.id.namespace}/sa/{workload.account.rpartition('/')[2]}",
            labels=workload.labels,
        )

        def wearing(key: str, value: Value) -> tuple[str, ...]:
            return tuple(
                sorted(
                    f"{each.id.name}.{each.id.namespace}"
                    for each in snapshot.workloads.values()
                    if key in each.labels and matches(each.labels[key], value)
                )
            )

        found = read_roles(configs.values(), server, domains, wearing)
        if found:
            yield port.service_port, found


def _old(snapshot: MeshSnapshot, refs: frozenset[ObjectRef]) -> list[Config]:
    found = (snapshot.configs[ref] for ref in sorted(refs))
    return [
        config
        for config in found
        if isinstance(config, Config)
        and isinstance(config.spec, ServiceRole | ServiceRoleBinding | RbacConfig)
    ]
