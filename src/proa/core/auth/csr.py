"""Certificate signing requests: made by agents, read by the authority.

A CSR proves that the asker holds a key, and that is all that is taken from it. What it asks for besides must be what
will be issued, or nothing: a request for another identity, for further names or for a CA's certificate is refused and
not silently cut down, so that an attempt is seen and a misunderstanding found out.
"""

from typing import Final

import msgspec
from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding

from proa.core.auth.denial import Denial
from proa.core.auth.sign import CaKey, PublicKey
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
    """Why a CSR is not signed: in words, and as the reason that is counted."""

    reason: str
    code: Denial = "csr unreadable"


def build_csr(key: ec.EllipticCurvePrivateKey, identity: SpiffeId) -> str:
    """The PEM of a request for `identity`, signed with `key` (deterministically: same key, same bytes)."""
    builder = x509.CertificateSigningRequestBuilder(
        subject_name=x509.Name([x509.NameAttribute(x509.NameOID.ORGANIZATION_NAME, ORGANIZATION)])
    ).add_extension(
        x509.SubjectAlternativeName([x509.UniformResourceIdentifier(str(identity))]), critical=False
    )
    return builder.sign(key, SHA256(), ecdsa_deterministic=True).public_bytes(Encoding.PEM).decode()


def build_ca_csr(key: CaKey, trust_domain: str) -> str:
    """The PEM of a request for the CA that will sign the leafs of a trust domain: to an authority above us."""
    name = x509.Name(
        [
            x509.NameAttribute(x509.NameOID.ORGANIZATION_NAME, ORGANIZATION),
            x509.NameAttribute(x509.NameOID.COMMON_NAME, f"Proa CA of {trust_domain}"[:64]),
        ]
    )
    uri = x509.UniformResourceIdentifier(str(SpiffeId(trust_domain)))
    builder = (
        x509.CertificateSigningRequestBuilder(subject_name=name)
        .add_extension(x509.SubjectAlternativeName([uri]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
    )
    return builder.sign(key, SHA256()).public_bytes(Encoding.PEM).decode()


def check_csr(pem: str, identity: SpiffeId, names: tuple[str, ...] = ()) -> CheckedCsr | CsrRefused:
    """The key in the request, when it may get a certificate for `identity` with the DNS names `names`."""
    if len(pem) > MAX_CSR:
        return CsrRefused(reason=f"the CSR is longer than {MAX_CSR} bytes")
    try:
        request = x509.load_pem_x509_csr(pem.encode())
        key = request.public_key()
        asked = _asked(request)
    except UNREADABLE as error:
        return CsrRefused(reason=f"the CSR cannot be read: {error}")
    if not isinstance(key, ec.EllipticCurvePublicKey | rsa.RSAPublicKey) or not _is_allowed(key):
        return CsrRefused(reason=f"the CSR's key is not allowed: {ALLOWED_KEYS}", code="csr key")
    if not request.is_signature_valid:
        return CsrRefused(reason="the CSR's signature is not valid", code="csr signature")
    if asked.is_ca:
        return CsrRefused(reason="the CSR asks for a CA's certificate, which nobody gets", code="csr ca")
    others = [uri for uri in asked.identities if uri != str(identity)]
    if others:
        reason = f"the CSR asks for {others[0][:200]}, this asker gets {identity}"
        return CsrRefused(reason=reason, code="csr identity")
    extra = [name for name in asked.names if name not in names]
    if extra:
        reason = f"the CSR asks for the name {extra[0][:200]}, which {identity} does not get"
        return CsrRefused(reason=reason, code="csr names")
    return CheckedCsr(public_key=key)


def _is_allowed(key: PublicKey) -> bool:
    if isinstance(key, ec.EllipticCurvePublicKey):
        return isinstance(key.curve, ec.SECP256R1 | ec.SECP384R1)
    return MIN_RSA <= key.key_size <= MAX_RSA


class _Asked(msgspec.Struct, frozen=True, kw_only=True):
    """What a request wants besides a key: SPIFFE ids in whatever spelling, and all other names as text."""

    identities: tuple[str, ...] = ()
    names: tuple[str, ...] = ()
    is_ca: bool = False


def _asked(request: x509.CertificateSigningRequest) -> _Asked:
    identities: list[str] = []
    names: list[str] = []
    is_ca = False
    for extension in request.extensions:
        match extension.value:
            case x509.SubjectAlternativeName() as wanted:
                for name in wanted:
                    text = str(name.value)
                    is_uri = isinstance(name, x509.UniformResourceIdentifier)
                    # An upper-case scheme is still an attempt at an identity.
                    if is_uri and text.lower().startswith(SCHEME):
                        identities.append(text)
                    else:
                        names.append(text)
            case x509.BasicConstraints(ca=True):
                is_ca = True
            case x509.KeyUsage(key_cert_sign=True) | x509.KeyUsage(crl_sign=True):
                is_ca = True
            case _:
                pass
    return _Asked(identities=tuple(identities), names=tuple(names), is_ca=is_ca)
