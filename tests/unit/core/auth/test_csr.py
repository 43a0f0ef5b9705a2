import base64
from ipaddress import IPv4Address

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding
from hypothesis import given
from hypothesis import strategies as st

from proa.core.auth.csr import CheckedCsr, CsrRefused, build_csr, check_csr
from proa.core.auth.spiffe import workload_id
from tests.unit.core.auth.authorities import key

REVIEWS = workload_id("cluster.local", "default", "bookinfo-reviews")
RATINGS = workload_id("cluster.local", "default", "bookinfo-ratings")
SIGNING_USAGE = x509.KeyUsage(
    digital_signature=True,
    key_cert_sign=True,
    crl_sign=False,
    content_commitment=False,
    key_encipherment=False,
    data_encipherment=False,
    key_agreement=False,
    encipher_only=False,
    decipher_only=False,
)
AnyKey = ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey | ed25519.Ed25519PrivateKey


def request(private: AnyKey, *names: x509.GeneralName) -> str:
    builder = x509.CertificateSigningRequestBuilder(
        subject_name=x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "root")])
    )
    if names:
        builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=False)
    algorithm = None if isinstance(private, ed25519.Ed25519PrivateKey) else SHA256()
    return builder.sign(private, algorithm).public_bytes(Encoding.PEM).decode()


def test_what_agents_build_is_taken() -> None:
    assert check_csr(build_csr(key(), REVIEWS), REVIEWS) == CheckedCsr(public_key=key().public_key())
    assert build_csr(key(), REVIEWS) == build_csr(key(), REVIEWS)


@pytest.mark.parametrize(
    "private",
    [
        ec.derive_private_key(5, ec.SECP256R1()),
        ec.derive_private_key(5, ec.SECP384R1()),
        rsa.generate_private_key(65537, 2048),
    ],
)
def test_allowed_keys(private: AnyKey) -> None:
    assert isinstance(check_csr(request(private), REVIEWS), CheckedCsr)


@pytest.mark.parametrize(
    "private",
    [
        ec.derive_private_key(5, ec.SECP521R1()),
        ec.derive_private_key(5, ec.SECP256K1()),
        rsa.generate_private_key(65537, 1024),
        ed25519.Ed25519PrivateKey.from_private_bytes(b"5" * 32),
    ],
)
def test_keys_that_are_not_allowed(private: AnyKey) -> None:
    refused = check_csr(request(private), REVIEWS)
    assert isinstance(refused, CsrRefused)
    assert "the CSR's key is not allowed" in refused.reason


@pytest.mark.parametrize(
    "name",
    [
        x509.DNSName("google.com"),
        x509.UniformResourceIdentifier("https://example.org"),
        x509.IPAddress(IPv4Address("10.0.0.1")),
        x509.RFC822Name("a@example.org"),
    ],
)
def test_further_names_are_refused_and_not_cut_off(name: x509.GeneralName) -> None:
    refused = check_csr(request(key(), name), REVIEWS, ("own.example",))
    assert isinstance(refused, CsrRefused)
    assert refused.code == "csr names"
    assert isinstance(
        check_csr(request(key(), x509.DNSName("own.example")), REVIEWS, ("own.example",)), CheckedCsr
    )


def test_a_request_for_a_cas_certificate_is_refused() -> None:
    for extension in (x509.BasicConstraints(ca=True, path_length=None), SIGNING_USAGE):
        builder = x509.CertificateSigningRequestBuilder(subject_name=x509.Name([]))
        signed = builder.add_extension(extension, critical=True).sign(key(), SHA256())
        refused = check_csr(signed.public_bytes(Encoding.PEM).decode(), REVIEWS)
        assert isinstance(refused, CsrRefused)
        assert refused.code == "csr ca"


@pytest.mark.parametrize(
    "uri", [str(RATINGS), "SPIFFE://cluster.local/ns/default/sa/bookinfo-reviews", "spiffe://"]
)
def test_another_spiffe_id_is_refused(uri: str) -> None:
    own = x509.UniformResourceIdentifier(str(REVIEWS))
    refused = check_csr(request(key(), own, x509.UniformResourceIdentifier(uri)), REVIEWS)
    assert refused == CsrRefused(
        reason=f"the CSR asks for {uri}, this asker gets {REVIEWS}", code="csr identity"
    )


def test_a_key_that_is_not_the_askers_is_refused() -> None:
    mine, other = build_csr(key(1), REVIEWS), build_csr(key(2), REVIEWS)
    der = x509.load_pem_x509_csr(mine.encode()).public_bytes(Encoding.DER)
    own, foreign = (_point(key(number)) for number in (1, 2))
    assert own in der
    stolen = x509.load_der_x509_csr(der.replace(own, foreign)).public_bytes(Encoding.PEM).decode()
    assert stolen != other
    assert check_csr(stolen, REVIEWS) == CsrRefused(
        reason="the CSR's signature is not valid", code="csr signature"
    )


def _point(private: ec.EllipticCurvePrivateKey) -> bytes:
    numbers = private.public_key().public_numbers()
    return numbers.x.to_bytes(32, "big") + numbers.y.to_bytes(32, "big")


@given(st.text(max_size=200))
def test_no_text_breaks_the_reader(text: str) -> None:
    assert isinstance(check_csr(text, REVIEWS), CsrRefused)
    framed = f"-----BEGIN CERTIFICATE REQUEST-----\n{text}\n-----END CERTIFICATE REQUEST-----\n"
    assert isinstance(check_csr(framed, REVIEWS), CsrRefused)


@given(st.integers(min_value=0, max_value=10_000), st.integers(min_value=0, max_value=255))
def test_no_damaged_request_breaks_the_reader(place: int, byte: int) -> None:
    der = bytearray(x509.load_pem_x509_csr(build_csr(key(), REVIEWS).encode()).public_bytes(Encoding.DER))
    der[place % len(der)] = byte
    body = base64.encodebytes(bytes(der)).decode()
    pem = f"-----BEGIN CERTIFICATE REQUEST-----\n{body}-----END CERTIFICATE REQUEST-----\n"
    check_csr(pem, REVIEWS)


def test_what_is_too_long_is_not_looked_at() -> None:
    refused = check_csr("a" * 20_000, REVIEWS)
    assert isinstance(refused, CsrRefused)
    assert "longer than" in refused.reason
