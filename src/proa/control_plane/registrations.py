"""Registered workloads: what the nodes say they run, checked against what they may place.

Owner of all registrations. It turns them into changes for the world and into answers for the nodes, and publishes
where the TLS modes of their ports stand. A node whose session ended keeps its workloads for a while: a short break of
the line is no reason to take endpoints from anybody.
"""

import asyncio
from collections.abc import Callable, Iterable, Mapping
from itertools import count
from types import MappingProxyType
from typing import Final

import msgspec
from immutables import Map

from proa.control_plane.limits import Limits
from proa.control_plane.port_modes import PortKey, PortModes
from proa.control_plane.proxies import Proxies
from proa.control_plane.scope_bundle import Name
from proa.control_plane.world import World
from proa.core.auth.denial import Denial
from proa.core.auth.grants import Grant, accepted_accounts, may_place_in, refusals
from proa.core.auth.revocation import refusal
from proa.core.auth.spiffe import node_id, workload_dns_name, workload_id
from proa.core.config.config import Config
from proa.core.model.names import ObjectRef, WorkloadId
from proa.core.model.revoked import Revoked
from proa.core.model.snapshot import Change, Contribution
from proa.core.pilot.registry.registration import contribution_of_registration, workload_source
from proa.core.pilot.scope.index import Affected
from proa.core.pilot.scope.scope import Scope
from proa.core.sidecar.registration import registration_faults
from proa.core.sidecar.session import (
    DescribeReply,
    DescribeRequest,
    NodeState,
    PlanReply,
    PlanRequest,
    Refusal,
    Registration,
    SessionState,
    WantedPorts,
)
from proa.servers.authority.node import NodeLine

LEASE_S: Final = 30.0
"""How long a silent node's workloads stay: long enough for a control plane or a line to come back."""

Service = tuple[str, str]
_NEVER: Final[Mapping[WorkloadId, int]] = MappingProxyType({})


class _Node(msgspec.Struct):
    """One node's last word. `workloads` by id; `faults` of those that nobody may place; `excess`: those beyond the
    number a node may have, of which nothing else is kept."""

    version: int
    workloads: dict[WorkloadId, Registration]
    faults: dict[WorkloadId, tuple[str, ...]]
    line: NodeLine
    excess: tuple[WorkloadId, ...] = ()
    connected: bool = True
    silent_since: float = 0.0


class Registrations:
    """Owner of the registrations. Every method runs on the event loop and leaves no half-made state.

    A change costs what it touches: the workloads that differ and, where a service's accepted accounts differ,
    the others of that service.
    """

    def __init__(
        self,
        world: World,
        proxies: Proxies,
        clock: Callable[[], float],
        most: int = Limits().workloads_per_node,
        denied: Callable[[Denial, str], None] = lambda reason, node: None,
    ) -> None:
        """A node has at most `most` workloads; the names of others are refused and nothing else of them is kept.
        `denied` counts what a node claims without the right."""
        self._denied = denied
        self._world = world
        self._most = most
        self._proxies = proxies
        self._clock = clock
        self._grants: Map[str, Grant] = Map()
        self._revoked = Revoked()
        self._nodes: dict[str, _Node] = {}
        self._claimants: dict[WorkloadId, list[str]] = {}
        self._accepted: dict[WorkloadId, Registration] = {}
        self._members: dict[Service, set[WorkloadId]] = {}
        self._accounts: dict[Service, tuple[str, ...]] = {}
        self._published: dict[WorkloadId, Contribution] = {}
        self._news = asyncio.Event()
        self._since: dict[tuple[WorkloadId, str], int] = {}
        self.stamp: Callable[[], int] = count(1).__next__
        self.modes = PortModes(world, proxies, MappingProxyType(self._accepted))
        world.subscribe(self._on_round)

    async def answers_changed(self) -> None:
        """Returns when what a node should know may differ from what it was at the call."""
        await self._news.wait()

    def tell(self) -> None:
        """What nodes should know may differ, for a reason that is not in here."""
        self._news.set()
        self._news = asyncio.Event()

    def _on_round(
        self,
        generation: int,
        affected: Affected,
        scopes: Mapping[Scope, set[Name]],
        workloads: Mapping[WorkloadId, set[Name]],
    ) -> None:
        """Gateway objects and Sidecars may ask for other ports now."""
        if affected.edge or affected.workloads or affected.scopes or affected.settings:
            self.tell()

    # -- what nodes say --

    def heard(
        self, line: NodeLine, state: NodeState, since: Mapping[WorkloadId, int] = _NEVER
    ) -> SessionState:
        """A node told everything it runs. The answer says of each workload whether it was taken, and why not.

        `since` says when the node first claimed each, where that is known from before or from elsewhere: the lowest
        number came first. What is claimed for the first time is stamped now.
        """
        node = line.node
        known = self._nodes.get(node)
        previous = known.workloads if known else {}
        following, excess = self._counted(state.workloads, previous)
        is_elsewhere = known is not None and known.line.is_local != line.is_local
        changed = {
            workload
            for workload in {*previous, *following}
            if is_elsewhere or previous.get(workload) != following.get(workload)
        }
        faults = {id: found for id, found in known.faults.items() if id not in changed} if known else {}
        for workload in changed & following.keys():
            found = registration_faults(following[workload], from_this_host=line.is_local)
            if found:
                faults[workload] = found
            self._count_denials(node, following[workload])
        self._nodes[node] = _Node(
            version=state.version, workloads=following, faults=faults, line=line, excess=excess
        )
        for workload in {*changed, *(since.keys() & following.keys())}:
            if self._claim(node, workload, workload in following, since.get(workload)):
                changed.add(workload)
        self._review(changed)
        return self.answer(node)

    def _count_denials(self, node: str, claimed: Registration) -> None:
        """Once for each claim that is new or another."""
        grant = self._grants.get(node)
        if grant is None or refusals(grant, claimed):
            who = node_id(self._world.snapshot.settings.trust_domain, node)
            self._denied("no grant" if grant is None else "not granted", str(who))

    def _counted(
        self, told: tuple[Registration, ...], previous: Mapping[WorkloadId, Registration]
    ) -> tuple[dict[WorkloadId, Registration], tuple[WorkloadId, ...]]:
        """As many as a node may have, those that it had already first, and the names of the rest."""
        every = {registration.id: registration for registration in told}
        if len(every) <= self._most:
            return every, ()
        order = sorted(every, key=lambda workload: workload not in previous)
        return {workload: every[workload] for workload in order[: self._most]}, tuple(order[self._most :])

    def left(self, line: NodeLine) -> None:
        """A session ended. Of a node that is back on another one already nothing changes."""
        known = self._nodes.get(line.node)
        if known is not None and known.line is line:
            known.connected = False
            known.silent_since = self._clock()

    def resumed(self, line: NodeLine) -> None:
        """A session that was thought to have ended stands: it is another control plane's, which cannot be seen into."""
        known = self._nodes.get(line.node)
        if known is not None and known.line is line:
            known.connected = True

    def expire(self) -> tuple[str, ...]:
        """Forget nodes that have been silent for a whole lease; their names."""
        now = self._clock()
        gone = tuple(
            name
            for name, node in self._nodes.items()
            if not node.connected and now - node.silent_since >= LEASE_S
        )
        for name in gone:
            self.forget(name)
        return gone

    def forget(self, name: str) -> None:
        """A node is gone; one that is not known is no error."""
        node = self._nodes.pop(name, None)
        if node is not None:
            for workload in node.workloads:
                self._claim(name, workload, False)
            self._review(set(node.workloads))

    def since_of(self, node: str) -> Mapping[WorkloadId, int]:
        """When the node first claimed each of its workloads, as `heard` takes it."""
        known = self._nodes.get(node)
        return {workload: self._since[(workload, node)] for workload in known.workloads} if known else {}

    def answer(self, node: str) -> SessionState:
        """What a node should know now about its last state."""
        known = self._nodes[node]
        reasons = {
            workload: self._refusal(node, registration) for workload, registration in known.workloads.items()
        }
        accepted = tuple(workload for workload, reason in reasons.items() if not reason)
        return SessionState(
            version=known.version,
            accepted=accepted,
            refused=(
                *(Refusal(id=workload, reason=reason) for workload, reason in reasons.items() if reason),
                *(
                    Refusal(id=workload, reason=f"node {node} has more than {self._most} workloads")
                    for workload in known.excess
                ),
            ),
            gateway_ports=tuple(
                wanted
                for workload in accepted
                if (wanted := self._wanted(workload)).listeners or known.workloads[workload].kind == "gateway"
            ),
        )

    def _wanted(self, workload: WorkloadId) -> WantedPorts:
        return WantedPorts(
            id=workload,
            ports=self._world.gateway_ports_wanted(workload),
            listeners=self._world.own_listeners_wanted(workload),
        )

    def plan(self, node: str, request: PlanRequest) -> PlanReply | None:
        """None when the node may place nothing in that namespace: it is told nothing of it."""
        grant = self._grants.get(node)
        if grant is None or not may_place_in(grant, request.id.namespace):
            return None
        return self._world.plan(request)

    def describe(self, request: DescribeRequest) -> DescribeReply:
        """What metrics of any node may show of others: who has met them knows their names."""
        return self._world.describe(request)

    def registration(self, workload: WorkloadId) -> Registration | None:
        return self._accepted.get(workload)

    def registrations(self) -> Mapping[WorkloadId, Registration]:
        return MappingProxyType(self._accepted)

    def count_of(self, node: str) -> int:
        """How many workloads a node says it runs, as far as they are counted at all."""
        known = self._nodes.get(node)
        return min(len(known.workloads), self._most) if known else 0

    def nodes(self) -> Mapping[str, bool]:
        """Node -> whether its session is open."""
        return {name: node.connected for name, node in self._nodes.items()}

    def set_grants(self, grants: Iterable[Grant]) -> None:
        """What nodes may place differs: judge everything anew."""
        self._grants = Map({grant.node: grant for grant in grants})
        self._review(set(self._claimants))
        self.tell()

    def set_revoked(self, revoked: Revoked) -> None:
        """Who is refused differs: nodes and workloads among them lose their place, and no client takes their accounts
        for a service's. Sidecars are told what they have to refuse."""
        self._revoked = revoked
        self._world.submit(Change(revoked=revoked))
        self._review(set(self._claimants))
        self.tell()

    # -- TLS modes --

    @property
    def trust_domain_aliases(self) -> tuple[str, ...]:
        """Other names of the mesh's trust domain."""
        return self._world.snapshot.settings.trust_domain_aliases

    def set_policies(self, policies: Iterable[Config]) -> None:
        """PeerAuthentications differ, or the mesh's settings: aim every port at its mode again. Nodes hear which other
        names the mesh has."""
        self.modes.policies = tuple(policies)
        self.tell()
        aimed = {key for workload in self._accepted for key in self.modes.aim_at(workload)}
        self._publish({workload for workload, _ in aimed}, aimed)
        self.advance_modes()

    def advance_modes(self) -> None:
        """Take every next step of the mode changes whose last step has arrived everywhere it must."""
        was_moving = self.modes.awaits
        while stepped := self.modes.step():
            self._publish({workload for workload, _ in stepped}, stepped)
        if was_moving and not self.modes.awaits:
            # The last step may be one of knowledge only, which no proxy hears of.
            self._proxies.look_again()

    # -- inside --

    def _claim(self, node: str, workload: WorkloadId, claims: bool, since: int | None = None) -> bool:
        """Whether those who claim the name, or their order, differ now. All control planes must find the same order, so
        it is that of stamps and not of arrival."""
        claimants = self._claimants.setdefault(workload, [])
        before = tuple(claimants)
        if claims:
            if node not in claimants:
                claimants.append(node)
            if since is not None or (workload, node) not in self._since:
                self._since[(workload, node)] = self.stamp() if since is None else since
            claimants.sort(key=lambda each: (self._since[(workload, each)], each))
        else:
            if node in claimants:
                claimants.remove(node)
            self._since.pop((workload, node), None)
        if not claimants:
            del self._claimants[workload]
        return before != tuple(claimants)

    def _refusal(self, node: str, registration: Registration) -> str:
        """Of several nodes that claim one name the one that came first has it: nobody can take it over."""
        reasons = self._reasons(node, registration)
        if reasons:
            return "; ".join(reasons)
        for other in self._claimants.get(registration.id, ()):
            if other == node:
                return ""
            if not self._reasons(other, self._nodes[other].workloads[registration.id]):
                return f"a workload named {registration.id} already runs on node {other}"
        return ""

    def _reasons(self, node: str, registration: Registration) -> tuple[str, ...]:
        """Why the node may not have this workload, whoever else claims it."""
        grant = self._grants.get(node)
        if grant is None:
            return (f"node {node} has no grant: it never joined, or was removed",)
        reasons = (*self._nodes[node].faults.get(registration.id, ()), *refusals(grant, registration))
        return reasons or self._revocations_of(node, registration)

    def _revocations_of(self, node: str, registration: Registration) -> tuple[str, ...]:
        trust_domain = self._world.snapshot.settings.trust_domain
        of_node = refusal(self._revoked, identity=str(node_id(trust_domain, node)))
        reason = of_node or refusal(
            self._revoked,
            identity=str(workload_id(trust_domain, registration.id.namespace, registration.account)),
            names=(workload_dns_name(registration.id, trust_domain),),
        )
        return (reason,) if reason else ()

    def _trusted(self, namespace: str, accounts: tuple[str, ...]) -> tuple[str, ...]:
        trust_domain = self._world.snapshot.settings.trust_domain
        return tuple(
            account
            for account in accounts
            if str(workload_id(trust_domain, namespace, account)) not in self._revoked.identities
        )

    def _review(self, workloads: set[WorkloadId]) -> None:
        """Judge these workloads anew, and publish what follows from it."""
        services: set[Service] = set()
        aimed: set[PortKey] = set()
        for workload in workloads:
            before = self._accepted.pop(workload, None)
            after = self._judge(workload)
            if after is not None:
                self._accepted[workload] = after
            for registration, joins in ((before, False), (after, True)):
                for name in registration.services if registration else ():
                    members = self._members.setdefault((workload.namespace, name), set())
                    members.add(workload) if joins else members.discard(workload)
                    services.add((workload.namespace, name))
            aimed |= self.modes.aim_at(workload)
        for service in services:
            claims = [self._accepted[member] for member in self._members[service]]
            accounts = accepted_accounts(self._grants, service[0], service[1], claims)
            accounts = self._trusted(service[0], accounts)
            if accounts != self._accounts.get(service, ()):
                self._accounts[service] = accounts
                workloads = workloads | self._members[service]
            if not claims:
                del self._members[service]
                self._accounts.pop(service, None)
        self._publish(workloads, aimed)
        self.advance_modes()

    def _judge(self, workload: WorkloadId) -> Registration | None:
        for node in self._claimants.get(workload, ()):
            registration = self._nodes[node].workloads[workload]
            if not self._refusal(node, registration):
                return registration
        return None

    def _publish(self, workloads: Iterable[WorkloadId], moved: Iterable[PortKey]) -> None:
        """Submit what differs of these workloads from what was published last. `moved` ports are waited for: until
        the next round has arrived, which folds what is submitted here, or the one they were waited for already."""
        changed: list[Contribution] = []
        removed: list[ObjectRef] = []
        for workload in sorted(workloads):
            registration = self._accepted.get(workload)
            if registration is None:
                if self._published.pop(workload, None) is not None:
                    removed.append(workload_source(workload))
                continue
            contribution = contribution_of_registration(
                registration,
                accounts={
                    name: self._accounts.get((workload.namespace, name), ()) for name in registration.services
                },
                port_tls=self.modes.of_registration(registration),
                trust_domain=self._world.snapshot.settings.trust_domain,
            )
            if self._published.get(workload) != contribution:
                self._published[workload] = contribution
                changed.append(contribution)
        if changed or removed:
            self._world.submit(Change(contributions=tuple(changed), removed_sources=tuple(removed)))
        submitted = {contribution.source for contribution in changed}
        for key in moved:
            self.modes.moved(key, is_submitted=workload_source(key[0]) in submitted)
