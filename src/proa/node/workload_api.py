"""SPIFFE's Workload API for one workload's program: its own X509-SVID and the mesh's bundles, as they change.

For programs that speak mutual TLS by themselves. The socket is the workload's, like that of its Envoy: whoever may ask
there gets this identity and no other, and what is asked for says nothing about who asks. Bundles and certificates are
those of the sidecar beside it, at the same moments.
"""

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Final

from proa.core.auth.workload_api import (
    FETCH_BUNDLES,
    FETCH_SVIDS,
    SECURITY,
    SERVICE,
    Svid,
    write_bundles,
    write_svids,
)
from proa.node.credentials import Credential
from proa.node.trust import NodeTrust
from proa.runtime.cell import Cell
from proa.runtime.races import first_of
from proa.servers.asgi import bind_unix, unbind_unix
from proa.servers.grpc_edge import BadRequest, LocalStream, service, serving_grpc
from proa.servers.xds_local import Guard, admit

KIND: Final = "spiffe"
"""Of the socket's name."""
GRACE_S: Final = 0.2

Answer = Callable[[], bytes | None]


class WorkloadApi:
    """`credential` and `trust` belong to others, who keep them fresh. Partners' bundles are those of the workload's
    `namespace`."""

    def __init__(
        self, credential: Cell[Credential | None], trust: NodeTrust, namespace: str, guard: Guard
    ) -> None:
        self._credential = credential
        self._trust = trust
        self._namespace = namespace
        self._guard = guard

    async def serve(self, socket: Path, bound: asyncio.Event) -> None:
        """Until cancelled; the socket is gone then. Raises OSError when it cannot be made."""
        methods = {
            FETCH_SVIDS: lambda wire: self._follow(wire, self._svids),
            FETCH_BUNDLES: lambda wire: self._follow(wire, self._mesh),
        }
        with bind_unix(socket) as listener:
            try:
                async with serving_grpc([service(SERVICE, methods)], [listener], None, GRACE_S):
                    bound.set()
                    await asyncio.Event().wait()
            finally:
                unbind_unix(socket)

    async def _follow(self, wire: LocalStream, answer: Answer) -> None:
        """What holds now, then whatever is news, for as long as somebody listens."""
        await admit(wire, self._guard)
        name, value = SECURITY
        if wire.metadata.get(name) != value:
            raise BadRequest(f"the metadata {name}: {value} is missing")
        await wire.read()
        told: bytes | None = None
        while True:
            cells = (self._credential, self._trust.bundles, self._trust.partners)
            seen = tuple((cell.changed, cell.version) for cell in cells)
            found = answer()
            if found is not None and found != told:
                await wire.write(found)
                told = found
            await first_of(*(changed(version) for changed, version in seen))

    def _svids(self) -> bytes | None:
        credential = self._credential.value
        if credential is None:
            return None
        identity, bundles = credential.spiffe_id, self._believed()
        svid = Svid(
            identity=identity,
            chain=credential.chain_pem,
            key=credential.key_pem,
            bundle=bundles[identity.trust_domain],
        )
        others = {domain: pem for domain, pem in bundles.items() if domain != identity.trust_domain}
        return write_svids(svid, others)

    def _mesh(self) -> bytes | None:
        return write_bundles(self._believed())

    def _believed(self) -> dict[str, str]:
        """The mesh's bundles, and those of partners whose roots are known."""
        partners = self._trust.partners_of(self._namespace)
        return {**{name: pem for name, pem in partners.items() if pem}, **self._trust.bundles.value}
