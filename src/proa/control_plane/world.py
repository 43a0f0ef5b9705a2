"""The world: owner of the snapshot, and the only caller of `fold`.

Sources submit changes; the world folds all that are waiting at once, updates the bundles that this affects, and
tells the streams which names differ. While idle a change is worked off at once; under load the pause grows with
the cost of the last round, so that many changes share one.
"""

import asyncio
from collections.abc import Callable, Iterable
from typing import Final

import msgspec
from immutables import Map

from proa.control_plane.client_routes import ClientRoutes
from proa.control_plane.memo import Memo
from proa.control_plane.mixer.rules import EVERYBODY, MixerRules
from proa.control_plane.patch_notes import patch_notes
from proa.control_plane.patched import PatchedView
from proa.control_plane.proxy_source import ProxySource, is_behind_explicit
from proa.control_plane.proxyless import ProxylessBundle
from proa.control_plane.scope_bundle import Name
from proa.control_plane.scopes import Moves, Scopes
from proa.control_plane.workload_bundle import WorkloadBundle
from proa.core.attributes.value_types import Value
from proa.core.config.mixer.catalogue import BUILT_IN, Catalogue
from proa.core.mixer.asked import Party, Place
from proa.core.mixer.plan.in_force import InForce
from proa.core.mixer.pushdown.callers import Callers
from proa.core.model.names import WorkloadId
from proa.core.model.notes import Note
from proa.core.model.settings import MeshSettings
from proa.core.model.snapshot import Change, MeshSnapshot, fold
from proa.core.pilot.scope.clients import Client
from proa.core.pilot.scope.described import described
from proa.core.pilot.scope.federation import federation_notes
from proa.core.pilot.scope.index import Affected, RuleIndex, reindex
from proa.core.pilot.scope.mixer import party_of, place_of, service_attributes
from proa.core.pilot.scope.patches import patches_of
from proa.core.pilot.scope.plans import plan_of
from proa.core.pilot.scope.scope import Scope, scope_of
from proa.core.pilot.scope.selectors import worn
from proa.core.pilot.scope.views import wanted_gateway_ports
from proa.core.sidecar.session import DescribeReply, DescribeRequest, OwnListener, PlanReply, PlanRequest
from proa.runtime.debounce import Debounce

Listener = Callable[[int, Affected, dict[Scope, set[Name]], dict[WorkloadId, set[Name]]], None]

LONGEST_PAUSE_S: Final = 0.5
"""Bounds how long changes are collected under load. A pause is a round's own cost, so it comes near this only when
one round's push to all proxies keeps the process busy for a quarter of a second."""


class World:
    """Owner of the snapshot, its index and all bundles. `generation` grows with every round that changed
    anything."""

    def __init__(
        self,
        settings: MeshSettings,
        clock: Callable[[], float],
        work: Callable[[], float] | None = None,
        *,
        catalogue: Catalogue = BUILT_IN,
    ) -> None:
        """`work` is the process's CPU time: what a round sets off in the streams is its cost too. `catalogue`: Mixer's
        adapters."""
        self.snapshot = MeshSnapshot(settings=settings)
        self.index = RuleIndex()
        self.memo = Memo()
        self.generation = 0
        self._rules = MixerRules(catalogue)
        # Of those servers whose proxies have asked; a few facts each.
        self._places: dict[WorkloadId, dict[int, Place]] = {}
        self._scopes = Scopes(self.memo)
        self._proxyless: dict[Client, ProxylessBundle] = {}
        self._routes: dict[Client, ClientRoutes] = {}
        self._wearing: dict[Client, set[WorkloadId]] = {}
        self._workloads: dict[WorkloadId, WorkloadBundle] = {}
        self._of_namespace: dict[str, set[WorkloadId]] = {}
        # Those that hear of more than themselves, so that a round need not ask all the others.
        self._edges: set[WorkloadId] = set()
        self._without_sidecar: set[WorkloadId] = set()
        self._waiting: list[tuple[Change, asyncio.Future[int] | None]] = []
        self._wake = asyncio.Event()
        self._debounce = Debounce(clock, work=work, longest=LONGEST_PAUSE_S)
        self._listeners: list[Listener] = []

    def subscribe(self, listener: Listener) -> None:
        """Called after each round with the generation, what was affected, and the names that differ per scope and
        per workload."""
        self._listeners.append(listener)

    def submit(self, change: Change) -> None:
        """Have a change folded soon."""
        self._waiting.append((change, None))
        self._wake.set()

    async def commit(self, change: Change) -> int:
        """Have a change folded and return the generation in which it is."""
        done: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        self._waiting.append((change, done))
        self._wake.set()
        return await done

    async def run(self) -> None:
        """Work off changes until cancelled."""
        while True:
            await self._wake.wait()
            await self._debounce.ready()
            self._wake.clear()
            waiting, self._waiting = self._waiting, []
            with self._debounce.working():
                self.fold_in([change for change, _ in waiting])
            for _, done in waiting:
                if done is not None and not done.done():
                    done.set_result(self.generation)

    def fold_in(self, changes: Iterable[Change]) -> Affected:
        """One round: fold, find what is affected, update those bundles, tell the streams."""
        affected = Affected()
        for change in changes:
            before = self.snapshot
            self.snapshot, touched = fold(before, change)
            self.index, found = reindex(self.index, before, self.snapshot, touched)
            affected = _join(affected, found)
        if affected == Affected():
            return affected
        self.generation += 1
        for workload in tuple(self._places) if affected.settings else affected.workloads:
            self._places.pop(workload, None)
        differing = self._update_rules() if affected.mixer else frozenset[str]()
        differing |= self._rules.meet(self.snapshot, affected.workloads)
        moves = self._move(affected, differing)
        scopes = self._scopes.update(self.snapshot, self.index, affected)
        workloads = {
            bundle.id: self._update_workload(bundle)
            for bundle in self._bundles_to_ask(affected)
            if bundle.concerns(affected)
            or self._may_move(bundle.id, affected)
            or bundle.is_selected_by(affected, self.snapshot.settings.root_namespace)
        }
        self._update_needs(affected, differing, workloads)
        for moved in moves:
            bundle = self._workloads[moved]
            names = moves.names(moved, bundle.shared)
            own = self._update_workload(bundle) if bundle.hears_of_hosts else set[Name]()
            workloads[moved] = workloads.get(moved, set()) | names | own
        self._update_routes(affected, workloads, moves)
        self._update_proxyless(affected, workloads, moves)
        self._update_patches(affected, workloads)
        for listener in self._listeners:
            listener(self.generation, affected, scopes, workloads)
        return affected

    @property
    def mixer(self) -> InForce:
        """Mixer's rules in force: another value when, and only when, something of them is different."""
        return self._rules.now

    @property
    def callers(self) -> Callers:
        """Workloads that Mixer's rules may tell apart as callers."""
        return self._rules.callers

    @property
    def mixer_compilations(self) -> int:
        """How often they were compiled."""
        return self._rules.compilations

    def place(self, workload: WorkloadId, port: int) -> Place | None:
        """What is the same for all requests to a workload's service port. None: nobody of that name serves it. The same
        value until the workload is another, or the APIs of services are."""
        known = self.snapshot.workloads.get(workload)
        if known is None:
            return None
        places = self._places.get(workload)
        if places is None:
            trust_domain = self.snapshot.settings.trust_domain
            places = {
                each.service_port: place_of(known, each, trust_domain, self.mixer.apis)
                for each in known.inbound
            }
            self._places[workload] = places
        return places.get(port)

    def party(self, workload: WorkloadId) -> Party | None:
        """Who a workload is for Mixer. None: nobody of that name is there."""
        known = self.snapshot.workloads.get(workload)
        return party_of(known) if known else None

    def called(self, host: str) -> Map[str, Value]:
        """What Mixer knows of a host that a proxy called; nothing of one that nobody serves here."""
        service = self.snapshot.services.get(host)
        return service_attributes(host, service.namespace) if service else Map()

    def _update_rules(self) -> frozenset[str]:
        before = self.mixer.apis
        differing = self._rules.update(self.snapshot, self.index)
        if differing and self.mixer.apis != before:
            self._places.clear()
        return differing

    def _update_needs(
        self, affected: Affected, differing: frozenset[str], workloads: dict[WorkloadId, set[Name]]
    ) -> None:
        """Proxies of which Mixer's rules want something else now, or that ask it elsewhere. Of those whose rules may
        be others only these are made anew."""
        everybody = EVERYBODY in differing or affected.control_planes
        asked = self._workloads.keys() if everybody else set[WorkloadId]()
        for namespace in differing:
            asked = asked | self._of_namespace.get(namespace, set())
        for workload in asked - workloads.keys():
            bundle = self._workloads[workload]
            if bundle.needs_differ(self.snapshot, self.index, self.mixer, self.callers):
                workloads[workload] = self._update_workload(bundle)

    def _scope_of(self, workload: WorkloadId) -> Scope:
        scope = scope_of(self.snapshot, self.index, workload)
        reporting = self._rules.client_reporting(workload.namespace)
        return msgspec.structs.replace(scope, reporting=reporting) if reporting is not None else scope

    def _move(self, affected: Affected, differing: frozenset[str]) -> Moves:
        """Workloads to the scopes that they are of now. `differing`: namespaces in which Mixer's rules are others."""
        moves = Moves()
        asked = {bundle.id: bundle for bundle in self._bundles_to_place(affected)}
        for namespace in self._of_namespace if EVERYBODY in differing else differing:
            reporting = self._rules.client_reporting(namespace)
            for workload in self._of_namespace.get(namespace, ()):
                if self._workloads[workload].shared.scope.reporting != reporting:
                    asked[workload] = self._workloads[workload]
        for bundle in asked.values():
            scope = self._scope_of(bundle.id)
            if scope != bundle.shared.scope:
                before = bundle.shared
                moves.add(bundle.id, before)
                bundle.shared = self._scopes.enter(bundle.id, scope, self.snapshot, self.index)
                self._leave(bundle.id, before.scope)
        return moves

    def _leave(self, workload: WorkloadId, scope: Scope) -> None:
        """What nobody shares any more is forgotten."""
        if self._scopes.leave(workload, scope):
            self._proxyless.pop(Client(scope), None)
            for client in [each for each in self._routes if each.scope == scope]:
                del self._routes[client]

    def _may_move(self, workload: WorkloadId, affected: Affected) -> bool:
        return bool(affected.scopes & {workload.namespace, self.snapshot.settings.root_namespace})

    def _bundles_to_place(self, affected: Affected) -> list[WorkloadBundle]:
        """Workloads whose Sidecar may be another, or whose labels."""
        if affected.settings or self.snapshot.settings.root_namespace in affected.scopes:
            return list(self._workloads.values())
        asked = set(affected.workloads)
        for namespace in affected.scopes:
            asked |= self._of_namespace.get(namespace, set())
        return [self._workloads[workload] for workload in asked if workload in self._workloads]

    def _bundles_to_ask(self, affected: Affected) -> list[WorkloadBundle]:
        """All that a change may concern, and few besides: a change that nobody sees must not cost by the proxies."""
        if affected.settings or affected.revoked:
            return list(self._workloads.values())
        asked = affected.workloads | self._edges if affected.edge or affected.hosts else affected.workloads
        if affected.scopes:
            asked |= {bundle.id for bundle in self._bundles_to_place(affected)}
        for namespace, _ in affected.policies:
            everybody = namespace in ("", self.snapshot.settings.root_namespace)
            asked |= self._workloads.keys() if everybody else self._of_namespace.get(namespace, set())
        return [self._workloads[workload] for workload in asked if workload in self._workloads]

    def _update_workload(self, bundle: WorkloadBundle) -> set[Name]:
        """With the explicit listener (a registration may come after the stream) what hangs behind it comes and goes."""
        had, changed = bundle.has_explicit, self._fill_workload(bundle)
        if had != bundle.has_explicit:
            changed |= {name for name in bundle.shared.resources if is_behind_explicit(*name)}
        return changed

    def _fill_workload(self, bundle: WorkloadBundle) -> set[Name]:
        changed = bundle.update(self.snapshot, self.index, self.mixer, self.callers)
        for kept, belongs in (
            (self._edges, bundle.hears_of_hosts),
            (self._without_sidecar, bundle.is_proxyless),
        ):
            kept.add(bundle.id) if belongs else kept.discard(bundle.id)
        return changed

    def _update_routes(
        self, affected: Affected, workloads: dict[WorkloadId, set[Name]], moves: Moves
    ) -> None:
        """Routes of clients that wear what rules ask for. Without such rules nobody is looked at."""
        near = {*affected.workloads, *moves}
        asked = self._workloads.keys() if affected.clients else near & self._workloads.keys()
        told = {workload: self._dress(self._workloads[workload]) for workload in asked}
        for client, routes in self._routes.items():
            changed = routes.update()
            for workload in self._wearing[client] if changed else ():
                told[workload] = told.get(workload, set()) | changed
        for workload, names in told.items():
            if names:
                workloads[workload] = workloads.get(workload, set()) | names

    def _dress(self, bundle: WorkloadBundle) -> set[Name]:
        """Give a workload the routes of the clients like it; the names that may differ by that."""
        before = set(bundle.routes)
        labels = bundle.workload.labels if bundle.workload else Map[str, str]()
        client = Client(bundle.shared.scope, worn(self.index.selectors, labels))
        if client != bundle.client:
            self._undress(bundle)
            bundle.client = client
        bundle.routes = {}
        if client.wears:
            self._wearing.setdefault(client, set()).add(bundle.id)
            if bundle.has_explicit:
                if client not in self._routes:
                    self._routes[client] = ClientRoutes(bundle.shared, client)
                bundle.routes = self._routes[client].resources
        return before | set(bundle.routes)

    def _undress(self, bundle: WorkloadBundle) -> None:
        """What nobody wears any more is forgotten."""
        wearing = self._wearing.get(bundle.client, set())
        wearing.discard(bundle.id)
        if not wearing and bundle.client.wears:
            for kept in (self._wearing, self._routes, self._proxyless):
                kept.pop(bundle.client, None)

    def _update_proxyless(
        self, affected: Affected, workloads: dict[WorkloadId, set[Name]], moves: Moves
    ) -> None:
        """What differs for a scope's proxyless workloads is told as their own. One that has just become known is told
        everything: it may have asked before."""
        changed = {
            client: bundle.update(self.snapshot, self.index, affected)
            for client, bundle in self._proxyless.items()
        }
        moved = set(moves)
        for workload in self._without_sidecar:
            client = self._workloads[workload].client
            is_new = affected.clients or workload in affected.workloads or workload in moved
            known = set(self._proxyless_of(client).resources) if is_new else set[Name]()
            workloads[workload] = workloads.get(workload, set()) | known | changed.get(client, set())

    def _proxyless_of(self, client: Client) -> ProxylessBundle:
        bundle = self._proxyless.get(client)
        if bundle is None:
            bundle = self._proxyless[client] = ProxylessBundle(client, self.memo)
            bundle.fill(self.snapshot, self.index)
        return bundle

    def _update_patches(self, affected: Affected, workloads: dict[WorkloadId, set[Name]]) -> None:
        """EnvoyFilters in force for each proxy. While there are none, nobody is looked at."""
        everybody = affected.patches or affected.settings
        for workload in self._workloads.keys() if everybody else affected.workloads & self._workloads.keys():
            names = self._patch(self._workloads[workload])
            if names:
                workloads[workload] = workloads.get(workload, set()) | names

    def _patch(self, bundle: WorkloadBundle) -> set[Name]:
        """Give a proxy the patches that are for it; the names that may differ by that."""
        before, workload = bundle.patched, bundle.workload
        patches = patches_of(self.snapshot, self.index, workload) if workload else None
        if workload is None or patches is None:
            bundle.patched = None
        else:
            bundle.patched = PatchedView(patches, workload, lambda: bundle.resources, self.memo)
        if before is bundle.patched or (before is not None and before.is_as(bundle.patched)):
            return set()
        known = {*bundle.resources, *bundle.shared.resources}
        return {name for view in (before, bundle.patched) if view for name in view.touched(known)}

    def source_for(self, workload: WorkloadId, *, complete: bool = True) -> ProxySource:
        """What a proxy is served, made on first need and shared from then on."""
        own = self._workloads.get(workload)
        if own is None:
            scope = self._scope_of(workload)
            shared = self._scopes.enter(workload, scope, self.snapshot, self.index)
            own = self._workloads[workload] = WorkloadBundle(workload, shared, self.memo)
            self._of_namespace.setdefault(workload.namespace, set()).add(workload)
            self._fill_workload(own)
            self._dress(own)
            self._patch(own)
        return ProxySource(own, lambda: self._proxyless_of(own.client), complete=complete)

    def release(self, workload: WorkloadId) -> None:
        """No stream of this workload is left; what nobody shares any more is forgotten."""
        bundle = self._workloads.pop(workload, None)
        if bundle is None:
            return
        self._undress(bundle)
        self._edges.discard(workload)
        self._without_sidecar.discard(workload)
        near = self._of_namespace[workload.namespace]
        near.discard(workload)
        if not near:
            del self._of_namespace[workload.namespace]
        self._leave(workload, bundle.shared.scope)

    def plan(self, request: PlanRequest) -> PlanReply:
        """What operators have said of a workload that is to be placed."""
        return plan_of(self.snapshot, self.index, request)

    def describe(self, request: DescribeRequest) -> DescribeReply:
        """What metrics show of these workloads and hosts."""
        return described(self.snapshot, request)

    def gateway_ports_wanted(self, workload: WorkloadId) -> tuple[int, ...]:
        known = self.snapshot.workloads.get(workload)
        if known is None or known.kind != "gateway":
            return ()
        return wanted_gateway_ports(self.snapshot, self.index, known)

    def own_listeners_wanted(self, workload: WorkloadId) -> tuple[OwnListener, ...]:
        """Where Sidecars ask a sidecar to listen for its program."""
        known = self.snapshot.workloads.get(workload)
        if not self.index.sidecars or known is None or known.kind != "sidecar":
            return ()
        bundle = self._workloads.get(workload)
        scope = bundle.shared.scope if bundle else self._scope_of(workload)
        return tuple(OwnListener(each.bind, each.port) for each in scope.own)

    def notes(self) -> tuple[Note, ...]:
        """What the configuration in force should be told, over all scopes in use."""
        found = {note for bundle in self._scopes for note in bundle.notes()}
        found |= {note for routes in self._routes.values() for note in routes.notes()}
        found |= {note for bundle in self._workloads.values() for note in bundle.notes}
        found |= {note for bundle in self._proxyless.values() for note in bundle.notes()}
        sources = (
            [self.source_for(workload) for workload in self._workloads] if self.index.envoy_filters else []
        )
        found |= set(patch_notes(sources, self.index.envoy_filters))
        found |= set(federation_notes(self.snapshot, self.index))
        return tuple(sorted(found))


def _join(one: Affected, other: Affected) -> Affected:
    return Affected(
        hosts=one.hosts | other.hosts,
        endpoints=one.endpoints | other.endpoints,
        workloads=one.workloads | other.workloads,
        edge=one.edge or other.edge,
        settings=one.settings or other.settings,
        nodes=one.nodes or other.nodes,
        scopes=one.scopes | other.scopes,
        targets=one.targets | other.targets,
        clients=one.clients or other.clients,
        patches=one.patches or other.patches,
        revoked=one.revoked or other.revoked,
        policies=one.policies | other.policies,
        mixer=one.mixer or other.mixer,
        control_planes=one.control_planes or other.control_planes,
    )
