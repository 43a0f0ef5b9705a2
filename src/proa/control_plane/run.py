"""The control plane put together: opens what it needs, starts servers and tasks, ends them in order.

Composition only: every decision is made elsewhere.
"""

import asyncio
import logging
import os
import secrets
import socket
import ssl
import tempfile
import time
from contextlib import AsyncExitStack
from typing import Final

import msgspec
from cryptography.hazmat.primitives.asymmetric import ec
from immutables import Map

from proa.adapters.config_sources.files import FilesSource
from proa.adapters.config_sources.sqlite import open_stores
from proa.adapters.key_stores.disk import DiskKeyStore
from proa.control_plane.admission import Gate
from proa.control_plane.authority import Authority, Refused
from proa.control_plane.callers import Callers
from proa.control_plane.configuration import Configuration
from proa.control_plane.leases import Leases
from proa.control_plane.limits import Limits
from proa.control_plane.metrics import build_registry
from proa.control_plane.nodes import Nodes
from proa.control_plane.operations import PACE_S, Operations
from proa.control_plane.options import ServeOptions
from proa.control_plane.proxies import OVERDUE_S, Proxies
from proa.control_plane.refusals import Refusals
from proa.control_plane.registrations import Registrations
from proa.control_plane.world import World
from proa.core.auth.ca import private_pem
from proa.core.auth.csr import build_csr
from proa.core.auth.rotation import renew_at
from proa.core.auth.spiffe import control_plane_id
from proa.core.model.settings import MeshSettings
from proa.core.model.snapshot import Change
from proa.home import Home
from proa.ports.authority_store import AuthorityStore
from proa.ports.failures import StoreTemporary
from proa.runtime.polling import sleep_until
from proa.runtime.shutdown import shutdown_event
from proa.runtime.supervise import Supervisor
from proa.servers.admin.addresses import Addresses, write_addresses
from proa.servers.admin.app import build_admin_app
from proa.servers.asgi import bind_tcp, bind_unix, serving, to_authority, unbind_unix
from proa.servers.authority.attempts import Attempts
from proa.servers.authority.join import build_join_app
from proa.servers.authority.node import node_service
from proa.servers.grpc_edge import Credentials, build_server
from proa.servers.metrics.app import build_metrics_app
from proa.servers.xds.delta import delta_service

TICK_S: Final = 1.0
"""How often leases and overdue answers are looked at."""

LOOK_S: Final = 30.0
"""Longest sleep between looks at the wall clock: a laptop that was closed for hours renews soon after."""
RETRY_S: Final = 5.0

log = logging.getLogger("proa.control_plane")


class _Identity(msgspec.Struct, frozen=True, kw_only=True):
    """This process's own key and chain."""

    key_pem: str
    chain_pem: str
    renew_at: float


async def run(options: ServeOptions) -> None:
    """Serve until a signal. Raises StoreFailure, IssuanceError or OSError when it cannot start."""
    home = Home(options.home)
    home.prepare()
    async with AsyncExitStack() as stack:
        # First of all: whoever has this socket is the home's control plane, and nobody else touches its store.
        admin_socket = stack.enter_context(bind_unix(home.admin_socket))
        stack.callback(home.tidy)
        stack.callback(unbind_unix, home.admin_socket)
        stores = await stack.enter_async_context(open_stores(home.store))
        authority = await Authority.open(
            trust_domain=options.trust_domain,
            keys=DiskKeyStore(home.ca_dir),
            store=stores.authority,
            clock=time.time,
            entropy=secrets.token_bytes,
            leaf_ttl=options.leaf_ttl,
        )
        world = World(
            MeshSettings(trust_domain=options.trust_domain, outbound_policy=options.outbound_policy),
            time.monotonic,
            time.process_time,
        )
        proxies = Proxies(world, time.time)
        registrations = Registrations(world, proxies, time.monotonic)
        leases = Leases(stores.leases, time.time)
        configuration = Configuration(world, registrations.set_policies)
        expected = {"store", *(["directory"] if options.config_dir else [])}

        def unready() -> tuple[str, ...]:
            return tuple(f"configuration from the {name}" for name in sorted(expected - configuration.synced))

        join_socket = stack.enter_context(bind_tcp(options.listen, options.join_port))
        metrics_socket = stack.enter_context(bind_tcp(options.listen, options.metrics_port))
        host = options.advertise or _reachable(options.listen)
        identity = await _new_identity(authority)
        credentials = Credentials(identity.key_pem, identity.chain_pem, authority.root_pem)
        tls = _server_tls(identity)

        xds_port = _free_port(options.listen, options.xds_port)
        addresses = Addresses(
            xds=to_authority(host, xds_port),
            join=to_authority(host, join_socket.getsockname()[1]),
            metrics=to_authority(host, metrics_socket.getsockname()[1]),
            pid=os.getpid(),
        )
        limits, refusals = Limits(), Refusals(time.monotonic)
        gate = Gate(proxies.push_age, time.monotonic, refusals)
        attempts = Attempts(time.monotonic, refused=refusals.of("(joining)"))
        nodes = Nodes(
            registrations,
            leases,
            authority,
            proxies,
            (addresses.xds,),
            gate,
            Callers(limits, time.monotonic),
            refusals,
            limits,
        )
        operations = Operations(
            world=world,
            configuration=configuration,
            registrations=registrations,
            streams=proxies,
            authority=authority,
            store=stores.config,
            backups=stores.backups,
            audit=stores.authority,
            addresses=Map({"xds": addresses.xds, "join": addresses.join, "metrics": addresses.metrics}),
            unready=unready,
            clock=time.time,
        )
        registry = build_registry(world, proxies, registrations, authority, gate, refusals, time.time)
        server = build_server(
            delta_service(nodes, options.trust_domain), node_service(nodes, options.trust_domain)
        )
        stack.push_async_callback(server.stop, None)  # also when something fails before the end below
        listen = to_authority(options.listen, xds_port)
        try:
            server.add_secure_port(listen, credentials.build())
        except RuntimeError as error:  # taken since `_free_port` looked
            raise OSError(f"cannot listen on {listen}: {error}") from None
        async with shutdown_event() as stopping, Supervisor() as tasks:
            tasks.keep("world", world.run())
            tasks.keep("store", configuration.follow_store(stores.config))
            if options.config_dir is not None:
                tasks.keep("directory", configuration.follow_directory(FilesSource(options.config_dir)))
            await configuration.until_synced(expected)
            registrations.set_grants(await stores.authority.grants())
            restored = await leases.restore(registrations)
            log.info("%d nodes are known from before", restored)
            await world.commit(Change())
            tasks.keep("grants", _follow_grants(stores.authority, registrations))
            tasks.keep("leases", leases.run())
            tasks.keep("gate", gate.run())
            tasks.keep("clock", _tick(registrations, leases, proxies))
            tasks.keep("modes", _advance_modes(registrations, proxies))
            tasks.keep("certificate", _renew(authority, identity, credentials, tls))
            await server.start()
            async with (
                serving(build_join_app(nodes, attempts=attempts), [join_socket], tls),
                serving(build_metrics_app(registry, unready), [metrics_socket]),
                serving(build_admin_app(operations, refusals.of("(command line)")), [admin_socket]),
            ):
                write_addresses(home.endpoints, addresses)
                log.info("serving xDS at %s", addresses.xds)
                await stopping.wait()
                home.endpoints.unlink(missing_ok=True)
            await server.stop(grace=1.0)
            tasks.stop()
        await leases.flush()


async def _follow_grants(store: AuthorityStore, registrations: Registrations) -> None:
    async for grants in store.watch_grants():
        registrations.set_grants(grants)


async def _tick(registrations: Registrations, leases: Leases, proxies: Proxies) -> None:
    waited: float = 0.0
    while True:
        await asyncio.sleep(TICK_S)
        for node in registrations.expire():
            leases.forget(node)
        waited += TICK_S
        if waited >= OVERDUE_S:
            waited = 0.0
            proxies.check_overdue()


async def _advance_modes(registrations: Registrations, proxies: Proxies) -> None:
    while True:
        seen = proxies.revision
        if registrations.is_moving:
            registrations.advance_modes()
            await asyncio.sleep(PACE_S)
        await proxies.changed(seen)


async def _new_identity(authority: Authority) -> _Identity:
    key = ec.generate_private_key(ec.SECP256R1())
    issued = await authority.issue_control_plane(
        csr_pem=build_csr(key, control_plane_id(authority.trust_domain))
    )
    if isinstance(issued, Refused):
        raise RuntimeError(f"the authority refuses this process a certificate: {issued.reason}")
    return _Identity(
        key_pem=private_pem(key),
        chain_pem=issued.chain_pem,
        renew_at=renew_at(issued.not_before, issued.not_after, 0.5),
    )


async def _renew(
    authority: Authority, identity: _Identity, credentials: Credentials, tls: ssl.SSLContext
) -> None:
    """A new certificate at half life; open connections keep the one they were made with."""
    while True:
        await sleep_until(time.time, identity.renew_at, LOOK_S)
        try:
            renewed = await _new_identity(authority)
            _load(tls, renewed)
        except (
            StoreTemporary,
            OSError,
        ) as error:  # a full disk, for one: the certificate has half its life left
            log.error("own certificate not renewed, trying again: %s", error)
            await asyncio.sleep(RETRY_S)
            continue
        identity = renewed
        credentials.set(identity.key_pem, identity.chain_pem, authority.root_pem)


def _server_tls(identity: _Identity) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    _load(context, identity)
    return context


def _load(context: ssl.SSLContext, identity: _Identity) -> None:
    """The ssl module reads files only: one that nobody else may read, for a moment."""
    with tempfile.NamedTemporaryFile("w", suffix=".pem") as file:
        file.write(identity.key_pem + identity.chain_pem)
        file.flush()
        context.load_cert_chain(file.name)


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


def _free_port(address: str, port: int) -> int:
    """gRPC tells which port it took only after it is too late to write it into certificates and tokens, and of a
    port that is taken only in its own words. Raises AddressTaken."""
    with bind_tcp(address, port) as probe:
        return int(probe.getsockname()[1])
