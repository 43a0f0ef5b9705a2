"""CAs as operators bring them, good and bad, for tests."""

from datetime import UTC, datetime, timedelta

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.x509.oid import NameOID

from proa.core.auth.ca import Ca
from proa.core.auth.sign import CaKey
from tests.unit.core.auth.authorities import NOW, key

RSA_KEY = rsa.generate_private_key(65537, 2048)


def make_ca(
    name: str,
    signer: Ca | None = None,
    *,
    ca_key: CaKey | None = None,
    number: int = 600,
    is_ca: bool = True,
    path_length: int | None = None,
    may_sign: bool = True,
    now: float = NOW,
    days: float = 30,
    constraints: x509.NameConstraints | None = None,
    uri: str = "",
) -> Ca:
    """As openssl makes one: no SPIFFE id unless `uri` names one, key identifiers of its own kind."""
    own = ca_key or key(number)
    start = datetime.fromtimestamp(now - 3600, UTC)
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject if signer is None else signer.certificate.subject)
        .public_key(own.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(start)
        .not_valid_after(start + timedelta(days=days))
        .add_extension(
            x509.BasicConstraints(ca=is_ca, path_length=path_length if is_ca else None), critical=True
        )
        .add_extension(
            x509.KeyUsage(True, False, False, False, False, may_sign, may_sign, False, False), critical=True
        )
        .add_extension(x509.SubjectKeyIdentifier(name.encode()), critical=False)
    )
    if signer is not None:
        named = signer.certificate.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value
        builder = builder.add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(named), critical=False
        )
    if constraints is not None:
        builder = builder.add_extension(constraints, critical=True)
    if uri:
        builder = builder.add_extension(
            x509.SubjectAlternativeName([x509.UniformResourceIdentifier(uri)]), critical=False
        )
    certificate = builder.sign(own if signer is None else signer.key, SHA256())
    issuers = () if signer is None else (signer.certificate, *signer.issuers)
    return Ca(key=own, certificate=certificate, issuers=issuers)


ROOT = make_ca("their root", number=601)
MIDDLE = make_ca("their middle", ROOT, number=602)
RSA_SIGNER = make_ca("their signer", MIDDLE, ca_key=RSA_KEY)
P384_ROOT = make_ca("another root", ca_key=ec.derive_private_key(77, ec.SECP384R1()))
