"""Values of any size in a store whose requests have a bound: small ones stand in their key, of large ones the key holds
where the parts are. Parts are written first, so a reader who finds the key finds all of it; a key is one step.
"""

import asyncio
import secrets
import zlib
from typing import Final

import msgspec

from proa.adapters.stores.etcd.client import Etcd
from proa.adapters.stores.etcd.wire import DeleteKey, Range
from proa.ports.failures import StorePermanent, StoreTemporary

SMALL: Final = 128 * 1024
PART: Final = 512 * 1024
MAX_PARTS: Final = 100
PARTS: Final = "parts/"


class Folded(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What the key holds. `nonce` makes each writing unlike every other; `parts` counts those below
    `parts/<owner>/<nonce>/`, 0 when all is in `body` (zlib, base64 in the JSON)."""

    nonce: str
    body: bytes = b""
    parts: int = 0


class Blobs:
    """`owner` is the key whose value it is."""

    def __init__(self, etcd: Etcd) -> None:
        self._etcd = etcd

    async def fold(self, owner: str, body: bytes) -> bytes:
        """The value to write to `owner`; parts are written here. Raises StorePermanent for what is too large."""
        packed = (
            await asyncio.to_thread(zlib.compress, body, 1) if len(body) > SMALL else zlib.compress(body, 1)
        )
        nonce = secrets.token_hex(8)
        if len(packed) <= SMALL:
            return msgspec.json.encode(Folded(nonce=nonce, body=packed))
        pieces = [packed[at : at + PART] for at in range(0, len(packed), PART)]
        if len(pieces) > MAX_PARTS:
            raise StorePermanent(f"{len(body)} bytes are more than {self._etcd.label} is given at once")
        for number, piece in enumerate(pieces):
            await self._etcd.put(_part(owner, nonce, number), piece)
        return msgspec.json.encode(Folded(nonce=nonce, parts=len(pieces)))

    async def unfold(self, owner: str, value: bytes) -> bytes | None:
        """What was folded; None when its parts are gone, because something else has taken its place."""
        folded = decoded(owner, value)
        if not folded.parts:
            return zlib.decompress(folded.body)
        pieces = []
        for number in range(folded.parts):
            found = (await self._etcd.find(Range(key=_part(owner, folded.nonce, number)))).values
            if not found:
                return None
            pieces.append(found[0].value)
        return await asyncio.to_thread(zlib.decompress, b"".join(pieces))

    async def discard(self, owner: str, value: bytes) -> None:
        """Removes the parts of a value that stands nowhere (any more). They are only in the way: when etcd is away they
        are left to `sweep`."""
        folded = decoded(owner, value)
        try:
            for number in range(folded.parts):
                await self._etcd.commit((), (DeleteKey(key=_part(owner, folded.nonce, number)),))
        except StoreTemporary:
            pass


def decoded(owner: str, value: bytes) -> Folded:
    try:
        return msgspec.json.decode(value, type=Folded)
    except msgspec.DecodeError as error:
        raise StorePermanent(f"key {owner} in etcd is none of ours: {error}") from None


def owner_of_part(key: str) -> tuple[str, str]:
    """The owner and the nonce in a part's key."""
    owner, nonce, _ = key.removeprefix(PARTS).rsplit("/", 2)
    return owner, nonce


def _part(owner: str, nonce: str, number: int) -> str:
    return f"{PARTS}{owner}/{nonce}/{number:04d}"
