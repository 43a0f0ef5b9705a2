"""What a node may place in the mesh, and which accounts a service may therefore be served under.

A grant comes from the join token the operator minted; nothing a node says widens it. The session server asks
`refusals` before it accepts a registration, the authority asks the very same function before it signs for it:
registering an endpoint and getting an identity need one right, so neither can be had without the other.

**Accepted accounts.** Clients check that a server's identity owns the service it serves. Which accounts own a
service is read from grants: every account that a covering placement names. A placement with account `*`
names none; taking it for "any account of the namespace" would let every workload there pose as every service,
so it counts for the accounts of registrations that were accepted under it, and no others. The trust is the
same (that node was free to choose the account), the set is the smallest that serves.
"""

from collections.abc import Iterable, Mapping
from typing import Final, Protocol

import msgspec

from proa.core.auth.spiffe import CONTROL_PLANE_ACCOUNT, is_dns_label, is_dns_name
from proa.core.model.names import ROOT_NAMESPACE, WorkloadId

ANY: Final = "*"


class Claim(Protocol):
    """What of a registration is a matter of rights: `sidecar.session.Registration` is one.

    `services` are bare names in the namespace of `id`.
    """

    @property
    def id(self) -> WorkloadId: ...
    @property
    def node(self) -> str: ...
    @property
    def account(self) -> str: ...
    @property
    def services(self) -> tuple[str, ...]: ...


class Placement(msgspec.Struct, frozen=True, kw_only=True, order=True):
    """A right: serve `service` of `namespace` under `account`. Each is exact or `*`."""

    namespace: str = ANY
    service: str = ANY
    account: str = ANY

    def __str__(self) -> str:
        return f"{self.namespace}/{self.service}/{self.account}"


class Grant(msgspec.Struct, frozen=True, kw_only=True):
    """All that one node may place. No placement, no right."""

    node: str
    placements: tuple[Placement, ...] = ()


BROAD: Final = (Placement(),)
"""Everything: what `proa up` gives the one node it starts itself."""


def refusals(grant: Grant, claim: Claim) -> tuple[str, ...]:
    """Why the grant's node may not have this workload; empty when it may.

    Each service it serves must be covered together with the account. A workload that serves nothing (a
    client, a gateway) needs a placement with its account, of whatever service: that identity could be had
    anyway. Names that are no DNS names and the control plane's own account are refused whatever the grant says.
    """
    malformed = _malformed(claim)
    if malformed:
        return malformed
    if (claim.id.namespace, claim.account) == (ROOT_NAMESPACE, CONTROL_PLANE_ACCOUNT):
        return (f"account {claim.account} in namespace {claim.id.namespace} is the control plane's own",)
    if claim.node != grant.node:
        return (f"node {grant.node} may not speak for node {claim.node}",)
    here = [each for each in grant.placements if _matches(each.namespace, claim.id.namespace)]
    if not here:
        return (f"node {grant.node} may not place workloads in namespace {claim.id.namespace}",)
    if not claim.services:
        return _account_refusals(grant.node, here, claim, "workload " + claim.id.name)
    found: list[str] = []
    for service in claim.services:
        covering = [each for each in here if _matches(each.service, service)]
        if not covering:
            found.append(
                f"node {grant.node} may not place service {service} in namespace {claim.id.namespace}"
            )
        else:
            found.extend(_account_refusals(grant.node, covering, claim, "service " + service))
    return tuple(found)


def may_place_in(grant: Grant, namespace: str) -> bool:
    return any(_matches(each.namespace, namespace) for each in grant.placements)


def accepted_accounts(
    grants: Mapping[str, Grant], namespace: str, service: str, claims: Iterable[Claim]
) -> tuple[str, ...]:
    """The accounts (of `namespace`) under which clients take servers of the service, sorted.

    `grants` are by node. `claims` are candidates for this service: those that do not serve it, or that
    their node's grant refuses, count for nothing. The module's docstring gives the rule.
    """
    named = {
        placement.account
        for grant in grants.values()
        for placement in grant.placements
        if placement.account != ANY and _covers(placement, namespace, service)
    }
    chosen = {
        claim.account
        for claim in claims
        if claim.id.namespace == namespace
        and service in claim.services
        and (grant := grants.get(claim.node)) is not None
        and not refusals(grant, claim)
    }
    return tuple(sorted(named | chosen))


def parse_placement(text: str) -> Placement:
    """Inverse of str(Placement): `namespace/service/account`, what is left out is `*`.

    Raises ValueError for a part that is neither `*` nor a name.
    """
    parts = text.split("/")
    if len(parts) > 3:
        raise ValueError(f"{text}: a placement is namespace/service/account")
    for part in parts:
        if part != ANY and not is_dns_name(part):
            raise ValueError(f"{text}: {part!r} is neither * nor a name")
    namespace, service, account = (*parts, ANY, ANY)[:3]
    return Placement(namespace=namespace, service=service, account=account)


def _covers(placement: Placement, namespace: str, service: str) -> bool:
    return _matches(placement.namespace, namespace) and _matches(placement.service, service)


def _matches(pattern: str, name: str) -> bool:
    return pattern in (ANY, name)


def _account_refusals(node: str, covering: Iterable[Placement], claim: Claim, what: str) -> tuple[str, ...]:
    if any(_matches(each.account, claim.account) for each in covering):
        return ()
    where = f"in namespace {claim.id.namespace} under account {claim.account}"
    return (f"node {node} may not place {what} {where}",)


def _malformed(claim: Claim) -> tuple[str, ...]:
    """Names end up in hostnames and SPIFFE ids; one that is no name could mean something else there."""
    checks = (
        ("namespace", claim.id.namespace, is_dns_label),
        ("workload", claim.id.name, is_dns_name),
        ("account", claim.account, is_dns_name),
        *(("service", service, is_dns_label) for service in claim.services),
    )
    return tuple(f"{what} {name!r} is not a DNS name" for what, name, holds in checks if not holds(name))
