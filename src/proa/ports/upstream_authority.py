"""An authority above the mesh's own: it signs the CA that signs leafs, and its root is the mesh's."""

from typing import Protocol


class UpstreamAuthority(Protocol):
    async def sign_ca(self, csr_pem: str, ttl_s: int) -> str:
        """The PEM of a CA certificate for the request's key, followed by what leads to its root, the root among it. It
        may live shorter than was asked. Raises StoreTemporary when the authority cannot be reached or is sealed,
        StorePermanent when it refuses or answers nonsense."""

    async def roots(self) -> str:
        """The roots (PEM) that it speaks for now, "" when it does not tell. Raises as `sign_ca` does."""
