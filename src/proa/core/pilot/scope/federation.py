"""Which partners' trust domains are believed in a namespace, and how far a workload's policies speak of them. Reads
only what the index names.
"""

from collections.abc import Iterator

from proa.core.auth.federation import Federation, Named, accepted, federations, named, notes, partner_of
from proa.core.auth.spiffe import SCHEME
from proa.core.config.config import Config
from proa.core.model.notes import Note
from proa.core.model.service import Service
from proa.core.model.snapshot import MeshSnapshot
from proa.core.model.workload import Workload
from proa.core.pilot.scope.authorization import AuthorizationView, trust_domains
from proa.core.pilot.scope.index import RuleIndex


def federated(snapshot: MeshSnapshot, index: RuleIndex) -> tuple[Federation, ...]:
    """Those in force in the mesh."""
    return federations(_configs(snapshot, index), trust_domains(snapshot.settings).names)


def federation_notes(snapshot: MeshSnapshot, index: RuleIndex) -> tuple[Note, ...]:
    return tuple(notes(_configs(snapshot, index), trust_domains(snapshot.settings).names))


def _configs(snapshot: MeshSnapshot, index: RuleIndex) -> Iterator[Config]:
    found = (snapshot.configs[ref] for ref in index.federated)
    return (config for config in found if isinstance(config, Config))


def accepted_in(snapshot: MeshSnapshot, index: RuleIndex, namespace: str) -> tuple[str, ...]:
    return accepted(federated(snapshot, index), namespace) if index.federated else ()


def partners_of(
    snapshot: MeshSnapshot, index: RuleIndex, workload: Workload, policies: AuthorizationView
) -> tuple[Named, ...]:
    """The accepted trust domains with what the workload's policies, of all of its ports, say of them."""
    domains = accepted_in(snapshot, index, workload.id.namespace)
    if not domains:
        return ()
    every = (*policies.everywhere, *(each for port in policies.ports.values() for each in port))
    return named(every, domains)


def partner_behind(snapshot: MeshSnapshot, index: RuleIndex, namespace: str, service: Service | None) -> str:
    """The partner whose workloads a service is, to clients of a namespace; "" for everything else."""
    if service is None or not index.federated:
        return ""
    accounts = [account for account in service.accounts if account.startswith(SCHEME)]
    own = tuple(f"{SCHEME}{name}/" for name in trust_domains(snapshot.settings).names)
    if not accounts or accounts[0].startswith(own):
        return ""
    return partner_of(accounts, accepted_in(snapshot, index, namespace))
