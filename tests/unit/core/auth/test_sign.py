import shutil
import subprocess
from datetime import UTC, datetime
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import ExtendedKeyUsageOID
from cryptography.x509.verification import PolicyBuilder, Store, VerificationError

from proa.core.auth.ca import issue, to_pem
from proa.core.auth.operators import Operator, operator_id
from proa.core.auth.sign import extensions_of, sign, subject_of
from proa.core.auth.template import operator_leaf
from tests.unit.core.auth.authorities import INTERMEDIATE, LEAF_KEY, NOW, ROOT, key, leaf, leaf_template


def verifier_at(now: float, root: x509.Certificate) -> PolicyBuilder:
    return PolicyBuilder().store(Store([root])).time(datetime.fromtimestamp(now, UTC))


def test_the_same_arguments_give_the_same_bytes() -> None:
    first, second = leaf(), leaf()
    assert first.public_bytes(Encoding.DER) == second.public_bytes(Encoding.DER)


def test_a_leaf_is_what_spiffe_asks_for() -> None:
    signed = leaf()
    assert signed.issuer == INTERMEDIATE.certificate.subject
    names = signed.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert names.get_values_for_type(x509.UniformResourceIdentifier) == [
        "spiffe://cluster.local/ns/default/sa/bookinfo-reviews"
    ]
    assert names.get_values_for_type(x509.DNSName) == ["reviews-v1.default.workload.cluster.local"]
    usage = signed.extensions.get_extension_for_class(x509.KeyUsage)
    assert usage.critical
    assert usage.value.digital_signature
    assert not usage.value.key_cert_sign
    assert not usage.value.crl_sign
    extended = signed.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    assert set(extended) == {ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH}
    constraints = signed.extensions.get_extension_for_class(x509.BasicConstraints)
    assert constraints.critical
    assert not constraints.value.ca


def test_peers_accept_the_chain_as_server_and_as_client() -> None:
    builder = verifier_at(NOW, ROOT.certificate)
    name = x509.DNSName("reviews-v1.default.workload.cluster.local")
    chain = builder.build_server_verifier(name).verify(leaf(), [INTERMEDIATE.certificate])
    assert chain[-1] == ROOT.certificate
    assert builder.build_client_verifier().verify(leaf(), [INTERMEDIATE.certificate]).subjects


def test_an_operator_is_a_client_alone() -> None:
    identity = operator_id("cluster.local", Operator("ann", "admin"))
    template = operator_leaf(identity, 7, INTERMEDIATE.validity(NOW, 3600))
    signed = issue(template, LEAF_KEY.public_key(), INTERMEDIATE)
    builder = verifier_at(NOW, ROOT.certificate)
    assert builder.build_client_verifier().verify(signed, [INTERMEDIATE.certificate]).subjects
    assert list(signed.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value) == [
        ExtendedKeyUsageOID.CLIENT_AUTH
    ]


@pytest.mark.parametrize("away", [-61, 86_401])
def test_peers_refuse_the_chain_outside_its_time(away: int) -> None:
    builder = verifier_at(NOW + away, ROOT.certificate)
    with pytest.raises(VerificationError):
        builder.build_client_verifier().verify(leaf(), [INTERMEDIATE.certificate])


def test_other_keys_are_signed_too() -> None:
    for public in (
        ec.derive_private_key(9, ec.SECP384R1()).public_key(),
        rsa.generate_private_key(65537, 2048).public_key(),
    ):
        signed = sign(leaf_template(), public, INTERMEDIATE.key, INTERMEDIATE.certificate)
        assert signed.public_key() == public
        assert isinstance(signed.signature_hash_algorithm, SHA256)


def test_subjects_name_no_workload() -> None:
    assert subject_of(leaf_template()).rfc4514_string() == "O=Proa"
    assert ROOT.certificate.subject.rfc4514_string() == "2.5.4.5=1,CN=Proa root CA,O=Proa"


def test_extensions_of_a_ca_give_it_no_use_in_tls() -> None:
    kinds = [type(each) for each, _ in extensions_of(leaf_template(), key().public_key(), None)]
    assert x509.ExtendedKeyUsage in kinds
    with pytest.raises(x509.ExtensionNotFound):
        ROOT.certificate.extensions.get_extension_for_class(x509.ExtendedKeyUsage)


@pytest.mark.skipif(shutil.which("openssl") is None, reason="needs the command openssl")
def test_openssl_accepts_the_chain(tmp_path: Path) -> None:
    (tmp_path / "root.pem").write_text(ROOT.pem)
    (tmp_path / "intermediate.pem").write_text(INTERMEDIATE.pem)
    (tmp_path / "leaf.pem").write_text(to_pem(leaf()))
    for purpose in ("sslserver", "sslclient"):
        command = ["openssl", "verify", "-x509_strict", "-purpose", purpose, "-attime", str(int(NOW))]
        files = ["-CAfile", "root.pem", "-untrusted", "intermediate.pem", "leaf.pem"]
        done = subprocess.run([*command, *files], cwd=tmp_path, capture_output=True, text=True, check=False)
        assert (done.returncode, done.stdout) == (0, "leaf.pem: OK\n"), done.stderr


def test_the_leafs_key_is_the_asked_one() -> None:
    assert leaf().public_key() == LEAF_KEY.public_key()
