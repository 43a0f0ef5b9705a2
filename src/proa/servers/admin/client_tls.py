"""TLS of the admin API's remote port: a client may show a certificate, and one that is wrong ends the handshake.

An asyncio server has one context for its life, while the key, the chain and the roots of this one change. So its
context hands each connection that comes to the one in force, and tells of handshakes that fail, which asyncio keeps to
itself.
"""

import ssl
from collections.abc import Callable

from proa.core.auth.denial import Denial
from proa.servers.grpc_edge import Credentials, why_no_handshake

Denied = Callable[[Denial, str], None]


class ClientTls(ssl.SSLContext):
    """`denied` is told why a client's certificate was not taken."""

    _credentials: Credentials
    _kind: type[ssl.SSLObject]

    def __new__(cls, credentials: Credentials, denied: Denied) -> "ClientTls":
        made = super().__new__(cls, ssl.PROTOCOL_TLS_SERVER)
        made._credentials = credentials
        made._kind = _watched(denied)
        return made

    def __init__(self, credentials: Credentials, denied: Denied) -> None:
        super().__init__()

    def wrap_bio(
        self,
        incoming: ssl.MemoryBIO,
        outgoing: ssl.MemoryBIO,
        server_side: bool = False,
        server_hostname: str | bytes | None = None,
        session: ssl.SSLSession | None = None,
    ) -> ssl.SSLObject:
        context = self._credentials.context
        context.sslobject_class = self._kind
        return context.wrap_bio(incoming, outgoing, server_side, server_hostname, session)


def _watched(denied: Denied) -> type[ssl.SSLObject]:
    class Watched(ssl.SSLObject):
        def do_handshake(self) -> None:
            try:
                super().do_handshake()
            except (ssl.SSLWantReadError, ssl.SSLWantWriteError, ssl.SSLEOFError):
                raise
            except ssl.SSLError as error:
                reason = why_no_handshake(error)
                if reason is not None:
                    denied(reason, "(admin)")
                raise

    return Watched
