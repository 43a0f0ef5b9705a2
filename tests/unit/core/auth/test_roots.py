import hashlib

import pytest
from cryptography.hazmat.primitives.serialization import Encoding

from proa.core.auth.roots import root_digests, root_sha256, root_with_digest
from tests.unit.core.auth.authorities import INTERMEDIATE, ROOT


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
