"""A certificate authority as a value: a key, its certificate, and what it may sign.

`control_plane.authority` keeps a root and an intermediate of these; keys, serials and time are its arguments.
"""

from datetime import datetime

import msgspec
from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)
from cryptography.x509.oid import NameOID

from proa.core.auth.inspect import check
from proa.core.auth.sign import CaKey, PublicKey, sign
from proa.core.auth.spiffe import SpiffeId
from proa.core.auth.template import (
    INTERMEDIATE_TTL,
    CertificateTemplate,
    IssuanceError,
    Validity,
    intermediate_ca,
    root_ca,
)


def name_text(name: x509.Name) -> str:
    """As people read it, the serial number by its word and not by a row of figures."""
    return name.rfc4514_string({NameOID.SERIAL_NUMBER: "serialNumber"})


class Ca(msgspec.Struct, frozen=True, kw_only=True):
    """`certificate` is of `key`; `issuers` lead from it to its root, which is the last of them. A root has none. Its
    printed form shows no key."""

    key: CaKey
    certificate: x509.Certificate
    issuers: tuple[x509.Certificate, ...] = ()

    def __repr__(self) -> str:
        return f"Ca({name_text(self.certificate.subject)!r})"

    @property
    def pem(self) -> str:
        """The certificate alone."""
        return to_pem(self.certificate)

    @property
    def root(self) -> x509.Certificate:
        """What its peers have to trust."""
        return self.issuers[-1] if self.issuers else self.certificate

    @property
    def chain_pem(self) -> str:
        """All of its certificates, its own first, the root last."""
        return "".join(map(to_pem, (self.certificate, *self.issuers)))

    @property
    def presented_pem(self) -> str:
        """What the holder of a leaf shows after it: what leads to the root, without the root."""
        return "".join(map(to_pem, (self.certificate, *self.issuers)[:-1]))

    @property
    def key_pem(self) -> str:
        """The private key, unencrypted PKCS#8."""
        return private_pem(self.key)

    @property
    def not_before(self) -> int:
        """Of the whole chain: nothing under it is valid before."""
        return max(_seconds(each.not_valid_before_utc) for each in (self.certificate, *self.issuers))

    @property
    def not_after(self) -> int:
        return min(_seconds(each.not_valid_after_utc) for each in (self.certificate, *self.issuers))

    def validity(self, now: float, ttl: int) -> Validity:
        """The time of a certificate this CA signs at `now`: never longer than its own."""
        return Validity(now=now, ttl=ttl, signer_not_before=self.not_before, signer_not_after=self.not_after)


def issue(template: CertificateTemplate, public_key: PublicKey, signer: Ca) -> x509.Certificate:
    """Signs and checks what was signed. Raises IssuanceError when they differ."""
    certificate = sign(template, public_key, signer.key, signer.certificate)
    check(certificate, template, public_key, signer.certificate)
    return certificate


def make_root(trust_domain: str, key: CaKey, serial: int, now: float) -> Ca:
    """A self-signed root of ten years."""
    template = root_ca(trust_domain, serial, now)
    certificate = sign(template, key.public_key(), key, None)
    check(certificate, template, key.public_key(), None)
    return Ca(key=key, certificate=certificate)


def make_intermediate(trust_domain: str, root: Ca, key: CaKey, serial: int, now: float) -> Ca:
    """A CA of a year under `root`, which signs leafs."""
    template = intermediate_ca(trust_domain, serial, root.validity(now, INTERMEDIATE_TTL))
    certificate = issue(template, key.public_key(), root)
    return Ca(key=key, certificate=certificate, issuers=(root.certificate,))


def read_ca(key_pem: str, chain_pem: str, trust_domain: str, signer: Ca | None) -> Ca:
    """A CA as it was kept; `signer` None means it must be a root.

    Raises IssuanceError when the two do not belong together, to this trust domain, or under this signer.
    """
    try:
        key = load_pem_private_key(key_pem.encode(), password=None)
        certificate = x509.load_pem_x509_certificate(chain_pem.encode())
        names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        constraints = certificate.extensions.get_extension_for_class(x509.BasicConstraints).value
    except (ValueError, TypeError, UnsupportedAlgorithm, x509.ExtensionNotFound) as error:
        raise IssuanceError(f"the CA cannot be read: {error}") from None
    if not isinstance(key, ec.EllipticCurvePrivateKey) or key.public_key() != certificate.public_key():
        raise IssuanceError("the CA's key and certificate do not belong together")
    if not constraints.ca:
        raise IssuanceError("the CA's certificate is no CA's")
    uris = names.get_values_for_type(x509.UniformResourceIdentifier)
    if uris != [str(SpiffeId(trust_domain))]:
        raise IssuanceError(f"the CA is of {', '.join(uris) or 'no trust domain'}, not {trust_domain}")
    try:
        certificate.verify_directly_issued_by(certificate if signer is None else signer.certificate)
    except (ValueError, TypeError, InvalidSignature):
        raise IssuanceError(
            "the CA was not signed by itself" if signer is None else "the CA was not signed by this root"
        ) from None
    return Ca(key=key, certificate=certificate, issuers=() if signer is None else (signer.certificate,))


def read_signer(key_pem: str, chain_pem: str) -> Ca:
    """What was a Ca in another process: its key, and its certificate with its issuers. Raises IssuanceError."""
    try:
        key = load_pem_private_key(key_pem.encode(), password=None)
        certificate, *issuers = x509.load_pem_x509_certificates(chain_pem.encode())
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise IssuanceError(f"the signer cannot be read: {error}") from None
    if not isinstance(key, ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey):
        raise IssuanceError("the signer's key is neither an elliptic curve nor an RSA key")
    return Ca(key=key, certificate=certificate, issuers=tuple(issuers))


def to_pem(certificate: x509.Certificate) -> str:
    """One certificate, with its newline."""
    return certificate.public_bytes(Encoding.PEM).decode()


def private_pem(key: CaKey) -> str:
    """A private key as unencrypted PKCS#8, with its newline: for a key store and for Envoy."""
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()


def _seconds(time: datetime) -> int:
    return int(time.timestamp())
