import hashlib

import pytest
from cryptography.hazmat.primitives.serialization import Encoding

from proa.core.auth.ca import make_root, to_pem
from proa.core.auth.roots import (
    bundle_proof,
    is_proven,
    root_digests,
    root_sha256,
    root_with_digest,
    signing_root,
)
from tests.unit.core.auth.authorities import INTERMEDIATE, NOW, ROOT, TRUST_DOMAIN, key, leaf

OTHER = make_root(TRUST_DOMAIN, key(201), 9, NOW)


def test_the_digest_is_of_the_certificate_not_of_its_text() -> None:
    der = ROOT.certificate.public_bytes(Encoding.DER)
    assert root_sha256("words before\n" + ROOT.pem) == hashlib.sha256(der).hexdigest()


def test_only_the_root_with_the_digest_is_taken() -> None:
    digest = root_sha256(ROOT.pem)
    assert root_with_digest(ROOT.pem, digest) == ROOT.pem
    assert root_with_digest(INTERMEDIATE.pem + ROOT.pem, digest.upper()) == ROOT.pem
    assert root_with_digest(INTERMEDIATE.pem, digest) is None


def test_a_bundle_has_one_digest_per_certificate_in_whatever_order_they_stand() -> None:
    both = root_digests(ROOT.pem + INTERMEDIATE.pem)
    assert both == root_digests(INTERMEDIATE.pem + ROOT.pem)
    assert root_sha256(ROOT.pem) in both
    assert len(both) == 2


@pytest.mark.parametrize(
    "text", ["", "no PEM", "-----BEGIN CERTIFICATE-----\nx\n-----END CERTIFICATE-----\n"]
)
def test_what_is_no_certificate_is_no_root(text: str) -> None:
    assert root_with_digest(text, "00" * 32) is None
    assert root_digests(text) == ()
    with pytest.raises(ValueError, match=r".*"):
        root_sha256(text)


def test_a_chain_is_signed_by_the_root_that_signed_its_last_certificate() -> None:
    chain, bundle = to_pem(leaf()) + INTERMEDIATE.pem, OTHER.pem + ROOT.pem
    assert signing_root(chain, bundle) == root_sha256(ROOT.pem)
    assert signing_root(chain, OTHER.pem) == ""
    assert signing_root(chain + ROOT.pem, bundle) == root_sha256(ROOT.pem)
    assert signing_root("no PEM", bundle) == ""


def test_a_bundle_is_proven_by_the_secret_and_for_itself_alone() -> None:
    proof = bundle_proof("secret", ROOT.pem)
    assert is_proven(proof.upper() + "\n", "secret", ROOT.pem)
    assert not is_proven(proof, "another", ROOT.pem)
    assert not is_proven(proof, "secret", ROOT.pem + OTHER.pem)
    assert not is_proven("", "secret", ROOT.pem)
