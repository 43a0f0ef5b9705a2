"""What was really signed: a certificate compared with the template it was made of.

The authority calls `check` on every certificate before it records or hands it out. The certificate is read from
its DER bytes and every field is compared, also that there is nothing more: whatever goes wrong between template
and signature (a library, a hardware key store, a patched CA) ends here, not in a peer's trust.
"""

from datetime import UTC, datetime

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from proa.core.auth.sign import PublicKey, extensions_of, subject_of
from proa.core.auth.template import CertificateTemplate, IssuanceError


def check(
    certificate: x509.Certificate,
    template: CertificateTemplate,
    public_key: PublicKey,
    signer: x509.Certificate | None,
) -> None:
    """Raises IssuanceError naming every difference; `signer` None means self-signed."""
    found = differences(certificate, template, public_key, signer)
    if found:
        raise IssuanceError("what was signed is not what was asked: " + "; ".join(found))


def differences(
    certificate: x509.Certificate,
    template: CertificateTemplate,
    public_key: PublicKey,
    signer: x509.Certificate | None,
) -> tuple[str, ...]:
    """Each field of the certificate that is not as the template has it, in words; empty when all are."""
    signed = x509.load_der_x509_certificate(certificate.public_bytes(Encoding.DER))
    issuer_name = subject_of(template) if signer is None else signer.subject
    issuer_key = public_key if signer is None else signer.public_key()
    if not isinstance(issuer_key, ec.EllipticCurvePublicKey | rsa.RSAPublicKey):
        return ("the signer's key is neither an elliptic curve nor an RSA key",)
    fields: tuple[tuple[str, object, object], ...] = (
        ("version", signed.version, x509.Version.v3),
        ("serial", signed.serial_number, template.serial),
        ("issuer", signed.issuer, issuer_name),
        ("subject", signed.subject, subject_of(template)),
        ("not before", signed.not_valid_before_utc, datetime.fromtimestamp(template.not_before, UTC)),
        ("not after", signed.not_valid_after_utc, datetime.fromtimestamp(template.not_after, UTC)),
        ("public key", _key_bytes(signed.public_key()), _key_bytes(public_key)),
        ("signature algorithm", type(signed.signature_hash_algorithm), SHA256),
    )
    found = [
        f"{name} is {_shown(real)}, not {_shown(wanted)}" for name, real, wanted in fields if real != wanted
    ]
    found.extend(_extension_differences(signed, template, public_key, signer))
    if not _is_signed_by(signed, issuer_key):
        found.append("the signature is not the signer's")
    return tuple(found)


def _extension_differences(
    signed: x509.Certificate,
    template: CertificateTemplate,
    public_key: PublicKey,
    signer: x509.Certificate | None,
) -> list[str]:
    wanted = {
        value.oid.dotted_string: (is_critical, value)
        for value, is_critical in extensions_of(template, public_key, signer)
    }
    real = {each.oid.dotted_string: (each.critical, each.value) for each in signed.extensions}
    found = []
    for oid in sorted(wanted.keys() | real.keys()):
        if oid not in real:
            found.append(f"extension {oid} is missing")
        elif oid not in wanted:
            found.append(f"extension {oid} was not asked for")
        elif real[oid] != wanted[oid]:
            found.append(f"extension {oid} is {real[oid][1]}, not {wanted[oid][1]}")
    return found


def _is_signed_by(certificate: x509.Certificate, key: PublicKey) -> bool:
    signature, signed = certificate.signature, certificate.tbs_certificate_bytes
    try:
        if isinstance(key, rsa.RSAPublicKey):
            key.verify(signature, signed, PKCS1v15(), SHA256())
        else:
            key.verify(signature, signed, ec.ECDSA(SHA256()))
    except InvalidSignature:
        return False
    return True


def _key_bytes(key: object) -> bytes:
    if not hasattr(key, "public_bytes"):
        return b""
    encoded = key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return encoded if isinstance(encoded, bytes) else b""


def _shown(value: object) -> str:
    if isinstance(value, x509.Name):
        return value.rfc4514_string()
    return value.hex()[-16:] if isinstance(value, bytes) else str(value)
