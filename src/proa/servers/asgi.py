"""Runs a small ASGI application on sockets that its caller has bound, until the `async with` block ends.

Called by the servers whose requests are few (admin, metrics, join). It owns no task: uvicorn's own main loop only
refreshes a date header and looks for signals, and both belong to the composition root here, so it is left out.
"""

import asyncio
import errno
import os
import socket
import ssl
import struct
from collections.abc import AsyncIterator, Awaitable, Callable, MutableMapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import msgspec
import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol

Scope = MutableMapping[str, Any]
App = Callable[[Scope, Callable[[], Awaitable[Scope]], Callable[[Scope], Awaitable[None]]], Awaitable[None]]

GRACE_SECONDS = 2
"""How long running requests may go on after the block has ended; `wait` streams are cut then."""

ROUNDS_TO_CONNECT = 3
"""Of the event loop, from accepting a connection until its server knows it."""

UNIX_PATH_LIMIT = 107
"""Linux' sun_path less its closing zero byte."""


CERTIFICATE = "proa.certificate"
"""In the scope of a request over TLS: the DER of the client's certificate, where it showed one."""


class AddressTaken(OSError):
    """Somebody listens there already."""


class Strangers(msgspec.Struct, frozen=True, kw_only=True):
    """Whoever reaches a TLS server of ours may connect without proving anything. So nobody stays longer than a join
    takes, and there are never so many that the process runs out of descriptors."""

    stay_s: float = 20.0
    at_once: int = 256


@asynccontextmanager
async def serving(
    app: App,
    sockets: Sequence[socket.socket],
    tls: ssl.SSLContext | None = None,
    strangers: Strangers | None = None,
    refused: Callable[[int], None] | None = None,
) -> AsyncIterator[None]:
    """Serves while the block runs; the sockets are closed afterwards. Raises nothing of its own.

    With `tls` peers are taken for strangers: their connections are few and short. With `refused` only
    processes of this user and root's may connect, by the kernel's word (Unix sockets); it is told the user id of any
    other.
    """
    bounds = strangers or (Strangers() if tls is not None else None)
    config = uvicorn.Config(
        app,
        http=_owned(refused) if refused is not None else "h11" if bounds is None else _bounded(bounds),
        ws="none",
        lifespan="off",
        log_config=None,
        access_log=False,
        server_header=False,
        date_header=False,
        timeout_graceful_shutdown=GRACE_SECONDS,
    )
    config.load()
    if tls is not None:
        config.ssl = tls
    server = uvicorn.Server(config)
    server.lifespan = config.lifespan_class(config)
    await server.on_tick(0)  # sets the default headers
    await server.startup(sockets=list(sockets))
    try:
        yield
    finally:
        await _stop_accepting(sockets)
        await server.shutdown(sockets=list(sockets))
        await _abort_connections(server)


def _bounded(bounds: Strangers) -> type[H11Protocol]:
    """Connections that end after a while whatever they do: neither headers nor bodies that trickle hold them."""

    class Bounded(H11Protocol):
        _end: asyncio.TimerHandle | None = None

        def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
            super().connection_made(transport)
            self.app = _with_certificate(self.app, transport)
            if len(self.connections) > bounds.at_once:
                transport.abort()
            else:
                self._end = self.loop.call_later(bounds.stay_s, transport.abort)

        def connection_lost(self, exc: Exception | None) -> None:
            if self._end is not None:
                self._end.cancel()
            super().connection_lost(exc)

    return Bounded


def _with_certificate(app: App, transport: asyncio.BaseTransport) -> App:
    """TLS has verified it; a server that asks for none gets none."""
    connection = transport.get_extra_info("ssl_object")
    certificate = connection.getpeercert(binary_form=True) if connection is not None else None
    if not certificate:
        return app

    async def with_certificate(
        scope: Scope,
        receive: Callable[[], Awaitable[Scope]],
        send: Callable[[Scope], Awaitable[None]],
    ) -> None:
        scope[CERTIFICATE] = certificate
        await app(scope, receive, send)

    return with_certificate


def _owned(refused: Callable[[int], None]) -> type[H11Protocol]:
    """Connections of this user's processes, and root's: the socket's mode says so too, until somebody changes it."""

    class Owned(H11Protocol):
        def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
            super().connection_made(transport)
            user = _user_of(transport)
            if not may_administrate(user):
                refused(user)
                transport.abort()

    return Owned


def may_administrate(user: int) -> bool:
    """Whether a process of that user id may do what this one can. Unknown is -1, and may not."""
    return user in (0, os.geteuid())


def _user_of(transport: asyncio.BaseTransport) -> int:
    peer: socket.socket | None = transport.get_extra_info("socket")
    if peer is None or peer.family != socket.AF_UNIX:
        return -1
    _, user, _ = struct.unpack("3i", peer.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12))
    return int(user)


async def _stop_accepting(sockets: Sequence[socket.socket]) -> None:
    """asyncio loses, unclosed, a connection that it has accepted and not yet attached when its server closes."""
    loop = asyncio.get_running_loop()
    for each in sockets:
        loop.remove_reader(each)
    for _ in range(ROUNDS_TO_CONNECT):
        await asyncio.sleep(0)


async def _abort_connections(server: uvicorn.Server) -> None:
    """Ends what shutdown left open: requests it gave up waiting for, connections accepted in its last moment."""
    for connection in tuple(server.server_state.connections):
        transport = getattr(connection, "transport", None)
        if isinstance(transport, asyncio.WriteTransport):
            transport.abort()
    await asyncio.sleep(0)  # connection_lost is called in the loop's next round


def bind_unix(path: Path) -> socket.socket:
    """A listening Unix socket of mode 0600. A socket file nobody listens on (a crash left it) is replaced.

    Raises AddressTaken when a server answers there, OSError for a path that is too long or not writable.
    """
    if len(os.fsencode(path)) > UNIX_PATH_LIMIT:
        raise OSError(errno.ENAMETOOLONG, f"socket paths have at most {UNIX_PATH_LIMIT} bytes", str(path))
    if is_answering(path):
        raise AddressTaken(errno.EADDRINUSE, "another server listens here", str(path))
    path.unlink(missing_ok=True)
    bound = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        # Nobody can connect before listen(), so the mode is in force before the first connection.
        bound.bind(str(path))
        path.chmod(0o600)
        bound.listen(128)
    except OSError:
        bound.close()
        raise
    return bound


def unbind_unix(path: Path) -> None:
    """Takes the socket file away, so that clients see at once that nobody is there."""
    path.unlink(missing_ok=True)


def is_answering(path: Path) -> bool:
    """Whether a server listens on the Unix socket."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        probe.settimeout(1.0)
        try:
            probe.connect(str(path))
        except OSError:
            return False
    return True


def bind_tcp(address: str, port: int) -> socket.socket:
    """A listening TCP socket; port 0 takes any free one. Raises AddressTaken, or an OSError that names the
    address."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    bound = socket.socket(family, socket.SOCK_STREAM)
    try:
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        bound.bind((address, port))
        bound.listen(128)
    except OSError as error:
        bound.close()
        if error.errno == errno.EADDRINUSE:
            raise AddressTaken(
                error.errno, f"port {port} of {address} is taken", f"{address}:{port}"
            ) from None
        raise OSError(error.errno, f"cannot listen on {address}: {error.strerror}") from None
    return bound


def to_authority(host: str, port: int) -> str:
    """`host:port` as it stands in URLs: an IPv6 address in brackets."""
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
