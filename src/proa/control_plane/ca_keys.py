"""The authority's own keys in the key store: what each entry means, read back with care.

Called by `control_plane.keyring` alone. Root number n is the entry `root` (n = 1) or `root-n`, what signs under it
`intermediate` or `intermediate-n`; a root's note says where it stands. A CA that was brought by the operator signs by
itself: its entry is the signer's key with the whole chain, the root last, and it has no intermediate of ours.

A CA that is there but unusable is never replaced by a new one: every proxy of the mesh trusts the old root, so that is
an operator's decision.
"""

import re
from collections.abc import Callable
from typing import Final

import msgspec
from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from proa.core.auth.ca import Ca, make_intermediate, read_ca, to_pem
from proa.core.auth.root_rotation import Root
from proa.core.auth.roots import root_sha256
from proa.core.auth.rotation import state_of
from proa.core.auth.sign import CaKey
from proa.core.auth.template import IssuanceError
from proa.ports.key_store import KeyEntry, KeyStore

ROOT: Final = "root"
INTERMEDIATE: Final = "intermediate"
_ROOT_NAME: Final = re.compile(r"root(?:-([1-9][0-9]*))?")

NewKey = Callable[[], CaKey]


class _Note(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A root's note."""

    prepared_at: float
    activated_at: float | None = None
    plugged: bool = False


class KeptRoot(msgspec.Struct, frozen=True, kw_only=True, eq=False):
    """`ca` is the root itself, or, with `is_plugged`, the operator's CA under it, which signs leafs."""

    root: Root
    ca: Ca
    is_plugged: bool = False

    @property
    def pem(self) -> str:
        """What peers trust."""
        return to_pem(self.ca.root)


def generate_key() -> CaKey:
    """A P-256 key from the system's randomness."""
    return ec.generate_private_key(ec.SECP256R1())


def root_name(generation: int) -> str:
    return ROOT if generation == 1 else f"{ROOT}-{generation}"


def intermediate_name(generation: int) -> str:
    return INTERMEDIATE if generation == 1 else f"{INTERMEDIATE}-{generation}"


async def load_roots(keys: KeyStore, trust_domain: str) -> tuple[KeptRoot, ...]:
    """All that are kept, oldest first. Raises IssuanceError for one that is unusable."""
    found: list[KeptRoot] = []
    for name in await keys.names():
        match = _ROOT_NAME.fullmatch(name)
        entry = await keys.load(name) if match else None
        if match and entry is not None:
            found.append(_kept(name, int(match[1] or 1), entry, trust_domain))
    return tuple(sorted(found, key=lambda each: each.root.generation))


def describe(
    ca: Ca, generation: int, *, prepared_at: float, activated_at: float | None = None, plugged: bool = False
) -> KeptRoot:
    return KeptRoot(
        root=Root(
            generation=generation,
            digest=root_sha256(to_pem(ca.root)),
            prepared_at=prepared_at,
            activated_at=activated_at,
            not_after=ca.not_after,
        ),
        ca=ca,
        is_plugged=plugged,
    )


async def create_root(keys: KeyStore, kept: KeptRoot, trust_domain: str) -> KeptRoot:
    """Keeps it under its number; the one that is kept now, which another may have made in the same moment."""
    name = root_name(kept.root.generation)
    return _kept(name, kept.root.generation, await keys.create(name, _entry_of(kept)), trust_domain)


async def replace_root(keys: KeyStore, kept: KeptRoot) -> None:
    await keys.replace(root_name(kept.root.generation), _entry_of(kept))


async def remove_root(keys: KeyStore, generation: int) -> None:
    """With what signed under it."""
    await keys.remove(intermediate_name(generation))
    await keys.remove(root_name(generation))


async def open_intermediate(
    keys: KeyStore,
    trust_domain: str,
    kept: KeptRoot,
    new_key: NewKey,
    serial: int,
    now: float,
    *,
    may_replace: bool = True,
    anew: bool = False,
) -> Ca:
    """What signs under a root: the intermediate as kept, or a new one with `serial` when there is none, when the kept
    one is due and `may_replace`, or when it is asked for `anew`. A CA that was brought signs itself."""
    if kept.is_plugged:
        return kept.ca
    name = intermediate_name(kept.root.generation)
    entry = await keys.load(name)
    if entry is not None:
        intermediate = _read(name, entry, trust_domain, kept.ca)
        state = state_of(intermediate.not_before, intermediate.not_after, now)
        if not anew and (state == "valid" or (state == "due" and not may_replace)):
            return intermediate
    made = make_intermediate(trust_domain, kept.ca, new_key(), serial, now)
    if entry is not None:
        await keys.replace(name, _entry(made))
        return made
    return _read(name, await keys.create(name, _entry(made)), trust_domain, kept.ca)


def _entry(ca: Ca) -> KeyEntry:
    return KeyEntry(key_pem=ca.key_pem, chain_pem=ca.pem)


def _entry_of(kept: KeptRoot) -> KeyEntry:
    note = _Note(
        prepared_at=kept.root.prepared_at, activated_at=kept.root.activated_at, plugged=kept.is_plugged
    )
    return KeyEntry(
        key_pem=kept.ca.key_pem,
        chain_pem=kept.ca.chain_pem if kept.is_plugged else kept.ca.pem,
        note=msgspec.json.encode(note).decode(),
    )


def _kept(name: str, generation: int, entry: KeyEntry, trust_domain: str) -> KeptRoot:
    try:
        note = msgspec.json.decode(entry.note, type=_Note) if entry.note else None
    except msgspec.DecodeError as error:
        raise IssuanceError(f"key store entry {name!r}: its note cannot be read: {error}") from None
    if note is not None and note.plugged:
        ca = _read_plugged(name, entry)
    else:
        ca = _read(name, entry, trust_domain, None)
    # Roots of older programs have no note: theirs is the only one, and has been active from the start.
    return describe(
        ca,
        generation,
        prepared_at=note.prepared_at if note else ca.not_before,
        activated_at=note.activated_at if note else ca.not_before,
        plugged=note is not None and note.plugged,
    )


def _read(name: str, entry: KeyEntry, trust_domain: str, signer: Ca | None) -> Ca:
    try:
        return read_ca(entry.key_pem, entry.chain_pem, trust_domain, signer)
    except IssuanceError as error:
        raise IssuanceError(f"key store entry {name!r}: {error}") from None


def _read_plugged(name: str, entry: KeyEntry) -> Ca:
    """It was looked at when it was brought; here only what a damaged file would break."""
    try:
        key = load_pem_private_key(entry.key_pem.encode(), password=None)
        certificate, *issuers = x509.load_pem_x509_certificates(entry.chain_pem.encode())
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise IssuanceError(f"key store entry {name!r}: the CA cannot be read: {error}") from None
    is_known = isinstance(key, ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey)
    if not is_known or key.public_key() != certificate.public_key():
        raise IssuanceError(f"key store entry {name!r}: the CA's key and certificate do not belong together")
    assert isinstance(key, ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey)
    return Ca(key=key, certificate=certificate, issuers=tuple(issuers))
