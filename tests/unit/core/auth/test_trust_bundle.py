"""Bundles in both forms, and what is none."""

import json
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from proa.core.auth.trust_bundle import (
    MAX_CERTIFICATES,
    BadBundle,
    read_bundle,
    roots_in,
    shows_identity,
    write_document,
)
from tests.certificates import Authority

DOMAIN = "partner.example"


def roots(folder: Path, *names: str) -> list[str]:
    return [Authority(folder, name, DOMAIN).roots.read_text() for name in names]


def test_one_spelling_whatever_the_order_and_the_form(tmp_path: Path) -> None:
    first, second = roots(tmp_path, "a", "b")
    found = read_bundle(first + second, DOMAIN)
    assert found == read_bundle(f"words\n{second}\n{first}{second}", DOMAIN)
    assert found.pem.count("BEGIN") == 2
    document = write_document(found.pem, 30, 7).decode()
    read = read_bundle(document, DOMAIN)
    assert (read.pem, read.refresh_hint, read.sequence) == (found.pem, 30, 7)
    keys = json.loads(document)["keys"]
    assert [(key["use"], key["kty"], key["crv"]) for key in keys] == [("x509-svid", "EC", "P-256")] * 2
    assert len(roots_in(read.pem)) == 2
    assert roots_in("") == ()


def test_keys_for_jwts_and_later_words_are_passed_over(tmp_path: Path) -> None:
    document = json.loads(write_document("".join(roots(tmp_path, "a")), 5, 1))
    document["keys"].append({"use": "jwt-svid", "kty": "EC"})
    document |= {"spiffe_sequence": "many", "spiffe_refresh_hint": -1, "later": {}}
    read = read_bundle(json.dumps(document), DOMAIN)
    assert (read.refresh_hint, read.sequence) == (None, None)


def test_what_no_proxy_may_be_given(tmp_path: Path) -> None:
    (root,) = roots(tmp_path, "a")
    leaf = Authority(tmp_path, "b", DOMAIN).issue("spiffe://partner.example/x").cert.read_text()
    chain = json.loads(write_document(root, 5, 1))
    chain["keys"][0]["x5c"] *= 2
    for text, domain, words in (
        (root, "other.example", "not of spiffe://other.example"),
        (leaf, DOMAIN, "no CA"),
        ("", DOMAIN, "PEM"),
        ('{"keys": []}', DOMAIN, "no certificate"),
        ("{]", DOMAIN, "not JSON"),
        ("{}", DOMAIN, '"keys"'),
        (json.dumps(chain), DOMAIN, "one certificate"),
        ('{"keys": [{"use": "x509-svid", "x5c": ["AAAA"]}]}', DOMAIN, "holds no certificate"),
        (root * (MAX_CERTIFICATES + 1), DOMAIN, "at most"),
        ("x" * 300_000, DOMAIN, "longer than"),
    ):
        with pytest.raises(BadBundle, match=words):
            read_bundle(text, domain)
    with pytest.raises(BadBundle):
        write_document("nothing", 5, 1)


def test_a_root_without_a_name_of_its_own_will_do(tmp_path: Path) -> None:
    plain = Authority(tmp_path, "c").roots.read_text()
    assert read_bundle(plain, DOMAIN).pem == plain


def test_a_server_shows_one_identity_or_none(tmp_path: Path) -> None:
    authority, identity = Authority(tmp_path, "d", DOMAIN), "spiffe://partner.example/server"

    def der(*names: str) -> bytes:
        issued = authority.issue(*names, file=str(len(names)))
        return x509.load_pem_x509_certificate(issued.cert.read_bytes()).public_bytes(Encoding.DER)

    assert shows_identity(der(identity, "a.example"), identity)
    assert not shows_identity(der(identity, "spiffe://partner.example/other", "b"), identity)
    assert not shows_identity(der("a.example"), identity)
    assert not shows_identity(b"0", identity)
