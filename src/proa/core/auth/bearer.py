"""Which identity a reviewed token's subject has in this mesh: what the operator wrote, and nothing else.

A token proves who somebody is to its issuer. That he is a workload of ours, and which, is said by rules; a subject
without a rule has no identity here. The control plane's own account is given to nobody.
"""

from typing import Final

import msgspec

from proa.core.auth.spiffe import (
    CONTROL_PLANE_ACCOUNT,
    InvalidSpiffeId,
    SpiffeId,
    is_dns_label,
    is_dns_name,
    workload_dns_name,
    workload_id,
)
from proa.core.model.names import ROOT_NAMESPACE, WorkloadId

SERVICE_ACCOUNT: Final = "system:serviceaccount:"


class SubjectRules(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`accounts`: a subject as the issuer spells it -> `namespace/account`. `namespaces`: those whose Kubernetes
    service accounts (`system:serviceaccount:<namespace>:<name>`) are the mesh's accounts of the same name; `*`: all."""

    accounts: dict[str, str] = {}
    namespaces: tuple[str, ...] = ()


class Bearer(msgspec.Struct, frozen=True, kw_only=True):
    """`names` are the DNS names of the certificate: the workload's, where the token says which it is."""

    identity: SpiffeId
    names: tuple[str, ...] = ()


def bearer_of(rules: SubjectRules, subject: str, workload: str, trust_domain: str) -> Bearer | None:
    """None when no rule gives the subject an identity, or the one it gives cannot be."""
    found = _account_of(rules, subject)
    if found is None:
        return None
    namespace, account = found
    if not is_dns_label(namespace) or not is_dns_name(account):
        return None
    if (namespace, account) == (ROOT_NAMESPACE, CONTROL_PLANE_ACCOUNT):
        return None
    try:
        identity = workload_id(trust_domain, namespace, account)
        names = (workload_dns_name(WorkloadId(namespace, workload), trust_domain),) if workload else ()
    except (InvalidSpiffeId, ValueError):
        return None
    return Bearer(identity=identity, names=names)


def _account_of(rules: SubjectRules, subject: str) -> tuple[str, str] | None:
    named = rules.accounts.get(subject)
    if named is not None:
        namespace, slash, account = named.partition("/")
        return (namespace, account) if slash else None
    if not subject.startswith(SERVICE_ACCOUNT):
        return None
    namespace, colon, account = subject.removeprefix(SERVICE_ACCOUNT).partition(":")
    if not colon or not ({namespace, "*"} & set(rules.namespaces)):
        return None
    return namespace, account
