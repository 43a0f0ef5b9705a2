"""What of a server's answer proxies are given."""

import base64
import json
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from hypothesis import given
from hypothesis import strategies as some
from jwt.algorithms import ECAlgorithm, OKPAlgorithm, RSAAlgorithm

from proa.core.auth.key_sets import (
    MAX_BYTES,
    MAX_KEYS,
    NO_KEYS,
    BadAnswer,
    discovery_uri,
    max_age_s,
    read_discovery,
    read_key_set,
)
from tests.token_issuer import SigningKey

KEY = SigningKey("one").published
SECRET = {"kty": "oct", "k": base64.urlsafe_b64encode(b"x" * 32).decode().rstrip("="), "alg": "HS256"}


def answer(*keys: object) -> bytes:
    return json.dumps({"keys": keys}, indent=1).encode()


def kept(*keys: object, secrets: bool = False) -> list[dict[str, str]]:
    found: list[dict[str, str]] = json.loads(read_key_set(answer(*keys), secrets=secrets))["keys"]
    return found


def test_every_kind_that_proxies_know_is_kept() -> None:
    keys = [
        RSAAlgorithm.to_jwk(rsa.generate_private_key(65537, 2048).public_key(), as_dict=True),
        ECAlgorithm.to_jwk(ec.generate_private_key(ec.SECP384R1()).public_key(), as_dict=True),
        OKPAlgorithm.to_jwk(ed25519.Ed25519PrivateKey.generate().public_key(), as_dict=True),
        KEY,
    ]
    assert len(kept(*keys)) == 4


@pytest.mark.parametrize(
    "bad",
    [
        {**KEY, "alg": "RS256"},
        {**KEY, "use": "enc"},
        {**KEY, "crv": "secp256k1"},
        {**KEY, "x": "AAAA"},
        {"kty": "RSA"},
        {"kty": "RSA", "n": "%%", "e": "AQAB"},
        SECRET,
        {},
        "x",
    ],
)
def test_keys_that_are_of_no_use_are_left_out(bad: object) -> None:
    assert kept(bad, KEY) == kept(KEY)
    with pytest.raises(BadAnswer, match="no key in it"):
        read_key_set(answer(bad))


def test_a_secret_is_kept_where_the_operator_wrote_it_and_private_parts_never() -> None:
    assert kept(SECRET, secrets=True) == [{"alg": "HS256", "k": SECRET["k"], "kty": "oct"}]
    private: dict[str, Any] = ECAlgorithm.to_jwk(ec.generate_private_key(ec.SECP256R1()), as_dict=True)
    assert "d" in private
    assert "d" not in kept(private)[0]
    assert "k" not in kept({**KEY, "k": "x"})[0]


def test_order_and_spacing_change_nothing() -> None:
    other = SigningKey("two").published
    backwards = dict(reversed(list(other.items())))
    assert read_key_set(answer(KEY, other)) == read_key_set(json.dumps({"keys": [backwards, KEY]}).encode())
    again = read_key_set(answer(KEY))
    assert read_key_set(again.encode()) == again


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"no",
        b"[]",
        b"{}",
        b'{"keys": 1}',
        b"\xff",
        b" " * (MAX_BYTES + 1),
        answer(*[KEY] * (MAX_KEYS + 1)),
    ],
)
def test_what_is_no_key_set(body: bytes) -> None:
    with pytest.raises(BadAnswer):
        read_key_set(body)


@given(some.binary(max_size=200))
def test_any_bytes_are_read_or_refused(body: bytes) -> None:
    try:
        read_key_set(body)
    except BadAnswer:
        return


def test_discovery() -> None:
    body = b'{"issuer": "https://a/", "jwks_uri": "https://a/keys"}'
    assert read_discovery(body, "https://a/") == "https://a/keys"
    assert discovery_uri("https://a/") == "https://a/.well-known/openid-configuration"
    for bad, issuer in (
        (body, "https://b/"),
        (b'{"issuer": "a"}', "a"),
        (b'{"issuer": "a", "jwks_uri": "file:///etc/passwd"}', "a"),
    ):
        with pytest.raises(BadAnswer):
            read_discovery(bad, issuer)


@pytest.mark.parametrize(
    ("said", "seconds"),
    [
        ("", None),
        ("no-store", None),
        ("public, max-age=60", 60),
        ("Max-Age=0, public", 0),
        ("s-maxage=9", None),
    ],
)
def test_how_long_an_answer_is_good(said: str, seconds: int | None) -> None:
    assert max_age_s(said) == seconds


def test_nobodys_key_is_one_that_proxies_take() -> None:
    assert read_key_set(NO_KEYS.encode()) == NO_KEYS
