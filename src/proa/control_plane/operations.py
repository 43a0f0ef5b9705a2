"""The admin API's operations, carried out: implements `AdminOperations`.

Reads what the owners of state hold. What is asked about configuration is in `configuration_operations`.
"""

import asyncio
import os
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import suppress

import msgspec
from immutables import Map

from proa import __version__
from proa.control_plane.authority import Authority
from proa.control_plane.authority import Refused as AuthorityRefused
from proa.control_plane.checking_peers import check_mesh
from proa.control_plane.configuration import Configuration
from proa.control_plane.configuration_operations import ConfigurationOperations
from proa.control_plane.explaining import explain_mesh
from proa.control_plane.federation import Federations
from proa.control_plane.mixer.explaining import UnknownRule, explain_rules_of
from proa.control_plane.mixer.mixer import Mixer
from proa.control_plane.mixer.quotas import Quotas
from proa.control_plane.mixer.reports import Reports
from proa.control_plane.mixer.trying import CannotBeTried, try_check
from proa.control_plane.mixer.trying_quotas import try_quotas
from proa.control_plane.mixer.trying_reports import try_report
from proa.control_plane.peers import OtherControlPlanes
from proa.control_plane.proxies import Proxies as ProxyStreams
from proa.control_plane.proxies import ProxyStream
from proa.control_plane.registrations import Registrations
from proa.control_plane.revocations import RevocationRefused
from proa.control_plane.rotation import Rotation, RotationRefused
from proa.control_plane.showing import (
    resource_order,
    show_authority,
    show_certificate,
    show_federations,
    show_offered,
    show_operator,
    show_rejection,
    show_types,
)
from proa.control_plane.standing import Standings
from proa.control_plane.token_keys import TokenKeys
from proa.control_plane.world import World
from proa.core.auth.operators import operator_of
from proa.core.auth.plugged import PluggedFiles, Unusable, read_plugged
from proa.core.auth.spiffe import control_plane_id, node_of, parse_spiffe_id, workload_dns_name
from proa.core.mixer.pushdown.explaining import ExplainedRules
from proa.core.model.names import ObjectRef, WorkloadId
from proa.core.model.workload import GatewayPort
from proa.core.pilot.explain.asking import BadQuestion
from proa.core.pilot.explain.mesh import Place
from proa.core.pilot.explain.peers import PeerQuestion, PeerReport
from proa.core.pilot.explain.story import Explanation, Question
from proa.core.pilot.resource import ORDER, ResourceType
from proa.core.sidecar.session import OwnListener
from proa.ports.authority_store import AuthorityStore
from proa.ports.config_store import ConfigStore, StoredObject
from proa.ports.store_backup import StoreBackups
from proa.servers.admin.authority import (
    Audit,
    AuthorityStatus,
    OwnBundle,
    PlugRequest,
    RevocationList,
    RevokeRequest,
    RotateRequest,
)
from proa.servers.admin.mixer import CheckTried, CheckTry, QuotasTried, ReportTried, ReportTry, RulesQuestion
from proa.servers.admin.operations import (
    Certificates,
    CertificateStatus,
    MeshStatus,
    MintedToken,
    NotFound,
    OperatorCertificate,
    OperatorRequest,
    Proxies,
    ProxyConfig,
    ProxyProgress,
    ProxyStatus,
    Refused,
    Services,
    ServiceStatus,
    TokenRequest,
    WaitStatus,
)

PACE_S = 0.02
"""Least time between two looks at all proxies: a thousand ACKs of one push are a few looks, not a thousand."""

ISSUANCES_READ = 10_000
"""How far back the audit is read for current certificates."""


class Operations(ConfigurationOperations):
    """Every method may run concurrently: what it reads it reads between two awaits."""

    def __init__(
        self,
        *,
        world: World,
        configuration: Configuration,
        registrations: Registrations,
        streams: ProxyStreams,
        authority: Authority,
        rotation: Rotation,
        store: ConfigStore,
        backups: StoreBackups,
        audit: AuthorityStore,
        addresses: Map[str, str],
        unready: Callable[[], tuple[str, ...]],
        clock: Callable[[], float],
        servers: Callable[[], tuple[str, ...]],
        token_keys: TokenKeys,
        federations: Federations,
        mixer: Mixer,
        quotas: Quotas,
        reports: Reports,
        others: OtherControlPlanes | None = None,
    ) -> None:
        """`servers` are the xDS addresses of all control planes; `others` are those besides this one."""
        super().__init__(world=world, configuration=configuration, store=store, backups=backups, clock=clock)
        self._registrations = registrations
        self._streams = streams
        self._authority = authority
        self._rotation = rotation
        self._audit = audit
        self._addresses = addresses
        self._federations = federations
        self._mixer, self._quotas, self._reports = mixer, quotas, reports
        self._unready = unready
        self._started = clock()
        self._servers = servers
        self._token_keys = token_keys
        self._others = others
        self._standings = Standings(
            world,
            configuration,
            streams.stream_of,
            self.is_opening,
            lambda workload: others.taken_of(workload) if others else None,
        )

    def _told(self, stored: StoredObject) -> StoredObject:
        return self._standings.with_status(stored)

    # -- proxies --

    async def wait(self, version: int) -> AsyncIterator[WaitStatus]:
        generation = await self._configuration.generation_of(version)
        # Rules about tokens are in force with their keys: a proxy that has the rules alone refuses good tokens.
        await self._token_keys.tried()
        generation = max(generation, self._token_keys.generation)
        # Whoever asks from now on is answered by the rules of this version.
        await self._mixer.settled()
        last: WaitStatus | None = None
        while True:
            seen = self._streams.revision
            is_expecting = bool(self._streams.expected_back())
            status = self._progress(version, generation)
            if status != last:
                last = status
                yield status
            if status.done:
                return
            with suppress(TimeoutError):
                # A proxy that does not come back is waited for no longer, and that is no change.
                async with asyncio.timeout(1.0 if is_expecting else None):
                    await self._streams.changed(seen)
            await asyncio.sleep(PACE_S)

    def _progress(self, version: int, generation: int) -> WaitStatus:
        ours = (self._progress_of(stream, generation) for stream in self._streams.streams())
        known = {proxy.id: proxy for proxy in (*ours, *self._progress_elsewhere(version))}
        for workload in self._streams.expected_back():
            if workload not in known and workload in self._registrations.registrations():
                known[workload] = ProxyProgress(id=workload, state="pending")
        proxies = tuple(known[workload] for workload in sorted(known))
        moving = self._registrations.modes.is_moving or (
            self._others is not None and self._others.lagging(version)
        )
        done = not moving and all(proxy.state != "pending" for proxy in proxies)
        remarks = self._token_keys.missing() if done else ()
        return WaitStatus(version=version, done=done, proxies=proxies, remarks=remarks)

    def _progress_elsewhere(self, version: int) -> Iterator[ProxyProgress]:
        """Proxies that are connected to other control planes, as these tell."""
        for workload, has_taken, problems in self._others.progress(version) if self._others else ():
            if not has_taken:
                yield ProxyProgress(id=workload, state="pending", problems=problems)
            else:
                yield ProxyProgress(id=workload, state="rejected" if problems else "live", problems=problems)

    def _progress_of(self, stream: ProxyStream, generation: int) -> ProxyProgress:
        problems = tuple(
            show_rejection(
                self._configuration.conversion.blamed(refusal.objects),
                refusal.name,
                refusal.type.name,
                refusal.error,
            )
            for refusal in stream.refusals()
            if refusal.generation >= generation
        )
        if not stream.has_taken(generation) or self.is_opening(stream):
            return ProxyProgress(id=stream.workload, state="pending", problems=problems)
        return ProxyProgress(id=stream.workload, state="rejected" if problems else "live", problems=problems)

    def is_opening(self, stream: ProxyStream) -> bool:
        """A gateway's new port, or a listener of a sidecar's own, comes in two rounds: its agent binds one (or says why
        not) and tells, then there is a listener for it."""
        workload = self._world.snapshot.workloads.get(stream.workload)
        if workload is None or (workload.kind != "gateway" and not workload.gateway_ports):
            return bool(self._world.own_listeners_wanted(stream.workload))
        bound = {OwnListener(port.address, port.port) for port in workload.gateway_ports}
        wanted = {OwnListener("", port) for port in self._world.gateway_ports_wanted(stream.workload)}
        wanted |= set(self._world.own_listeners_wanted(stream.workload))
        is_listening = any(kind is ResourceType.LISTENER for kind, _ in stream.server.pending())
        return is_listening or not bound.issuperset(wanted)

    async def proxies(self) -> Proxies:
        return Proxies(
            proxies=tuple(
                self._proxy_status(workload) for workload in sorted(self._registrations.registrations())
            )
        )

    def _proxy_status(self, workload: WorkloadId) -> ProxyStatus:
        registration = self._registrations.registrations()[workload]
        stream = self._streams.stream_of(workload)
        ports = tuple(
            GatewayPort(port=port.server_port, bound_port=port.bound_port)
            for port in registration.gateway_ports
            if not port.address
        )
        status = ProxyStatus(
            id=workload,
            kind=registration.kind,
            node=registration.node,
            connected=stream is not None,
            gateway_ports=ports,
        )
        if stream is None:
            taken = self._others.taken_of(workload) if self._others else None
            return status if taken is None else msgspec.structs.replace(status, connected=True, version=taken)
        return msgspec.structs.replace(
            status,
            since=stream.since,
            version=self._configuration.version_at(stream.taken_through),
            is_full=stream.is_full,
            types=show_types(stream),
            rejections=tuple(
                show_rejection(
                    self._configuration.conversion.blamed(refusal.objects),
                    refusal.name,
                    refusal.type.name,
                    refusal.error,
                )
                for refusal in stream.refusals()
            ),
        )

    async def proxy_config(self, workload: WorkloadId) -> ProxyConfig:
        stream = self._streams.stream_of(workload)
        if stream is None:
            if workload not in self._registrations.registrations():
                raise NotFound(f"no workload {workload} is registered; `proa proxy status` lists them")
            raise Refused(
                f"the proxy of {workload} is not connected; `proa proxy logs {workload}` may say why"
            )
        # As its stream looks them up: rules for some clients and EnvoyFilters make a proxy's own of what is shared.
        offered = {
            (kind, name): resource
            for kind in ORDER
            for name in stream.source.names(kind)
            if (resource := stream.source.lookup(kind, name)) is not None
        }
        pending, rejected = stream.server.pending(), stream.server.rejected()
        resources = tuple(
            show_offered(resource, name in pending, rejected.get(name))
            for name, resource in sorted(offered.items(), key=lambda item: resource_order(item[0]))
        )
        return ProxyConfig(id=workload, resources=resources)

    def _place(self, ref: ObjectRef, _rule: str) -> Place:
        """A rule's own line is nobody's memory: the object's is."""
        file, line = self._configuration.place_of(ref)
        stored = self._configuration.stored.get(ref)
        return Place(file=file, line=line, version=stored.version if stored else 0)

    async def peers(self, question: PeerQuestion) -> PeerReport:
        try:
            return check_mesh(
                self._world,
                self._configuration.conversion,
                self._registrations,
                question,
                stream_of=self._streams.stream_of,
                place=self._place,
            )
        except BadQuestion as error:
            raise Refused(str(error)) from None

    async def explain(self, question: Question) -> Explanation:
        try:
            return explain_mesh(
                self._world,
                self._configuration.conversion,
                question,
                stream_of=self._streams.stream_of,
                place=self._place,
                unwatched="is not connected here: whether it has taken all this is not known",
            )
        except BadQuestion as error:
            raise Refused(str(error)) from None

    async def explain_rules(self, question: RulesQuestion) -> ExplainedRules:
        try:
            return explain_rules_of(self._world, question)
        except UnknownRule as error:
            raise NotFound(str(error)) from None

    async def check(self, wanted: CheckTry) -> CheckTried:
        try:
            return await try_check(self._world, self._mixer, wanted, self._clock)
        except CannotBeTried as error:
            raise Refused(str(error)) from None

    async def quotas(self, wanted: CheckTry) -> QuotasTried:
        try:
            return await try_quotas(self._world, self._quotas, wanted, self._clock)
        except CannotBeTried as error:
            raise Refused(str(error)) from None

    async def reports(self, wanted: ReportTry, *, sends: bool = False) -> ReportTried:
        sink = self._reports if sends else None
        try:
            return await try_report(self._world, self._mixer, wanted, self._clock, sink)
        except CannotBeTried as error:
            raise Refused(str(error)) from None

    async def services(self) -> Services:
        snapshot = self._world.snapshot
        return Services(
            services=tuple(
                ServiceStatus(
                    service=snapshot.services[host],
                    endpoints=snapshot.endpoints[host].endpoints if host in snapshot.endpoints else (),
                )
                for host in sorted(snapshot.services)
            )
        )

    # -- identities --

    async def certificates(self) -> Certificates:
        trust_domain = self._authority.trust_domain
        by_name = {
            workload_dns_name(workload, trust_domain): registration
            for workload, registration in self._registrations.registrations().items()
        }
        newest: dict[tuple[str, tuple[str, ...]], CertificateStatus] = {}
        now = self._clock()
        for issuance in await self._audit.issuances(limit=ISSUANCES_READ):
            key = (issuance.identity, issuance.dns_names)
            if key in newest:
                continue
            registration = next((by_name[name] for name in issuance.dns_names if name in by_name), None)
            identity = parse_spiffe_id(issuance.identity)
            node, operator = node_of(identity) or "", operator_of(identity)
            if registration is not None:
                newest[key] = show_certificate(issuance, registration.id, registration.node)
            elif node:
                newest[key] = show_certificate(issuance, None, node)
            elif operator is not None and issuance.not_after > now:
                newest[key] = show_operator(issuance, operator)
        return Certificates(
            certificates=tuple(newest[key] for key in sorted(newest)),
            authority=await self.authority(),
            federated=tuple(show_federations(self._federations.believed.value, self._federations.failing)),
        )

    async def bundle(self) -> OwnBundle:
        return OwnBundle(
            trust_domain=self._authority.trust_domain,
            pem=self._authority.roots_pem,
            document=self._authority.bundle_document.decode(),
            endpoint=f"https://{self._addresses['join']}/v1/bundle",
            endpoint_id=str(control_plane_id(self._authority.trust_domain)),
        )

    async def authority(self) -> AuthorityStatus:
        return show_authority(self._authority.keyring, self._rotation.waiting.value)

    async def rotate(self, request: RotateRequest) -> AuthorityStatus:
        try:
            if request.what == "root":
                await self._rotation.rotate_root(request.author)
            else:
                await self._rotation.rotate_intermediate(request.author)
        except RotationRefused as refused:
            where = self._others.leader() if self._others else ""
            raise Refused(f"{refused}{where}") from None
        return await self.authority()

    async def plug(self, request: PlugRequest) -> AuthorityStatus:
        files = PluggedFiles(cert=request.cert, key=request.key, chain=request.chain)
        brought = await asyncio.to_thread(read_plugged, files, self._authority.trust_domain, self._clock())
        if isinstance(brought, Unusable):
            raise Refused("\n".join(brought.faults))
        try:
            await self._rotation.plug(brought, request.author)
        except RotationRefused as refused:
            where = self._others.leader() if self._others else ""
            raise Refused(f"{refused}{where}") from None
        return await self.authority()

    async def revoke(self, request: RevokeRequest) -> RevocationList:
        revocations = self._authority.revocations
        try:
            if request.restore:
                return RevocationList(
                    revocations=(await revocations.restore(request.what, author=request.author),)
                )
            added = await revocations.revoke(request.what, reason=request.reason, author=request.author)
        except RevocationRefused as refused:
            raise Refused(str(refused)) from None
        return RevocationList(revocations=added)

    async def revocations(self) -> RevocationList:
        return RevocationList(revocations=self._authority.revocations.records())

    async def audit(self, limit: int) -> Audit:
        return Audit(
            issuances=await self._audit.issuances(limit=limit), events=await self._audit.events(limit=limit)
        )

    async def mint_token(self, request: TokenRequest) -> MintedToken:
        minted = await self._authority.mint_token(
            node=request.node,
            ttl=request.ttl_s,
            placements=request.placements,
            join=self._addresses["join"],
            more_joins=self._others.joins() if self._others else (),
            servers=self._servers(),
        )
        if isinstance(minted, AuthorityRefused):
            raise Refused(minted.reason)
        return MintedToken(
            token=minted.text,
            node=minted.record.node,
            expires=minted.record.expires,
            placements=minted.record.placements,
        )

    async def issue_operator(self, request: OperatorRequest) -> OperatorCertificate:
        issued = await self._authority.issue_operator(
            csr_pem=request.csr_pem,
            name=request.name,
            role=request.role,
            asked_by=request.author,
            ttl_s=request.ttl_s,
        )
        if isinstance(issued, AuthorityRefused):
            raise Refused(issued.reason)
        return OperatorCertificate(
            chain_pem=issued.chain_pem,
            roots_pem=self._authority.roots_pem,
            identity=str(issued.identity),
            serial=issued.serial,
            not_after=issued.not_after,
        )

    async def status(self) -> MeshStatus:
        snapshot = self._world.snapshot
        return MeshStatus(
            version=__version__,
            pid=os.getpid(),
            started=self._started,
            ready=not self._unready(),
            trust_domain=snapshot.settings.trust_domain,
            config_version=max(0, self._configuration.version),
            addresses=self._addresses,
            objects=len(snapshot.configs),
            services=len(snapshot.services),
            nodes=sum(self._registrations.nodes().values()),
            proxies=len(snapshot.workloads),
            proxies_connected=len(self._streams.streams()),
            outbound_policy=snapshot.settings.outbound_policy,
        )
