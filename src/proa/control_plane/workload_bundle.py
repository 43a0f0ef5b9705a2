"""Resources that only one workload's proxy has. `update` makes them anew and answers with the names whose bytes differ.

Called by the world alone; proxies read through `ProxySource`.
"""

from collections.abc import Iterator, Mapping

import msgspec

from proa.control_plane.memo import Memo
from proa.control_plane.mixer.asking import Asking, asking_of
from proa.control_plane.patched import PatchedView
from proa.control_plane.scope_bundle import Name, ScopeBundle
from proa.core.mixer.plan.in_force import NOTHING, InForce
from proa.core.mixer.pushdown.callers import NOBODY, Callers
from proa.core.model.locality import Standpoint
from proa.core.model.names import WorkloadId
from proa.core.model.notes import Note
from proa.core.model.settings import Handling
from proa.core.model.snapshot import MeshSnapshot
from proa.core.model.workload import Workload
from proa.core.pilot.resource import Resource
from proa.core.pilot.scope.authorization import (
    AuthorizationView,
    authorization_view,
    selects,
    trust_domains,
)
from proa.core.pilot.scope.clients import Client, client_of, gateway_served, served_to
from proa.core.pilot.scope.end_users import EndUserView, end_user_view
from proa.core.pilot.scope.federation import partners_of
from proa.core.pilot.scope.inbound import InboundView, inbound_view
from proa.core.pilot.scope.index import Affected, RuleIndex
from proa.core.pilot.scope.telemetry import observed, observing_of, reported
from proa.core.pilot.scope.views import endpoints_of, gateway_view, host_view
from proa.core.pilot.translate.authorization.filters import build_authorization
from proa.core.pilot.translate.clusters import build_cluster, build_inbound_cluster
from proa.core.pilot.translate.filters.mixer.cluster import (
    MixerClusterIntent,
    build_mixer_cluster,
    build_mixer_endpoints,
)
from proa.core.pilot.translate.filters.mixer.place import build_mixer
from proa.core.pilot.translate.filters.revocation import (
    build_revocation,
    build_stream_revocation,
    intent_of,
)
from proa.core.pilot.translate.filters.tokens import GATEWAY_TOKENS, TokensIntent, build_tokens
from proa.core.pilot.translate.gateway import gateway_authorization, gateway_listeners, gateway_routes
from proa.core.pilot.translate.inbound import (
    inbound_authorization,
    inbound_clusters,
    inbound_listeners,
    inbound_mixer,
    inbound_tokens,
)
from proa.core.pilot.translate.listeners.gateway import build_gateway_listener
from proa.core.pilot.translate.listeners.inbound import build_inbound_listener
from proa.core.pilot.translate.listeners.outbound import (
    ExplicitListenerIntent,
    UpstreamListenerIntent,
    build_explicit_listener,
    build_upstream_listener,
)
from proa.core.pilot.translate.listeners.own import OwnListenerIntent, build_own_listener
from proa.core.pilot.translate.outbound_streams import upstream_stream
from proa.core.pilot.translate.own_listeners import OwnStreams, own_streams
from proa.core.pilot.translate.routes.virtual_host import build_route_configuration, build_virtual_host
from proa.core.pilot.translate.through import through_clusters


class WorkloadBundle:
    """Owner: the world. What only one workload's proxy has: its inbound side, its own ports, a gateway's edge."""

    def __init__(self, workload: WorkloadId, shared: ScopeBundle, memo: Memo) -> None:
        self.id = workload
        self.workload: Workload | None = None
        # Another when a Sidecar is changed, or its labels are.
        self.shared = shared
        self.resources: dict[Name, Resource] = {}
        self.notes: tuple[Note, ...] = ()
        self.standpoint = Standpoint()
        # What its clients' rules make different from the scope: shared by all who wear the same labels.
        self.client = Client(shared.scope)
        self.routes: Mapping[Name, Resource] = {}
        # EnvoyFilters in force for its proxy; most have none.
        self.patched: PatchedView | None = None
        # What Mixer's rules want of its proxy; most are wanted nothing of.
        self.asking = Asking()
        self._found: Asking | None = None
        self._memo = memo

    def update(
        self,
        snapshot: MeshSnapshot,
        index: RuleIndex,
        rules: InForce = NOTHING,
        callers: Callers = NOBODY,
    ) -> set[Name]:
        """Everything anew (a handful of resources, most of them found in the memo); the names that differ. `rules` are
        Mixer's, `callers` those that its rules tell apart."""
        self.workload = snapshot.workloads.get(self.id)
        stood, self.standpoint = self.standpoint, _standpoint(self.workload)
        built: list[Resource] = []
        self.asking = Asking()
        if self.workload is not None:
            found, self._found = self._found, None
            self.asking = found or self._asking(snapshot, index, self.workload, rules, callers)
            snapshot, notes = self._observed(snapshot, index, self.workload)
            handling = snapshot.settings.handling
            if self.workload.kind == "proxyless":
                built = []  # a client only: what it is served is its scope's
            elif self.workload.kind == "gateway":
                built = self._gateway(snapshot, index, self.workload)
            else:
                inbound = inbound_view(snapshot, index, self.workload)
                policies = authorization_view(snapshot, index, self.workload)
                users = end_user_view(snapshot, index, self.workload)
                built = [
                    *self._refused(snapshot, index, self.workload, policies),
                    *self._inbound(inbound, policies, self.workload, snapshot),
                    *self._tokens(inbound, users),
                    *self._mixer(inbound, snapshot),
                    *self._outbound(snapshot, index, self.workload, handling),
                ]
                own, missing = self._own_listeners(self.workload, handling)
                built += own
                self.notes = (*inbound.notes, *policies.notes, *users.notes, *missing, *notes)
        following = {(resource.type, resource.name): resource for resource in built}
        changed = {
            name
            for name in {*self.resources, *following}
            if _digest(self.resources.get(name)) != _digest(following.get(name))
        }
        self.resources = following
        return changed if stood == self.standpoint else changed | self.shared.near.names()

    def _observed(
        self, snapshot: MeshSnapshot, index: RuleIndex, workload: Workload
    ) -> tuple[MeshSnapshot, tuple[Note, ...]]:
        """The world with the settings as the Telemetries in force for the workload, and Mixer's rules, leave them."""
        settings = snapshot.settings
        observing = observing_of(settings, index, snapshot.configs, workload)
        if observing is None and self.asking.calls is None:
            return snapshot, ()
        handling = reported(observed(settings.handling, observing), client=self.asking.calls)
        settings = msgspec.structs.replace(settings, handling=handling)
        notes = observing.notes if observing is not None else ()
        return msgspec.structs.replace(snapshot, settings=settings), notes

    def needs_differ(
        self, snapshot: MeshSnapshot, index: RuleIndex, rules: InForce, callers: Callers
    ) -> bool:
        """Whether Mixer's rules want something else of this proxy, or whom it asks is somewhere else. Then an update
        has to follow at once, which need not find it out again."""
        if self.workload is None:
            return False
        found = self._asking(snapshot, index, self.workload, rules, callers)
        self._found = found if found != self.asking else None
        return self._found is not None

    def _asking(
        self, snapshot: MeshSnapshot, index: RuleIndex, workload: Workload, rules: InForce, callers: Callers
    ) -> Asking:
        view = inbound_view(snapshot, index, workload) if workload.kind == "sidecar" else None
        return asking_of(snapshot, view, workload, rules, callers, self.shared.scope.reporting)

    @property
    def has_explicit(self) -> bool:
        return self.workload is not None and bool(self.workload.outbound_port)

    @property
    def is_edge(self) -> bool:
        return self.workload is not None and self.workload.kind == "gateway"

    @property
    def hears_of_hosts(self) -> bool:
        """Whether what it has of its own follows from services and rules."""
        has_upstreams = self.workload is not None and bool(self.workload.upstreams)
        return self.is_edge or has_upstreams or any(not each.is_http for each in self.shared.scope.own)

    @property
    def is_proxyless(self) -> bool:
        return self.workload is not None and self.workload.kind == "proxyless"

    def is_selected_by(self, affected: Affected, root_namespace: str) -> bool:
        """Whether rules of callers that changed are for it."""
        return self.workload is not None and selects(affected.policies, self.workload, root_namespace)

    def concerns(self, affected: Affected) -> bool:
        """Whether an update could differ from what there is."""
        return (
            affected.settings
            or affected.revoked
            or self.id in affected.workloads
            or (self.is_edge and bool(affected.edge or affected.hosts))
            or any(not each.is_http and each.name in self.shared.moved_own for each in self.shared.scope.own)
            or (
                self.workload is not None
                and any(each.host in affected.hosts for each in self.workload.upstreams)
            )
        )

    def _refused(
        self, snapshot: MeshSnapshot, index: RuleIndex, workload: Workload, policies: AuthorizationView
    ) -> Iterator[Resource]:
        """Whoever is revoked, or of a trust domain that is not believed here."""
        partners = partners_of(snapshot, index, workload, policies)
        intent = intent_of(snapshot.revoked, trust_domains(snapshot.settings), partners)
        yield self._memo.get(build_revocation, intent)
        yield self._memo.get(build_stream_revocation, intent)

    def _inbound(
        self, view: InboundView, policies: AuthorizationView, workload: Workload, snapshot: MeshSnapshot
    ) -> Iterator[Resource]:
        settings, since = snapshot.settings, snapshot.revoked.since
        for cluster in inbound_clusters(view):
            yield self._memo.get(build_inbound_cluster, cluster)
        asking = self.asking
        listeners = inbound_listeners(view, policies, workload, settings, since, asking.streams, asking.told)
        for listener in listeners:
            yield self._memo.get(build_inbound_listener, listener)
        for authorization in inbound_authorization(view, policies, settings):
            yield self._memo.get(build_authorization, authorization)

    def _tokens(self, view: InboundView, users: EndUserView) -> Iterator[Resource]:
        for intent in inbound_tokens(view, users):
            yield self._memo.get(build_tokens, intent)

    def _mixer(self, view: InboundView, snapshot: MeshSnapshot) -> Iterator[Resource]:
        trust_domain = snapshot.settings.trust_domain
        for intent in inbound_mixer(view, self.asking.needs, self.asking.denials, trust_domain):
            yield self._memo.get(build_mixer, intent)
        yield from self._mixer_cluster(snapshot)

    def _mixer_cluster(self, snapshot: MeshSnapshot) -> Iterator[Resource]:
        if self.asking.servers:
            cluster = MixerClusterIntent(
                servers=self.asking.servers, trust_domain=snapshot.settings.trust_domain
            )
            charged = (charge for needs in self.asking.needs.values() for charge in needs.charges)
            counts = any(charge.bucket is None for charge in charged)
            in_turn = (msgspec.structs.replace(cluster, in_turn=True),) if counts else ()
            for each in (cluster, *in_turn):
                yield self._memo.get(build_mixer_cluster, each)
                if each.is_told_apart:
                    yield self._memo.get(build_mixer_endpoints, each)

    def _outbound(
        self, snapshot: MeshSnapshot, index: RuleIndex, workload: Workload, handling: Handling
    ) -> Iterator[Resource]:
        get = self._memo.get
        for upstream in workload.upstreams:
            view = host_view(snapshot, index, self.shared.scope, upstream.host)
            served = (
                served_to(view, client_of(self.shared.scope, workload, view)) if view is not None else None
            )
            stream, objects = upstream_stream(served, upstream.host, upstream.port)
            yield get(
                build_upstream_listener,
                UpstreamListenerIntent(
                    local_port=upstream.local_port, stream=stream, handling=handling, objects=objects
                ),
            )
        if workload.outbound_port:
            yield get(
                build_explicit_listener,
                ExplicitListenerIntent(port=workload.outbound_port, handling=handling),
            )

    def _own_listeners(self, workload: Workload, handling: Handling) -> tuple[list[Resource], list[Note]]:
        """Those of the Sidecar in force that the agent could have. Their requests' routes are the scope's."""
        doors = {(door.address, door.port): door for door in workload.gateway_ports}
        scope = self.shared.scope
        built: list[Resource] = []
        notes: list[Note] = []
        for each in scope.own:
            door = doors.get((each.bind, each.port))
            if door is not None and door.fault:
                message = f"{workload.id} has no listener at {each.bind}:{each.port}: {door.fault}"
                notes.append(Note(code="egress-listener-closed", about=each.sidecar, message=message))
            if door is None or door.fault:
                continue
            streams = OwnStreams()
            if not each.is_http:
                views = self.shared.own_views(each.name)
                streams = own_streams(
                    each, [served_to(view, client_of(scope, workload, view)) for view in views]
                )
            intent = OwnListenerIntent(
                name=each.name,
                bind=each.bind,
                port=each.port,
                handling=handling,
                routes=each.name if each.is_http else "",
                streams=streams.streams,
                objects=(each.sidecar,),
            )
            built.append(self._memo.get(build_own_listener, intent))
            notes += streams.notes
        return built, notes

    def _gateway(self, snapshot: MeshSnapshot, index: RuleIndex, workload: Workload) -> list[Resource]:
        view = gateway_served(gateway_view(snapshot, index, workload))
        policies = authorization_view(snapshot, index, workload)
        edge = gateway_listeners(view, policies, snapshot.settings, snapshot.revoked.since)
        built = [*self._refused(snapshot, index, workload, policies), *self._mixer_cluster(snapshot)]
        built += [self._memo.get(build_gateway_listener, intent) for intent in edge.listeners]
        built += [self._memo.get(build_authorization, intent) for intent in gateway_authorization(edge)]
        users = end_user_view(snapshot, index, workload)
        tokens = TokensIntent(name=GATEWAY_TOKENS, rules=users.rules, routes=True)
        built.append(self._memo.get(build_tokens, tokens))
        notes = [*edge.notes, *policies.notes, *users.notes]
        for host in view.through:
            endpoints = endpoints_of(snapshot, host.host)
            clusters = through_clusters(host, endpoints, snapshot.settings, self.standpoint)
            built += [self._memo.get(build_cluster, intent) for intent in clusters]
        for routes in gateway_routes(view):
            parts = [self._memo.get(build_virtual_host, intent) for intent in routes.hosts]
            built.append(build_route_configuration(routes.name, parts))
            notes += routes.notes
        self.notes = tuple(notes)
        return built


def _standpoint(workload: Workload | None) -> Standpoint:
    if workload is None:
        return Standpoint()
    return Standpoint(locality=workload.locality, network=workload.network, labels=workload.labels)


def _digest(resource: Resource | None) -> str:
    return resource.digest if resource is not None else ""
