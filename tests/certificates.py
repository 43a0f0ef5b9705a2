"""Certificates for tests: an authority, what it issues, and what it takes back. Files in a folder of the caller's."""

import base64
import datetime
from pathlib import Path
from typing import Literal

import msgspec
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

DAY = datetime.timedelta(days=1)
_SIGNS = x509.KeyUsage(True, False, False, False, False, False, False, False, False)
"""digitalSignature: what SPIFFE asks of leafs, and Envoy's validator with it."""


class Issued(msgspec.Struct, frozen=True):
    """Files of a certificate and its key. `hash` is SHA-256 of the certificate in hex, `spki` of its key in base64."""

    cert: Path
    key: Path
    hash: str
    spki: str
    serial: int


class Authority:
    """A root, of a SPIFFE trust domain if one is given. `roots` is its file; each `issue` makes two files more."""

    def __init__(self, folder: Path, name: str = "root", trust_domain: str = "") -> None:
        self._folder = folder
        self._name = name
        self._key = ec.generate_private_key(ec.SECP256R1())
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        usage = x509.KeyUsage(False, False, False, False, False, True, True, False, False)
        builder = (
            _builder(subject, subject, self._key.public_key())
            .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
            .add_extension(usage, critical=True)
        )
        if trust_domain:
            names = [x509.UniformResourceIdentifier(f"spiffe://{trust_domain}")]
            builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=False)
        self._certificate = builder.sign(self._key, hashes.SHA256())
        self.roots = folder / f"{name}.pem"
        self.roots.write_bytes(self._certificate.public_bytes(serialization.Encoding.PEM))

    def issue(self, name: str, *more: str, kind: Literal["EC", "RSA"] = "EC", file: str = "") -> Issued:
        """For host names, or `spiffe://` ids. `file` is the beginning of the files' names."""
        key = (
            ec.generate_private_key(ec.SECP256R1())
            if kind == "EC"
            else rsa.generate_private_key(public_exponent=65537, key_size=2048)
        )
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name.partition("://")[2] or name)])
        alternatives = [
            x509.UniformResourceIdentifier(each) if "://" in each else x509.DNSName(each)
            for each in (name, *more)
        ]
        purposes = [ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH]
        certificate = (
            _builder(subject, self._certificate.subject, key.public_key())
            .add_extension(x509.SubjectAlternativeName(alternatives), critical=False)
            .add_extension(x509.ExtendedKeyUsage(purposes), critical=False)
            .add_extension(_SIGNS, critical=True)
            .sign(self._key, hashes.SHA256())
        )
        stem = f"{self._name}-{file or name.replace('/', '_')}-{kind}"
        cert_file, key_file = self._folder / f"{stem}.cert", self._folder / f"{stem}.key"
        cert_file.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
        key_file.write_bytes(
            key.private_bytes(
                serialization.Encoding.PEM,
                serialization.PrivateFormat.PKCS8,
                serialization.NoEncryption(),
            )
        )
        form = (serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
        digest = hashes.Hash(hashes.SHA256())
        digest.update(key.public_key().public_bytes(*form))
        return Issued(
            cert_file,
            key_file,
            certificate.fingerprint(hashes.SHA256()).hex(),
            base64.b64encode(digest.finalize()).decode(),
            certificate.serial_number,
        )

    def revoke(self, *issued: Issued) -> Path:
        """A list of exactly these."""
        now = datetime.datetime.now(datetime.UTC)
        builder = (
            x509.CertificateRevocationListBuilder()
            .issuer_name(self._certificate.subject)
            .last_update(now - DAY)
            .next_update(now + DAY)
        )
        for each in issued:
            revoked = x509.RevokedCertificateBuilder().serial_number(each.serial).revocation_date(now - DAY)
            builder = builder.add_revoked_certificate(revoked.build())
        file = self._folder / f"{self._name}.crl"
        signed = builder.sign(self._key, hashes.SHA256())
        file.write_bytes(signed.public_bytes(serialization.Encoding.PEM))
        return file


def _builder(
    subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePublicKey | rsa.RSAPublicKey
) -> x509.CertificateBuilder:
    now = datetime.datetime.now(datetime.UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - DAY)
        .not_valid_after(now + DAY)
    )
