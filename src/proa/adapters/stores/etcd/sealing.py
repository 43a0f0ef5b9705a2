"""Values that etcd may hold and must not know: sealed with a key that only the control planes' hosts have.

AES-256-GCM. The name under which a value is kept is authenticated with it, so that whoever may write to etcd cannot
put one entry in another's place. Randomness is an argument.
"""

from base64 import b64decode
from collections.abc import Callable
from pathlib import Path
from stat import S_IMODE
from typing import Final

import msgspec
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from proa.ports.failures import StorePermanent

NONCE_BYTES: Final = 12
LEAST_BYTES: Final = 32
OTHERS: Final = 0o077


class Sealed(msgspec.Struct, frozen=True, kw_only=True):
    """`key_id` names the sealing key without telling anything of it."""

    key_id: str
    nonce: bytes
    body: bytes


class Seal:
    """`secret` has 32 random bytes at least."""

    def __init__(self, secret: bytes) -> None:
        self._cipher = AESGCM(_derived(secret, b"proa seal"))
        self.key_id = _derived(secret, b"proa seal id")[:6].hex()

    def close(self, name: str, body: bytes, entropy: Callable[[int], bytes]) -> bytes:
        nonce = entropy(NONCE_BYTES)
        sealed = self._cipher.encrypt(nonce, body, name.encode())
        return msgspec.json.encode(Sealed(key_id=self.key_id, nonce=nonce, body=sealed))

    def open(self, name: str, value: bytes) -> bytes:
        """Raises StorePermanent when it was sealed with another key, or changed."""
        try:
            sealed = msgspec.json.decode(value, type=Sealed)
        except msgspec.DecodeError:
            raise StorePermanent(f"{name} is not sealed: it was not written by Proa") from None
        if sealed.key_id != self.key_id:
            raise StorePermanent(
                f"{name} was sealed with another key ({sealed.key_id}, this one is {self.key_id}): every control plane "
                "of a mesh needs the same --seal-key-file"
            )
        try:
            return self._cipher.decrypt(sealed.nonce, sealed.body, name.encode())
        except InvalidTag:
            raise StorePermanent(
                f"{name} was changed after it was sealed: somebody else writes to this etcd"
            ) from None


def _derived(secret: bytes, purpose: bytes) -> bytes:
    return HKDF(algorithm=SHA256(), length=32, salt=None, info=purpose).derive(secret)


def read_seal_key(path: Path) -> Seal:
    """The seal in a file that holds base64 of 32 random bytes or more, readable by its owner alone. Raises
    StorePermanent."""
    try:
        with path.open("rb") as file:
            mode = S_IMODE(path.stat().st_mode)
            text = file.read(4096)
    except OSError as error:
        raise StorePermanent(f"the seal key {path} cannot be read: {error.strerror}") from None
    if mode & OTHERS:
        raise StorePermanent(f"the seal key {path} has mode {mode:04o}, others can read it: chmod 600 {path}")
    try:
        secret = b64decode(b"".join(text.split()), validate=True)
    except ValueError:
        secret = b""
    if len(secret) < LEAST_BYTES:
        raise StorePermanent(
            f"the seal key {path} holds no base64 of {LEAST_BYTES} bytes or more: `openssl rand -base64 32` makes one"
        )
    return Seal(secret)
