"""The agent's side of the local protocol: one task per connection on the node's Unix socket.

A connection that places a workload owns it: what the workload says goes out on it, and when it ends, the
workload ends. A workload that an earlier agent left waits for a connection from the same owner. The socket is 0600 and
the peer's uid is checked besides: whoever may connect may place workloads.
"""

import asyncio
import logging
import os
import socket
import struct
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final

import msgspec

from proa.core.sidecar.local import (
    LINE_MAX,
    AdminAnswer,
    AskAdmin,
    AskDrain,
    AskEnvironment,
    AskGone,
    AskList,
    AskRestart,
    AskUndrain,
    Environment,
    Exited,
    Failed,
    Gone,
    LocalMessage,
    LocalMessageError,
    NodeDrained,
    Place,
    Question,
    Refused,
    Started,
    Stop,
    Undrained,
    WorkloadSpec,
    decode_from_client,
    encode_line,
    spec_problems,
)
from proa.core.sidecar.local import (
    Workloads as WorkloadsAnswer,
)
from proa.core.sidecar.planning import is_made_of, planned
from proa.core.sidecar.record import ProcessMark
from proa.core.sidecar.session import PlanRequest
from proa.node.envoy_admin import AdminUnavailable, EnvoyAdmin
from proa.node.intake import Intake, drain
from proa.node.replacement import NotReplaced
from proa.node.surroundings import Surroundings
from proa.node.uplink import Unanswered
from proa.node.workload import Vanish, Workload
from proa.node.workloads import Workloads
from proa.runtime.adopted import start_time
from proa.runtime.cell import Cell
from proa.runtime.outlet import Outlet
from proa.runtime.races import first_of
from proa.runtime.supervise import Supervisor

log = logging.getLogger("proa.node.local")

LAST_WORDS_S: Final = 0.5
PIECE: Final = 256 * 1024
"""Characters of an admin page in one message."""


class SocketInUse(Exception):
    """Another agent answers at the socket."""


class LocalServer:
    """`serve` runs it. Owner of every workload's task; those of `workloads` that are there already run too."""

    def __init__(self, around: Surroundings, workloads: Workloads) -> None:
        self._around = around
        self._workloads = workloads
        self._intake = Intake(around.home.node_dir)
        self._tasks = Supervisor()
        self._connections: Cell[int] = Cell(0)

    @asynccontextmanager
    async def serve(self, path: Path) -> AsyncIterator[None]:
        """Answers while the block runs; then ends every connection and what it owns. Raises SocketInUse.

        A block that is left by an exception leaves the sidecars to the next agent.
        """
        listener = _listen(path)
        async with self._tasks as tasks:
            for workload in self._workloads.all():
                tasks.run(f"workload {workload.spec.id}", self._live(workload))

            def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
                tasks.run("local connection", self._connection(reader, writer))

            server = await asyncio.start_unix_server(connected, sock=listener, limit=LINE_MAX)
            try:
                yield
            except BaseException:
                self._workloads.spare_all()
                raise
            finally:
                server.close()
                await self._say_last_words()
                tasks.stop()
                _remove(path)

    async def _say_last_words(self) -> None:
        """Owners whose workloads are gone already hear of it before their connections are cut."""
        try:
            async with asyncio.timeout(LAST_WORDS_S):
                await self._connections.until(lambda count: count <= len(self._workloads.all()))
        except TimeoutError:
            return

    async def _connection(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        outlet = Outlet()
        try:
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(_write(outlet, writer), name="local answers")
                self._connections.set(self._connections.value + 1)
                try:
                    peer = _peer(writer)
                    if peer is not None:
                        await self._converse(reader, outlet, peer)
                except LocalMessageError as error:
                    _put(outlet, Failed(code="malformed", message=str(error)))
                finally:
                    outlet.close()
        except* ConnectionError:
            pass  # the client went away; what it owned is gone
        finally:
            self._connections.set(self._connections.value - 1)
            writer.transport.abort() if writer.transport.is_closing() else writer.close()

    async def _converse(self, reader: asyncio.StreamReader, outlet: Outlet, peer: ProcessMark) -> None:
        while (message := await _read(reader)) is not None:
            match message:
                case Place():
                    await self._own(message, reader, outlet, peer)
                    return
                case (
                    AskEnvironment()
                    | AskList()
                    | AskAdmin()
                    | AskGone()
                    | AskDrain()
                    | AskUndrain()
                    | AskRestart()
                ):
                    async for answer in self._answers(message):
                        _put(outlet, answer)
                case _:
                    raise LocalMessageError("nothing is placed on this connection")

    async def _own(
        self, message: Place, reader: asyncio.StreamReader, outlet: Outlet, peer: ProcessMark
    ) -> None:
        problems = spec_problems(message.spec)
        if problems:
            _put(outlet, Refused(reason="; ".join(problems)))
            return
        workload = self._claimed(message, outlet, peer)
        if workload is None:
            try:
                message = msgspec.structs.replace(message, spec=await self._planned(message.spec))
            except Unanswered as unknown:
                _put(outlet, Refused(reason=f"group {message.spec.group}: {unknown}"))
                return
            workload = self._placed(message, outlet, peer)
        if workload is None:
            return
        try:
            await first_of(_ended(workload), _pass_orders(reader, workload))
        except* LocalMessageError as errors:
            _put(outlet, Refused(reason=str(errors.exceptions[0])))
        finally:
            workload.obey(Vanish())  # heard by nobody when it has ended

    async def _planned(self, spec: WorkloadSpec) -> WorkloadSpec:
        """With what operators have said of it. Raises Unanswered for one that joins a group of which nothing is
        known; others are placed as they are."""
        try:
            reply = await self._around.uplink.plan(
                PlanRequest(id=spec.id, labels=spec.labels, group=spec.group)
            )
        except Unanswered as unknown:
            if spec.group:
                raise
            log.warning("%s: placed without what ProxyConfigs say: %s", spec.id, unknown)
            return spec
        if spec.group and reply.group is None:
            raise Unanswered(f"there is no WorkloadGroup {spec.id.namespace}/{spec.group}")
        return planned(spec, reply)

    def _claimed(self, message: Place, outlet: Outlet, peer: ProcessMark) -> Workload | None:
        """The workload of an earlier agent that this owner had placed there."""
        found = self._workloads.get(message.spec.id)
        if found is None or not is_made_of(found.spec, message.spec) or not found.is_owned_by(peer):
            return None
        found.claim(lambda event: _put(outlet, event))
        return found

    def _placed(self, message: Place, outlet: Outlet, peer: ProcessMark) -> Workload | None:
        refusal = self._intake.refusal
        if refusal is not None and message.again is None:  # what runs already is not taken away
            _put(outlet, Refused(reason=refusal))
            return None
        workload = Workload(
            message.spec,
            self._around,
            register=self._workloads.register,
            withdraw=lambda: self._workloads.withdraw(message.spec.id),
            tell=lambda event: _put(outlet, event),
            owner=peer,
            again=message.again,
        )
        if not self._workloads.add(workload):
            _put(outlet, Refused(reason=f"workload {message.spec.id} runs on this node already"))
            return None
        log.info("%s: placed by a local process", message.spec.id)
        self._tasks.run(f"workload {message.spec.id}", self._live(workload))
        return workload

    async def _live(self, workload: Workload) -> None:
        try:
            await workload.run()
        except* SERIOUS as errors:
            log.exception("%s: failed", workload.spec.id, exc_info=errors)
            workload.say_failed(f"the agent failed: {errors.exceptions[0]}; see its log")
        finally:
            self._workloads.remove(workload)
            workload.ended.set()
            log.info("%s: gone", workload.spec.id)

    async def _answers(self, message: Question) -> AsyncIterator[LocalMessage]:
        match message:
            case AskList():
                yield WorkloadsAnswer(
                    node=self._around.node,
                    connected=self._around.session.answer.value is not None,
                    workloads=self._workloads.summaries(),
                )
            case AskGone(workload=name):
                await self._workloads.gone(name)
                yield Gone()
            case AskEnvironment(workload=name):
                found = self._workloads.find(name)
                if isinstance(found, Failed):
                    yield found
                elif found.placed is None:
                    yield Failed(code="unavailable", message=f"{found.spec.id} is still starting")
                else:
                    yield Environment(id=found.spec.id, env=found.placed.env)
            case AskAdmin():
                async for answer in self._admin(message):
                    yield answer
            case AskDrain():
                async for answer in self._drain(message):
                    yield answer
            case AskUndrain():
                yield await self._undrain(message)
            case AskRestart(workload=name):
                yield await self._restart(name)

    async def _drain(self, message: AskDrain) -> AsyncIterator[LocalMessage]:
        chosen = self._chosen(message.workload)
        if isinstance(chosen, Failed):
            yield chosen
            return
        if not message.workload:
            try:
                await self._intake.close()
            except OSError as error:
                log.error("that this node is drained is not remembered: %s", error)
        deadline_s = None if message.deadline_ms is None else max(0, message.deadline_ms) / 1000
        async for drained in drain(chosen, deadline_s):
            yield drained
        yield NodeDrained(node=self._around.node, is_closed=self._intake.refusal is not None)

    async def _undrain(self, message: AskUndrain) -> LocalMessage:
        chosen = self._chosen(message.workload)
        if isinstance(chosen, Failed):
            return chosen
        if not message.workload:
            await self._intake.open()
        drained = [each for each in chosen if each.is_draining]
        back = tuple(each.spec.id for each in drained if each.resume())
        stay = tuple(each.spec.id for each in drained if each.spec.id not in back)
        return Undrained(workloads=back, stay=stay)

    async def _restart(self, name: str) -> LocalMessage:
        found = self._workloads.find(name)
        if isinstance(found, Failed):
            return found
        try:
            return await found.restart_sidecar()
        except NotReplaced as error:
            return Failed(code="unavailable", message=f"{found.spec.id}: {error}")

    def _chosen(self, name: str) -> tuple[Workload, ...] | Failed:
        if not name:
            return self._workloads.all()
        found = self._workloads.find(name)
        return found if isinstance(found, Failed) else (found,)

    async def _admin(self, message: AskAdmin) -> AsyncIterator[LocalMessage]:
        found = self._workloads.find(message.workload)
        if isinstance(found, Failed):
            yield found
            return
        path = found.admin_socket
        if path is None or not message.path.startswith("/"):
            yield Failed(code="unavailable", message=f"{found.spec.id} has no sidecar running")
            return
        try:
            async with EnvoyAdmin(path) as admin:
                status, body = await admin.ask(message.path, message.method)
        except AdminUnavailable as error:
            yield Failed(code="unavailable", message=f"{found.spec.id}: {error}")
            return
        text = body.decode(errors="replace")
        for start in range(0, max(1, len(text)), PIECE):
            piece = text[start : start + PIECE]
            yield AdminAnswer(status=status, body=piece, more=start + PIECE < len(text))


SERIOUS: Final = Exception
"""A workload that fails must not take its neighbours with it: it is logged, its owner is told, the rest goes on."""


async def _pass_orders(reader: asyncio.StreamReader, workload: Workload) -> None:
    while (message := await _read(reader)) is not None:
        match message:
            case Started() | Stop() | Exited():
                workload.obey(message)
            case _:
                raise LocalMessageError("this connection owns a workload already")


async def _read(reader: asyncio.StreamReader) -> LocalMessage | None:
    try:
        line = await reader.readline()
    except (ValueError, ConnectionError) as error:
        raise LocalMessageError(str(error)) from None
    return decode_from_client(line) if line else None


async def _write(outlet: Outlet, writer: asyncio.StreamWriter) -> None:
    async for line in outlet.drain():
        writer.write(line)
        await writer.drain()


def _put(outlet: Outlet, message: LocalMessage) -> None:
    outlet.put(encode_line(message))


async def _ended(workload: Workload) -> None:
    await workload.ended.wait()


def _peer(writer: asyncio.StreamWriter) -> ProcessMark | None:
    """Who speaks, None for those who may not. The socket's mode says it already; a mode can be changed by mistake."""
    peer: socket.socket = writer.get_extra_info("socket")
    pid, uid, _ = struct.unpack("3i", peer.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12))
    if uid not in (os.getuid(), 0):
        return None
    return ProcessMark(pid=pid, started=start_time(pid) or 0)


def _listen(path: Path) -> socket.socket:
    """Bound under a narrow umask, so that the socket never has another mode than 0600."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        probe.setblocking(False)  # an agent that is stopped, its backlog full, must not stop us too
        try:
            probe.connect(str(path))
        except (FileNotFoundError, ConnectionRefusedError):
            path.unlink(missing_ok=True)
        except BlockingIOError:
            raise SocketInUse(f"another node agent serves this home and does not answer ({path})") from None
        else:
            raise SocketInUse(f"another node agent serves this home already ({path})")
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    before = os.umask(0o177)
    try:
        listener.bind(str(path))
    finally:
        os.umask(before)
    listener.setblocking(False)
    return listener


def _remove(path: Path) -> None:
    path.unlink(missing_ok=True)
