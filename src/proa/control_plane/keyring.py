"""The CA's keys in use: the roots that are trusted, and what signs. Owner: the authority.

It carries out steps and decides none: when a root goes on is `core.auth.root_rotation`'s, who asks is the rotation's.
Each step writes one entry of the key store; `refresh` takes over what another control plane, or an earlier run of this
one, has done. A step leaves the keyring as it was when its write fails.
"""

import asyncio
from collections.abc import Callable

import msgspec

from proa.control_plane import ca_keys
from proa.control_plane.ca_keys import KeptRoot, NewKey
from proa.core.auth.ca import Ca, make_root
from proa.core.auth.root_rotation import Root, active_of
from proa.core.auth.rotation import state_of
from proa.core.auth.template import IssuanceError, serial_from
from proa.ports.key_store import KeyStore
from proa.runtime.cell import Cell

Clock = Callable[[], float]
Entropy = Callable[[int], bytes]


class Trust(msgspec.Struct, frozen=True, kw_only=True):
    """What everybody in the mesh has to know: the trusted roots in PEM, oldest first, and the digest of the one under
    which all is signed now."""

    roots_pem: str
    signing_root: str


class Keyring:
    """Made by `open`. `trust` follows every step. `is_leader` says whether this control plane may change what is
    kept."""

    def __init__(
        self,
        *,
        trust_domain: str,
        keys: KeyStore,
        clock: Clock,
        entropy: Entropy,
        new_key: NewKey,
        is_leader: Callable[[], bool],
        kept: tuple[KeptRoot, ...],
        signer: Ca,
    ) -> None:
        self._trust_domain = trust_domain
        self._keys = keys
        self._clock = clock
        self._entropy = entropy
        self._new_key = new_key
        self._is_leader = is_leader
        self._kept = kept
        self._signer = signer
        self._changing = asyncio.Lock()
        self.trust: Cell[Trust] = Cell(_trust(kept))

    @property
    def sequence(self) -> int:
        """Grows with each change of what is trusted: a root comes, a root goes."""
        return 2 * max(each.root.generation for each in self._kept) - len(self._kept)

    @classmethod
    async def open(
        cls,
        *,
        trust_domain: str,
        keys: KeyStore,
        clock: Clock,
        entropy: Entropy,
        new_key: NewKey,
        is_leader: Callable[[], bool] = lambda: True,
        plugged: Ca | None = None,
    ) -> "Keyring":
        """With what is kept; on the first start with `plugged`, or else with a root made now. Raises IssuanceError for
        keys that cannot be used."""
        now = clock()
        kept = await ca_keys.load_roots(keys, trust_domain)
        if not any(each.root.activated_at is not None for each in kept):
            serial = serial_from(entropy(20))
            ca = plugged or make_root(trust_domain, new_key(), serial, now)
            first = ca_keys.describe(ca, 1, prepared_at=now, activated_at=now, plugged=plugged is not None)
            # Of several first starts one root wins.
            kept = (await ca_keys.create_root(keys, first, trust_domain), *kept)
        if now >= _active(kept).root.not_after:
            kept = await _replace_expired(keys, kept, plugged, now)
        active = _active(kept)
        signer = await ca_keys.open_intermediate(
            keys, trust_domain, active, new_key, serial_from(entropy(20)), now, may_replace=is_leader()
        )
        return cls(
            trust_domain=trust_domain,
            keys=keys,
            clock=clock,
            entropy=entropy,
            new_key=new_key,
            is_leader=is_leader,
            kept=kept,
            signer=signer,
        )

    @property
    def kept(self) -> tuple[KeptRoot, ...]:
        """Oldest first."""
        return self._kept

    @property
    def roots(self) -> tuple[Root, ...]:
        return tuple(each.root for each in self._kept)

    @property
    def active(self) -> KeptRoot:
        return _active(self._kept)

    @property
    def signer_now(self) -> Ca:
        """What signed last; `signer` may have to renew it."""
        return self._signer

    async def signer(self) -> Ca:
        """What signs leafs, a new intermediate from its half life on; peers know the root and notice nothing."""
        if self._is_due():
            async with self._changing:
                if self._is_due():
                    self._signer = await self._open_signer(self.active)
        return self._signer

    async def renew_signer(self) -> Ca | None:
        """A new intermediate at once. None: the CA was brought, its files have to be replaced."""
        async with self._changing:
            if self.active.is_plugged:
                return None
            self._signer = await self._open_signer(self.active, anew=True)
            return self._signer

    async def prepare(self, plugged: Ca | None = None) -> KeptRoot:
        """A new root that everybody is to trust, and that signs nothing yet."""
        async with self._changing:
            now = self._clock()
            ca = plugged or make_root(
                self._trust_domain, self._new_key(), serial_from(self._entropy(20)), now
            )
            generation = self._kept[-1].root.generation + 1
            made = ca_keys.describe(ca, generation, prepared_at=now, plugged=plugged is not None)
            made = await ca_keys.create_root(self._keys, made, self._trust_domain)
            self._take((*self._kept, made))
            return made

    async def activate(self, root: Root) -> None:
        """Sign under a prepared root from now on."""
        async with self._changing:
            kept = next(each for each in self._kept if each.root.generation == root.generation)
            signer = await self._open_signer(kept)
            activated = msgspec.structs.replace(
                kept, root=msgspec.structs.replace(kept.root, activated_at=self._clock())
            )
            await ca_keys.replace_root(self._keys, activated)
            self._signer = signer
            self._take(tuple(activated if each is kept else each for each in self._kept))

    async def retire(self, root: Root) -> None:
        """Trust a root no more, and forget its key."""
        async with self._changing:
            await ca_keys.remove_root(self._keys, root.generation)
            self._take(tuple(each for each in self._kept if each.root.generation != root.generation))

    async def exchange(self, kept: KeptRoot, plugged: Ca) -> None:
        """Another CA that was brought, under a root that is trusted already."""
        async with self._changing:
            root = msgspec.structs.replace(
                kept.root, not_after=ca_keys.describe(plugged, 1, prepared_at=0).root.not_after
            )
            exchanged = KeptRoot(root=root, ca=plugged, is_plugged=True)
            await ca_keys.replace_root(self._keys, exchanged)
            if kept.root.generation == self.active.root.generation:
                self._signer = plugged
            self._take(tuple(exchanged if each is kept else each for each in self._kept))

    async def refresh(self) -> None:
        """Takes over what others have done to the keys meanwhile."""
        async with self._changing:
            kept = await ca_keys.load_roots(self._keys, self._trust_domain)
            if not any(each.root.activated_at is not None for each in kept):
                raise IssuanceError(
                    "the authority's keys are gone from the key store; restore them from a backup"
                )
            active = _active(kept)
            has_changed = [each.root for each in kept] != list(self.roots)
            if has_changed or active.ca.certificate != self.active.ca.certificate:
                self._signer = await self._open_signer(active)
                self._take(kept)
            elif not self._is_leader():
                self._signer = await self._open_signer(active)

    async def _open_signer(self, kept: KeptRoot, *, anew: bool = False) -> Ca:
        return await ca_keys.open_intermediate(
            self._keys,
            self._trust_domain,
            kept,
            self._new_key,
            serial_from(self._entropy(20)),
            self._clock(),
            may_replace=self._is_leader(),
            anew=anew,
        )

    def _is_due(self) -> bool:
        state = state_of(self._signer.not_before, self._signer.not_after, self._clock())
        return not self.active.is_plugged and (state == "expired" or (state == "due" and self._is_leader()))

    def _take(self, kept: tuple[KeptRoot, ...]) -> None:
        self._kept = kept
        self.trust.set(_trust(kept))


async def _replace_expired(
    keys: KeyStore, kept: tuple[KeptRoot, ...], plugged: Ca | None, now: float
) -> tuple[KeptRoot, ...]:
    """An expired CA of the operator's, by the one that is brought now: at once, there is nothing left to overlap with.
    Raises IssuanceError when none is brought, or when it is ours that expired."""
    active = _active(kept)
    if not active.is_plugged:
        raise IssuanceError("the mesh's root certificate has expired; every node must join a new one")
    if plugged is None:
        raise IssuanceError(
            "the CA of yours has expired; give a new one with --ca-cert, --ca-key and --ca-chain"
        )
    is_same_root = plugged.root == active.ca.root
    generation = active.root.generation if is_same_root else kept[-1].root.generation + 1
    brought = ca_keys.describe(plugged, generation, prepared_at=now, activated_at=now, plugged=True)
    await ca_keys.replace_root(keys, brought)
    return (*(each for each in kept if each.root.generation != generation), brought)


def _active(kept: tuple[KeptRoot, ...]) -> KeptRoot:
    active = active_of(each.root for each in kept)
    return next(each for each in kept if each.root.generation == active.generation)


def _trust(kept: tuple[KeptRoot, ...]) -> Trust:
    return Trust(
        roots_pem="".join(dict.fromkeys(each.pem for each in kept)), signing_root=_active(kept).root.digest
    )
