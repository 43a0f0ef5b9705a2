"""The control plane's own certificate, and the roots it checks nodes against: made at start, renewed at half life and
whenever the mesh's root changes. What its servers present and trust follows by `credentials` (gRPC), `admin` (the admin
API for other hosts) and `tls` (servers that look at nobody's certificate), for connections to come; open ones keep what
they were made with.
"""

import asyncio
import logging
import ssl
import tempfile
import time
from typing import Final

import msgspec
from cryptography.hazmat.primitives.asymmetric import ec

from proa.control_plane.authority import Authority, Refused
from proa.core.auth.ca import private_pem
from proa.core.auth.csr import build_csr
from proa.core.auth.roots import signing_root
from proa.core.auth.rotation import renew_at
from proa.core.auth.spiffe import control_plane_id
from proa.ports.failures import StoreTemporary
from proa.runtime.cell import Cell
from proa.runtime.polling import sleep_until
from proa.runtime.races import first_of
from proa.servers.grpc_edge import Credentials

LOOK_S: Final = 30.0
"""Longest sleep between looks at the wall clock: a laptop that was closed for hours renews soon after."""
RETRY_S: Final = 1.0

log = logging.getLogger("proa.control_plane")


class _Identity(msgspec.Struct, frozen=True, kw_only=True):
    """`root` is the digest of the one that it leads to."""

    key_pem: str
    chain_pem: str
    root: str
    renew_at: float
    not_after: int

    def __repr__(self) -> str:
        return f"_Identity(root={self.root[:16]!r})"


class OwnCertificate:
    """Made by `open`; `keep` owns it. `following` is the digest of the root under which what is presented now is."""

    def __init__(self, authority: Authority, identity: _Identity, takes_strangers: bool) -> None:
        self._authority = authority
        self._identity = identity
        self.following: Cell[str] = Cell(identity.root)
        self.credentials = Credentials(
            identity.key_pem, identity.chain_pem, authority.roots_pem, takes_strangers=takes_strangers
        )
        self.admin = Credentials(
            identity.key_pem, identity.chain_pem, authority.roots_pem, takes_strangers=True, alpn="http/1.1"
        )
        self.tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.tls.minimum_version = ssl.TLSVersion.TLSv1_2
        _load(self.tls, identity)

    @classmethod
    async def open(cls, authority: Authority, *, takes_strangers: bool = False) -> "OwnCertificate":
        """`takes_strangers`: some callers of the servers have a token and no certificate. Raises StoreFailure,
        IssuanceError."""
        return cls(authority, await _issue(authority), takes_strangers)

    @property
    def uses(self) -> frozenset[str]:
        """The same, as the rotation asks for it."""
        return frozenset({self.following.value})

    @property
    def not_after(self) -> int:
        """When what is presented now ends, unix seconds."""
        return self._identity.not_after

    async def keep(self) -> None:
        """Until cancelled."""
        trust = self._authority.keyring.trust
        while True:
            seen = trust.version
            try:
                await self._follow()
            except (StoreTemporary, OSError) as error:  # a full disk, for one: half of its life is left
                log.error("own certificate not renewed, trying again: %s", error)
                await asyncio.sleep(RETRY_S)
                continue
            await first_of(sleep_until(time.time, self._identity.renew_at, LOOK_S), trust.changed(seen))

    async def _follow(self) -> None:
        """Bring both to what holds now."""
        identity = self._identity
        if time.time() >= identity.renew_at or identity.root != self._authority.signing_root:
            renewed = await _issue(self._authority)
            _load(self.tls, renewed)
            self._identity = identity = renewed
        for each in (self.credentials, self.admin):
            each.set(identity.key_pem, identity.chain_pem, self._authority.roots_pem)
        self.following.set(identity.root)


async def _issue(authority: Authority) -> _Identity:
    key = ec.generate_private_key(ec.SECP256R1())
    issued = await authority.issue_control_plane(
        csr_pem=build_csr(key, control_plane_id(authority.trust_domain))
    )
    if isinstance(issued, Refused):
        raise RuntimeError(f"the authority refuses this process a certificate: {issued.reason}")
    return _Identity(
        key_pem=private_pem(key),
        chain_pem=issued.chain_pem,
        root=signing_root(issued.chain_pem, authority.roots_pem),
        renew_at=renew_at(issued.not_before, issued.not_after, 0.5),
        not_after=issued.not_after,
    )


def _load(context: ssl.SSLContext, identity: _Identity) -> None:
    """The ssl module reads files only: one that nobody else may read, for a moment."""
    with tempfile.NamedTemporaryFile("w", suffix=".pem") as file:
        file.write(identity.key_pem + identity.chain_pem)
        file.flush()
        context.load_cert_chain(file.name)
