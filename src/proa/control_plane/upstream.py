"""A CA that an authority above us signs: asked for at start, anew at its half life, and when its root is none of the
authority's any more; each time with a new key.

To the rotation it is what an operator's files are: a CA that is brought. Under the same root it signs at once, under
another root the phases of a rotation follow.
"""

import logging
from collections.abc import Callable
from typing import Final

from proa.control_plane.ca_keys import NewKey
from proa.core.auth.ca import Ca, private_pem, to_pem
from proa.core.auth.csr import build_ca_csr
from proa.core.auth.plugged import PluggedFiles, Unusable, read_plugged
from proa.core.auth.roots import root_digests, root_sha256
from proa.core.auth.rotation import state_of
from proa.core.auth.template import INTERMEDIATE_TTL
from proa.ports.failures import StoreFailure, StorePermanent, StoreTemporary
from proa.ports.upstream_authority import UpstreamAuthority

RETRY_S: Final = 60.0
"""After a refusal or an outage, while the CA at hand still signs."""
LOOK_S: Final = 30.0
"""Between two looks at the roots of the authority."""

log = logging.getLogger("proa.control_plane.upstream")


class UpstreamSource:
    """Implements `BroughtCa`. `clock` gives unix seconds."""

    def __init__(
        self,
        authority: UpstreamAuthority,
        trust_domain: str,
        new_key: NewKey,
        clock: Callable[[], float],
        ttl_s: int = INTERMEDIATE_TTL,
    ) -> None:
        self._authority = authority
        self._trust_domain = trust_domain
        self._new_key = new_key
        self._clock = clock
        self._ttl_s = ttl_s
        self._current: Ca | None = None
        self._tried = self._looked = float("-inf")

    async def read(self, now: float) -> Ca | Unusable:
        """A new one. Raises StoreTemporary when the authority is away."""
        self._tried = self._clock()
        key = self._new_key()
        try:
            chain = await self._authority.sign_ca(build_ca_csr(key, self._trust_domain), self._ttl_s)
        except StorePermanent as error:
            return Unusable(faults=(str(error),))
        found = read_plugged(PluggedFiles(cert=chain, key=private_pem(key)), self._trust_domain, now)
        if isinstance(found, Ca):
            self._current = found
        return found

    def look_again(self) -> None:
        """It was not taken because another control plane leads, whose CA signs for all: nothing is asked for again
        before its time."""

    async def news(self, now: float) -> Ca | Unusable | None:
        """None while the one at hand is good and in the first half of its life, or was asked for a moment ago."""
        if self._clock() - self._tried < RETRY_S:
            return None
        current = self._current
        try:
            if current is not None and state_of(current.not_before, current.not_after, now) == "valid":
                if not await self._is_taken_back(current):
                    return None
                log.warning("the root of our CA is none of the authority's any more: another CA is asked for")
            return await self.read(now)
        except StoreTemporary as error:
            return Unusable(faults=(str(error),))

    async def _is_taken_back(self, current: Ca) -> bool:
        """Looks once in a while. An authority that cannot be asked has taken nothing back."""
        if self._clock() - self._looked < LOOK_S:
            return False
        self._looked = self._clock()
        try:
            roots = await self._authority.roots()
        except StoreFailure as error:
            log.warning("the authority does not tell its roots: %s", error)
            return False
        return bool(roots) and root_sha256(to_pem(current.root)) not in root_digests(roots)
