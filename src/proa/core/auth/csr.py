"""Certificate signing requests: made by agents, read by the authority.

A CSR proves that the asker holds a key, and that is all that is taken from it. Its subject, its names and its
extensions are ignored; only when it asks for a SPIFFE id this must be the one that will be issued, so that an
agent and a control plane that disagree about an identity find out at once.
"""

from typing import Final

import msgspec
from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding

from proa.core.auth.sign import PublicKey
from proa.core.auth.spiffe import SCHEME, SpiffeId
from proa.core.auth.template import ORGANIZATION

MAX_CSR: Final = 16 * 1024  # bytes of PEM; an RSA-4096 request with a few names has 2 kB
MIN_RSA: Final = 2048
MAX_RSA: Final = 8192  # verifying a longer signature costs the authority more than it is worth
UNREADABLE: Final = (
    ValueError,
    TypeError,
    UnsupportedAlgorithm,
    x509.DuplicateExtension,
    x509.InvalidVersion,
    x509.UnsupportedGeneralNameType,
)
"""All that cryptography raises for a request it cannot read; it has no common base class for them."""
ALLOWED_KEYS: Final = "P-256, P-384 or RSA of 2048 to 8192 bits"


class CheckedCsr(msgspec.Struct, frozen=True, kw_only=True):
    """The asker holds the private part of `public_key`."""

    public_key: PublicKey


class CsrRefused(msgspec.Struct, frozen=True, kw_only=True):
    """Why a CSR is not signed."""

    reason: str


def build_csr(key: ec.EllipticCurvePrivateKey, identity: SpiffeId) -> str:
    """The PEM of a request for `identity`, signed with `key` (deterministically: same key, same bytes)."""
    builder = x509.CertificateSigningRequestBuilder(
        subject_name=x509.Name([x509.NameAttribute(x509.NameOID.ORGANIZATION_NAME, ORGANIZATION)])
    ).add_extension(
        x509.SubjectAlternativeName([x509.UniformResourceIdentifier(str(identity))]), critical=False
    )
    return builder.sign(key, SHA256(), ecdsa_deterministic=True).public_bytes(Encoding.PEM).decode()


def check_csr(pem: str, identity: SpiffeId) -> CheckedCsr | CsrRefused:
    """The key in the request, when it may get a certificate for `identity`."""
    if len(pem) > MAX_CSR:
        return CsrRefused(reason=f"the CSR is longer than {MAX_CSR} bytes")
    try:
        request = x509.load_pem_x509_csr(pem.encode())
        key = request.public_key()
        wanted = _spiffe_uris(request)
    except UNREADABLE as error:
        return CsrRefused(reason=f"the CSR cannot be read: {error}")
    if not isinstance(key, ec.EllipticCurvePublicKey | rsa.RSAPublicKey) or not _is_allowed(key):
        return CsrRefused(reason=f"the CSR's key is not allowed: {ALLOWED_KEYS}")
    if not request.is_signature_valid:
        return CsrRefused(reason="the CSR's signature is not valid")
    others = [uri for uri in wanted if uri != str(identity)]
    if others:
        return CsrRefused(reason=f"the CSR asks for {others[0][:200]}, this asker gets {identity}")
    return CheckedCsr(public_key=key)


def _is_allowed(key: PublicKey) -> bool:
    if isinstance(key, ec.EllipticCurvePublicKey):
        return isinstance(key.curve, ec.SECP256R1 | ec.SECP384R1)
    return MIN_RSA <= key.key_size <= MAX_RSA


def _spiffe_uris(request: x509.CertificateSigningRequest) -> tuple[str, ...]:
    """Spelled in any case: an upper-case scheme is still an attempt at an identity."""
    try:
        names = request.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return ()
    uris = names.get_values_for_type(x509.UniformResourceIdentifier)
    return tuple(uri for uri in uris if uri.lower().startswith(SCHEME))
