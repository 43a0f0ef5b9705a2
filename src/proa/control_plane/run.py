"""The control plane put together: opens what it needs, starts servers and tasks, ends them in order.

Composition only: every decision is made elsewhere.
"""

import asyncio
import logging
import os
import secrets
import socket
import time
from contextlib import AsyncExitStack
from typing import Final

import aiohttp
from immutables import Map

from proa.adapters.config_sources.files import FilesSource
from proa.adapters.policy_catalog import installed
from proa.adapters.token_keys.http import HttpKeyFetcher
from proa.adapters.trust_bundles.disk import BundlesOnDisk
from proa.adapters.trust_bundles.http import HttpBundleFetcher
from proa.adapters.upstream_authorities.spire import SpireAuthority
from proa.adapters.upstream_authorities.vault import VaultAuthority
from proa.control_plane.admission import Gate
from proa.control_plane.askers import Askers, opened_reviewers, read_issuers
from proa.control_plane.authority import Authority
from proa.control_plane.ca_keys import generate_key
from proa.control_plane.callers import Callers
from proa.control_plane.configuration import Configuration
from proa.control_plane.federation import Federations
from proa.control_plane.federation_metrics import FederationMetrics
from proa.control_plane.identity_metrics import IdentityMetrics
from proa.control_plane.leases import Leases
from proa.control_plane.limits import Limits
from proa.control_plane.metrics import build_registry
from proa.control_plane.mixer.handlers import Handlers
from proa.control_plane.mixer.metrics import MixerMetrics
from proa.control_plane.mixer.mixer import Mixer
from proa.control_plane.mixer.quotas import Quotas
from proa.control_plane.mixer.report_metrics import ReportMetrics
from proa.control_plane.mixer.reports import Reports
from proa.control_plane.nodes import Nodes
from proa.control_plane.opened_stores import opened_stores
from proa.control_plane.operations import PACE_S, Operations
from proa.control_plane.options import ServeOptions
from proa.control_plane.own_certificate import OwnCertificate
from proa.control_plane.peers import OtherControlPlanes
from proa.control_plane.plugged_files import BroughtCa, PluggedSource, PluggedUnusable
from proa.control_plane.proxies import OVERDUE_S, Proxies
from proa.control_plane.pruning import keep_pruned
from proa.control_plane.refusals import Refusals
from proa.control_plane.registrations import Registrations
from proa.control_plane.revocations import Revocations
from proa.control_plane.rotation import Rotation
from proa.control_plane.signers import Signers, signing_workers
from proa.control_plane.token_keys import TokenKeys
from proa.control_plane.trust_reports import TrustReports
from proa.control_plane.upstream import UpstreamSource
from proa.control_plane.world import World
from proa.core.auth.ca import Ca
from proa.core.auth.plugged import Unusable
from proa.core.auth.root_rotation import pace_of
from proa.core.auth.template import backdate_of
from proa.core.model.settings import MeshSettings
from proa.core.model.snapshot import Change
from proa.home import Home
from proa.ports.authority_store import AuthorityStore
from proa.ports.failures import StoreTemporary
from proa.ports.key_store import KeyStore
from proa.ports.upstream_authority import UpstreamAuthority
from proa.runtime.garbage import spare_what_stays
from proa.runtime.shutdown import shutdown_event
from proa.runtime.supervise import Supervisor
from proa.servers.admin.addresses import Addresses, write_addresses
from proa.servers.admin.app import build_admin_app
from proa.servers.admin.client_tls import ClientTls
from proa.servers.admin.roles import Door, Roles, read_roles, with_roles
from proa.servers.asgi import Strangers, bind_tcp, bind_unix, serving, to_authority, unbind_unix
from proa.servers.authority.attempts import Attempts
from proa.servers.authority.istio import istio_service
from proa.servers.authority.join import build_join_app
from proa.servers.authority.node import node_service
from proa.servers.grpc_edge import Peer, serving_grpc
from proa.servers.metrics.app import build_metrics_app
from proa.servers.mixer.checks import checks_service
from proa.servers.mixer.rate_limits import rate_limits_service
from proa.servers.mixer.reports import reports_service
from proa.servers.xds.delta import delta_service

REMOTE_STAY_S: Final = 600.0
"""A connection of the remote admin API ends after that, `apply --wait` included."""

TICK_S: Final = 1.0
"""How often leases and overdue answers are looked at."""

GRACE_S: Final = 1.0
"""For calls that are under way at the end; open streams are told to come again."""

log = logging.getLogger("proa.control_plane")


async def run(options: ServeOptions) -> None:
    """Serve until a signal. Raises StoreFailure, IssuanceError or OSError when it cannot start."""
    home = Home(options.home)
    home.prepare()
    async with AsyncExitStack() as stack:
        # First of all: whoever has this socket is the home's control plane, and nobody else touches its store.
        admin_socket = stack.enter_context(bind_unix(home.admin_socket))
        stack.callback(home.tidy)
        stack.callback(unbind_unix, home.admin_socket)
        roles = read_roles(options.admin_roles) if options.admin_roles else Roles()
        issuers = read_issuers(options.token_issuers) if options.token_issuers else None
        stores = await stack.enter_async_context(
            opened_stores(home, options.shared, options.ca_passphrase, options.ca_secret)
        )
        sharing = stores.sharing
        leads = sharing.leads if sharing else lambda: True
        plugged = _brought(options)
        brought = await _read_brought(plugged, stores.keys) if plugged else None
        if isinstance(brought, Unusable):
            raise PluggedUnusable("\n".join(brought.faults))
        denials = Refusals(time.monotonic, logging.getLogger("proa.control_plane.denials"))
        revocations = Revocations(stores.authority, options.trust_domain, time.time)
        await revocations.load()
        workers = signing_workers(options.signing_workers)
        if workers is not None:
            stack.callback(workers.close)
        authority = await Authority.open(
            trust_domain=options.trust_domain,
            keys=stores.keys,
            store=stores.authority,
            clock=time.time,
            entropy=secrets.token_bytes,
            leaf_ttl=options.leaf_ttl,
            is_leader=leads,
            plugged=brought,
            revocations=revocations,
            denied=denials.count,
            signers=Signers(workers),
        )
        policies = installed()
        for fault in policies.faults:
            log.warning("%s", fault)
        world = World(
            MeshSettings(trust_domain=options.trust_domain, outbound_policy=options.outbound_policy),
            time.monotonic,
            time.process_time,
            catalogue=policies.catalogue,
        )
        web = await stack.enter_async_context(aiohttp.ClientSession(trust_env=False))
        token_keys = TokenKeys(world, HttpKeyFetcher(web), stores.token_keys, time.time)
        await token_keys.load()
        federations = Federations(world, HttpBundleFetcher(), BundlesOnDisk(home.trust_bundles_dir))
        proxies = Proxies(world, time.time)
        registrations = Registrations(world, proxies, time.monotonic, denied=denials.count)
        registrations.stamp = stores.stamp
        leases = Leases(stores.leases, time.time, name=sharing.name if sharing else "", leads=leads)
        configuration = Configuration(world, registrations.set_policies, policies.catalogue)
        mixer = Mixer(world, Handlers(policies.adapters))
        world.subscribe(mixer.look)
        quotas = Quotas(world, mixer.handlers)
        reports = Reports(world, mixer.handlers, options.trust_domain)
        expected = {"store", *(["directory"] if options.config_dir else [])}

        def unready() -> tuple[str, ...]:
            return tuple(f"configuration from the {name}" for name in sorted(expected - configuration.synced))

        xds_socket = stack.enter_context(bind_tcp(options.listen, options.xds_port))
        join_socket = stack.enter_context(bind_tcp(options.listen, options.join_port))
        admin_listener = None
        if options.admin_port is not None:
            admin_listener = stack.enter_context(bind_tcp(options.listen, options.admin_port))
        metrics_socket = stack.enter_context(bind_tcp(options.listen, options.metrics_port))
        host = options.advertise or _reachable(options.listen)
        own = await OwnCertificate.open(authority, takes_strangers=issuers is not None)
        rotation = Rotation(
            authority=authority,
            store=stores.authority,
            reports=TrustReports(stores.leases).read,
            own=lambda: own.uses,
            clock=time.time,
            pace=pace_of(options.leaf_ttl, backdate_of(options.leaf_ttl)),
            is_leader=leads,
            plugged=plugged,
        )
        if brought is not None:
            await rotation.adopt(brought)

        addresses = Addresses(
            xds=to_authority(host, xds_socket.getsockname()[1]),
            join=to_authority(host, join_socket.getsockname()[1]),
            metrics=to_authority(host, metrics_socket.getsockname()[1]),
            pid=os.getpid(),
        )
        others: OtherControlPlanes | None = None
        if sharing is not None:
            others = registrations.modes.peers = OtherControlPlanes(
                membership=sharing.introduce(addresses.xds, addresses.join),
                registrations=registrations,
                leases=leases,
                configuration=configuration,
                proxies=proxies,
            )

        def servers() -> tuple[str, ...]:
            return (others.members.servers if others else ()) or (addresses.xds,)

        def tell_servers() -> None:
            world.submit(Change(control_planes=servers()))

        if others is not None:
            others.on_servers = tell_servers
        limits, refusals = Limits(), Refusals(time.monotonic)
        gate = Gate(proxies.push_age, time.monotonic, refusals)
        attempts = Attempts(time.monotonic, refused=refusals.of("(joining)"))
        nodes = Nodes(
            registrations,
            leases,
            authority,
            proxies,
            servers,
            gate,
            Callers(limits, time.monotonic),
            refusals,
            limits,
            federations,
        )
        operations = Operations(
            world=world,
            configuration=configuration,
            registrations=registrations,
            streams=proxies,
            authority=authority,
            rotation=rotation,
            store=stores.config,
            backups=stores.backups,
            audit=stores.authority,
            addresses=Map({"xds": addresses.xds, "join": addresses.join, "metrics": addresses.metrics}),
            unready=unready,
            clock=time.time,
            servers=servers,
            token_keys=token_keys,
            federations=federations,
            mixer=mixer,
            quotas=quotas,
            reports=reports,
            others=others,
        )
        registry = build_registry(
            world,
            proxies,
            registrations,
            gate,
            refusals,
            denials,
            token_keys,
            IdentityMetrics(authority, rotation.waiting, lambda: own.not_after, time.time),
        )
        registry.register(FederationMetrics(federations))
        registry.register(MixerMetrics(mixer, quotas.endings))
        registry.register(ReportMetrics(reports))

        def judge(peer: Peer) -> str:
            return revocations.refusal(serial=peer.serial, identity=str(peer.identity), names=peer.names)

        askers = Askers(
            authority,
            await stack.enter_async_context(opened_reviewers(issuers)),
            Callers(limits, time.monotonic),
            Attempts(time.monotonic, refused=refusals.of("(asking)")),
            refusals,
        )
        services = (
            delta_service(nodes, options.trust_domain),
            node_service(nodes, options.trust_domain),
            istio_service(askers),
            checks_service(mixer, options.trust_domain),
            rate_limits_service(quotas, options.trust_domain),
            reports_service(reports, options.trust_domain),
        )
        async with shutdown_event() as stopping, Supervisor() as tasks, reports:
            tasks.keep("world", world.run())
            tasks.keep("store", configuration.follow_store(stores.config))
            if options.config_dir is not None:
                tasks.keep(
                    "directory",
                    configuration.follow_directory(FilesSource(options.config_dir, policies.catalogue)),
                )
            await configuration.until_synced(expected)
            registrations.set_revoked(revocations.revoked.value)
            registrations.set_grants(await stores.authority.grants())
            restored = await leases.restore(registrations)
            log.info("%d nodes are known from before", restored)
            await world.commit(Change(control_planes=servers()))
            tasks.keep("token keys", token_keys.run())
            await token_keys.tried()
            tasks.keep("mixer", mixer.run())
            await mixer.settled()
            spare_what_stays()
            tasks.keep("federation", federations.run())
            if sharing is not None and others is not None:
                tasks.keep("others' leases", leases.follow(sharing.leases, registrations))
                tasks.keep("others", others.follow())
                tasks.keep("word to others", others.speak(operations.is_opening))
                tasks.keep("membership", others.stay())
                tasks.keep("sweeping", sharing.keep_swept())
            tasks.keep("grants", _follow_grants(stores.authority, registrations))
            tasks.keep("revocations", revocations.run())
            tasks.keep("revoked", _follow_revoked(revocations, registrations))
            tasks.keep("leases", leases.run())
            tasks.keep("gate", gate.run())
            tasks.keep("pruning", keep_pruned(stores.authority, time.time, options.keep_records))
            tasks.keep("clock", _tick(registrations, leases, proxies))
            tasks.keep("modes", _advance_modes(registrations, proxies))
            tasks.keep("certificate", own.keep())
            tasks.keep("rotation", rotation.run())
            async with (
                serving_grpc(services, [xds_socket], own.credentials, GRACE_S, judge, denials.count),
                serving(build_join_app(nodes, attempts=attempts), [join_socket], own.tls),
                serving(build_metrics_app(registry, unready, policies.exposition), [metrics_socket]),
                serving(
                    build_admin_app(operations, refusals.of("(command line)")),
                    [admin_socket],
                    refused=lambda user: denials.count("role", f"user {user}"),
                ),
            ):
                write_addresses(home.endpoints, addresses)
                if admin_listener is not None:
                    door = Door(
                        roles=roles,
                        trust_domain=options.trust_domain,
                        judge=judge,
                        clock=time.time,
                        issued_to=authority.issued_to,
                    )
                    app = with_roles(
                        build_admin_app(operations, refusals.of("(remote)")), door, denials.count
                    )
                    tls = ClientTls(own.admin, denials.count)
                    await stack.enter_async_context(
                        serving(app, [admin_listener], tls, Strangers(stay_s=REMOTE_STAY_S, at_once=64))
                    )
                    log.info(
                        "the admin API answers at %s", to_authority(host, admin_listener.getsockname()[1])
                    )
                log.info("serving xDS at %s", addresses.xds)
                await stopping.wait()
                home.endpoints.unlink(missing_ok=True)
            await reports.finish(GRACE_S)
            tasks.stop()
        try:
            await leases.flush()
        except StoreTemporary as error:  # the nodes say it again, here or to another control plane
            log.warning("the last words of some nodes are not kept: %s", error)


async def _follow_grants(store: AuthorityStore, registrations: Registrations) -> None:
    async for grants in store.watch_grants():
        registrations.set_grants(grants)


async def _follow_revoked(revocations: Revocations, registrations: Registrations) -> None:
    async for revoked in revocations.revoked.follow():
        registrations.set_revoked(revoked)


async def _tick(registrations: Registrations, leases: Leases, proxies: Proxies) -> None:
    waited: float = 0.0
    while True:
        await asyncio.sleep(TICK_S)
        for node in registrations.expire():
            leases.forget(node)
        leases.remove_over()
        waited += TICK_S
        if waited >= OVERDUE_S:
            waited = 0.0
            proxies.check_overdue()


async def _advance_modes(registrations: Registrations, proxies: Proxies) -> None:
    while True:
        seen = proxies.revision
        if registrations.modes.is_moving:
            registrations.advance_modes()
            await asyncio.sleep(PACE_S)
        await proxies.changed(seen)


def _brought(options: ServeOptions) -> BroughtCa | None:
    if options.plugged is not None:
        return PluggedSource(options.plugged, options.trust_domain)
    above: UpstreamAuthority | None = None
    if options.vault is not None:
        above = VaultAuthority(options.vault)
    elif options.spire is not None:
        above = SpireAuthority(options.spire, options.trust_domain)
    return UpstreamSource(above, options.trust_domain, generate_key, time.time) if above else None


async def _read_brought(source: BroughtCa, keys: KeyStore) -> Ca | Unusable | None:
    """None: who should sign a CA for us is away, and one that was signed before goes on."""
    try:
        return await source.read(time.time())
    except StoreTemporary as error:
        if not await keys.names():
            raise  # the first start: a root of our own would be the mesh's for ever
        log.warning("no new CA for now: %s", error)
        return None


def _reachable(listen: str) -> str:
    """An address others can use: the one listened on, or this host's own when that is a wildcard."""
    if listen not in ("0.0.0.0", "::"):
        return listen
    name = socket.gethostname()
    try:
        found = socket.gethostbyname(name)
    except OSError as error:
        raise OSError(
            f"no address is known for this host, {name} ({error.strerror}): give --advertise"
        ) from None
    if found.startswith("127."):
        log.warning("this host's name means %s, which others cannot reach: give --advertise", found)
    return found
