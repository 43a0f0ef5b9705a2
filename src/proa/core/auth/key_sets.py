"""What a server answered, as keys for tokens: read by whoever fetches them, before any proxy sees them.

A proxy refuses its whole configuration for a set without a key that it can use, so each key is tried here, and those
that would be of no use are left out. Symmetric keys are left out too: what is published can be no secret, and a proxy
would take tokens signed with it. (Those of a key set that an operator wrote out himself are kept.) So are parts that
are private, should a server show them. The text that comes out is one spelling of the keys, so that a server that
shuffles or indents its answer changes nothing.
"""

import hashlib
import re
from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

import jwt
import msgspec

MAX_BYTES: Final = 256 * 1024
"""Of an answer."""
MAX_KEYS: Final = 64
MAX_TEXT: Final = 64 * 1024
"""Of what proxies are given: each that needs the keys has a copy."""

_RSA: Final = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512")
_ALGORITHMS: Final[Mapping[tuple[str, str], tuple[str, ...]]] = MappingProxyType(
    {
        ("RSA", ""): _RSA,
        ("EC", "P-256"): ("ES256",),
        ("EC", "P-384"): ("ES384",),
        ("EC", "P-521"): ("ES512",),
        ("OKP", "Ed25519"): ("EdDSA",),
        ("oct", ""): ("HS256", "HS384", "HS512"),
    }
)
"""By type and curve, what a key may be said to be for."""
_PUBLIC: Final = ("alg", "crv", "e", "kid", "kty", "n", "x", "y")
_MAX_AGE: Final = re.compile(r"(?:^|[\s,])max-age=(\d{1,9})(?:$|[\s,])")


class BadAnswer(ValueError):
    """The answer is not what was asked for; the text says why."""


def read_key_set(body: bytes, *, secrets: bool = False) -> str:
    """The keys of a JSON Web Key Set; symmetric ones only if `secrets`. Raises BadAnswer, also when none is left."""
    value = _object(body)
    keys = value.get("keys")
    if not isinstance(keys, list):
        raise BadAnswer('a key set is an object with "keys"')
    if len(keys) > MAX_KEYS:
        raise BadAnswer(f"{len(keys)} keys; at most {MAX_KEYS} are taken")
    kept = (*_PUBLIC, "k") if secrets else _PUBLIC
    found = [_only(key, kept) for key in keys if isinstance(key, dict) and key.get("use", "sig") == "sig"]
    found = [key for key in found if _is_usable(key, secrets)]
    if not found:
        raise BadAnswer("no key in it can check a signature: RSA, EC and Ed25519 keys do")
    parts = sorted({msgspec.json.encode(key, order="sorted").decode() for key in found})
    text = f'{{"keys":[{",".join(parts)}]}}'
    if len(text) > MAX_TEXT:
        raise BadAnswer(f"keys of {len(text)} characters; at most {MAX_TEXT} are taken")
    return text


def read_discovery(body: bytes, issuer: str) -> str:
    """Where an OpenID discovery document says the keys are. Raises BadAnswer, also for another issuer's document."""
    value = _object(body)
    if value.get("issuer") != issuer:
        raise BadAnswer(f"the document is of {str(value.get('issuer'))[:200]!r}")
    uri = value.get("jwks_uri")
    if not isinstance(uri, str) or not uri.startswith(("http://", "https://")):
        raise BadAnswer("the document names no jwks_uri")
    return uri


def discovery_uri(issuer: str) -> str:
    return f"{issuer.rstrip('/')}/.well-known/openid-configuration"


def max_age_s(cache_control: str) -> int | None:
    """How long an answer is good by its own word (its header Cache-Control), in seconds; None: it does not say."""
    found = _MAX_AGE.search(cache_control.lower())
    return int(found[1]) if found else None


def _object(body: bytes) -> dict[str, object]:
    if len(body) > MAX_BYTES:
        raise BadAnswer(f"longer than {MAX_BYTES} bytes")
    try:
        value: object = msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise BadAnswer("not JSON") from error
    if not isinstance(value, dict):
        raise BadAnswer("no JSON object")
    return value


def _only(key: dict[str, object], names: tuple[str, ...]) -> dict[str, str]:
    return {name: value for name in names if isinstance(value := key.get(name), str)}


def _is_usable(key: dict[str, str], secrets: bool) -> bool:
    kind = key.get("kty", "")
    known = _ALGORITHMS.get((kind, key.get("crv", "") if kind in ("EC", "OKP") else ""))
    if known is None or (kind == "oct" and not secrets):
        return False
    algorithm = key.get("alg", known[0])
    if algorithm not in known:
        return False
    try:
        jwt.PyJWK(dict(key), algorithm=algorithm)
    except (jwt.PyJWTError, ValueError, TypeError):
        return False
    return True


_P256: Final = 2**256 - 2**224 + 2**192 + 2**96 - 1
_P256_B: Final = 0x5AC635D8AA3A93E7B3EBBD55769886BC651D06B0CC53B0F63BCE3C3E27D2604B


def _nobodys_point() -> tuple[int, int]:
    """A point of P-256 found by hashing: whoever wanted its private key would have to break the curve."""
    attempt = 0
    while True:
        x = int.from_bytes(hashlib.sha256(f"proa: a key that nobody has {attempt}".encode()).digest())
        square = (pow(x, 3, _P256) - 3 * x + _P256_B) % _P256
        y = pow(square, (_P256 + 1) // 4, _P256)
        if x < _P256 and y * y % _P256 == square:
            return x, y
        attempt += 1


def _nobodys_keys() -> str:
    x, y = (jwt.utils.base64url_encode(each.to_bytes(32)).decode() for each in _nobodys_point())
    key = {"alg": "ES256", "crv": "P-256", "kid": "nobody", "kty": "EC", "x": x, "y": y}
    return read_key_set(msgspec.json.encode({"keys": [key]}))


NO_KEYS: Final = _nobodys_keys()
"""For an issuer whose keys could never be had: no token of it is good. A proxy takes no empty set."""
