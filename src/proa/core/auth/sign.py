"""From a template to a certificate. Pure: the same arguments give the same bytes.

Called by the authority alone, which passes the result to `inspect` before anybody sees it. Signatures are
deterministic: ECDSA by RFC 6979, RSA by PKCS #1 v1.5. No randomness hides in here, and a weak source of it cannot
leak a CA key.
"""

from datetime import UTC, datetime

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from proa.core.auth.template import ORGANIZATION, CertificateTemplate, IssuanceError

PublicKey = ec.EllipticCurvePublicKey | rsa.RSAPublicKey
CaKey = ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey


def sign(
    template: CertificateTemplate, public_key: PublicKey, signer_key: CaKey, signer: x509.Certificate | None
) -> x509.Certificate:
    """The certificate the template describes, for `public_key`, signed by `signer`'s key; `signer` None signs
    itself (a root)."""
    builder = (
        x509.CertificateBuilder(
            issuer_name=subject_of(template) if signer is None else signer.subject,
            subject_name=subject_of(template),
            public_key=public_key,
            serial_number=template.serial,
        )
        .not_valid_before(datetime.fromtimestamp(template.not_before, UTC))
        .not_valid_after(datetime.fromtimestamp(template.not_after, UTC))
    )
    for extension, is_critical in extensions_of(template, public_key, signer):
        builder = builder.add_extension(extension, is_critical)
    if isinstance(signer_key, rsa.RSAPrivateKey):
        return builder.sign(signer_key, SHA256())
    return builder.sign(signer_key, SHA256(), ecdsa_deterministic=True)


def subject_of(template: CertificateTemplate) -> x509.Name:
    """O always; CN and serialNumber where the template has them. Never a workload's name: it would be one more
    place to read an identity from."""
    named = (
        (NameOID.ORGANIZATION_NAME, ORGANIZATION),
        (NameOID.COMMON_NAME, template.common_name),
        (NameOID.SERIAL_NUMBER, template.subject_serial),
    )
    return x509.Name([x509.NameAttribute(oid, value) for oid, value in named if value])


def extensions_of(
    template: CertificateTemplate, public_key: PublicKey, signer: x509.Certificate | None
) -> tuple[tuple[x509.ExtensionType, bool], ...]:
    """Every extension with its critical flag, in the order they are written; `signer` None signs itself."""
    names: list[x509.GeneralName] = [x509.UniformResourceIdentifier(str(template.uri))]
    names.extend(x509.DNSName(name) for name in template.dns_names)
    extensions: list[tuple[x509.ExtensionType, bool]] = [
        (x509.BasicConstraints(ca=template.is_ca, path_length=template.path_length), True),
        (_key_usage(template.is_ca), True),
        (x509.SubjectAlternativeName(names), False),
        (x509.SubjectKeyIdentifier.from_public_key(public_key), False),
        (_authority_key(public_key, signer), False),
    ]
    if not template.is_ca:
        usages = [ExtendedKeyUsageOID.CLIENT_AUTH]
        if not template.is_client_only:
            usages.insert(0, ExtendedKeyUsageOID.SERVER_AUTH)
        extensions.insert(2, (x509.ExtendedKeyUsage(usages), False))
    return tuple(extensions)


def _authority_key(public_key: PublicKey, signer: x509.Certificate | None) -> x509.AuthorityKeyIdentifier:
    """As the signer's certificate calls its key: a CA that others made may have named it in its own way."""
    if signer is None:
        return x509.AuthorityKeyIdentifier.from_issuer_public_key(public_key)
    try:
        named = signer.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value
    except x509.ExtensionNotFound:
        key = signer.public_key()
        if not isinstance(key, ec.EllipticCurvePublicKey | rsa.RSAPublicKey):
            raise IssuanceError("a CA's key is an elliptic curve or an RSA key") from None
        return x509.AuthorityKeyIdentifier.from_issuer_public_key(key)
    return x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(named)


def _key_usage(is_ca: bool) -> x509.KeyUsage:
    """TLS 1.2 with ECDHE and TLS 1.3 need digitalSignature only, with RSA keys too."""
    return x509.KeyUsage(
        digital_signature=not is_ca,
        key_cert_sign=is_ca,
        crl_sign=is_ca,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )
