"""The authority's own keys through the key store: taken when there, made when not, renewed when due.

Called by `control_plane.authority` alone. A CA that is there but unusable is never replaced by a new one: every
proxy of the mesh trusts the old root, so that is an operator's decision.
"""

from collections.abc import Callable
from typing import Final

from cryptography.hazmat.primitives.asymmetric import ec

from proa.core.auth.ca import Ca, make_intermediate, make_root, read_ca
from proa.core.auth.rotation import state_of
from proa.core.auth.sign import CaKey
from proa.core.auth.template import IssuanceError
from proa.ports.key_store import KeyEntry, KeyStore

ROOT: Final = "root"
INTERMEDIATE: Final = "intermediate"

NewKey = Callable[[], CaKey]


def generate_key() -> CaKey:
    """A P-256 key from the system's randomness."""
    return ec.generate_private_key(ec.SECP256R1())


async def open_root(keys: KeyStore, trust_domain: str, new_key: NewKey, serial: int, now: float) -> Ca:
    """The root as kept, made with `serial` on the first start. Raises IssuanceError when it is unusable."""
    kept = await keys.load(ROOT)
    if kept is None:
        made = make_root(trust_domain, new_key(), serial, now)
        kept = await keys.create(ROOT, _entry(made))  # of several first starts one root wins
    root = _read(ROOT, kept, trust_domain, None)
    if state_of(root.not_before, root.not_after, now) == "expired":
        raise IssuanceError("the mesh's root certificate has expired; every node must join a new one")
    return root


async def open_intermediate(
    keys: KeyStore, trust_domain: str, root: Ca, new_key: NewKey, serial: int, now: float
) -> Ca:
    """The intermediate as kept, or a new one with `serial` when there is none or the kept one is due."""
    kept = await keys.load(INTERMEDIATE)
    if kept is not None:
        intermediate = _read(INTERMEDIATE, kept, trust_domain, root)
        if state_of(intermediate.not_before, intermediate.not_after, now) == "valid":
            return intermediate
    made = make_intermediate(trust_domain, root, new_key(), serial, now)
    if kept is not None:
        await keys.replace(INTERMEDIATE, _entry(made))
        return made
    return _read(INTERMEDIATE, await keys.create(INTERMEDIATE, _entry(made)), trust_domain, root)


def _entry(ca: Ca) -> KeyEntry:
    return KeyEntry(key_pem=ca.key_pem, chain_pem=ca.pem)


def _read(name: str, entry: KeyEntry, trust_domain: str, signer: Ca | None) -> Ca:
    try:
        return read_ca(entry.key_pem, entry.chain_pem, trust_domain, signer)
    except IssuanceError as error:
        raise IssuanceError(f"key store entry {name!r}: {error}") from None
