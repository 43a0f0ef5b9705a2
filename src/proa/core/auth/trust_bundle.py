"""The roots of one trust domain as text, in both of the forms in which they travel: PEM, and a SPIFFE bundle document.

"SPIFFE Trust Domain and Bundle" §4 says what a document is: a JSON Web Key Set whose keys of use `x509-svid` each carry
one certificate. Whatever comes in, what goes on is one spelling: each certificate once, in the order of digests, as
PEM, so that a partner who shuffles or indents his document changes nothing. What could not stand in a proxy's trust
bundle (no certificate, no CA's, another trust domain's) is refused here: a proxy refuses the whole bundle for it.
"""

import base64
import binascii
import hashlib
from typing import Final

import msgspec
from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding

from proa.core.auth.spiffe import SCHEME, SpiffeId

MAX_BYTES: Final = 256 * 1024
"""Of a document or a PEM: each node that needs it has a copy."""
MAX_CERTIFICATES: Final = 64
MAX_SEQUENCE: Final = 2**63 - 1
_X509: Final = "x509-svid"
_CURVES: Final = {"secp256r1": "P-256", "secp384r1": "P-384", "secp521r1": "P-521"}


class BadBundle(ValueError):
    """The text is no bundle of that trust domain; the message says why."""


class TrustBundle(msgspec.Struct, frozen=True, kw_only=True):
    """`pem` in its one spelling. `refresh_hint` are seconds after which its publisher wants to be asked again,
    `sequence` grows with each of its versions; None: it does not say."""

    pem: str
    refresh_hint: int | None = None
    sequence: int | None = None


def read_bundle(text: str, trust_domain: str) -> TrustBundle:
    """Of either form. Raises BadBundle."""
    if len(text.encode(errors="replace")) > MAX_BYTES:
        raise BadBundle(f"longer than {MAX_BYTES} bytes")
    if text.lstrip().startswith("{"):
        return _read_document(text, trust_domain)
    try:
        certificates = x509.load_pem_x509_certificates(text.encode())
    except ValueError as error:
        raise BadBundle(f"no certificates in PEM form can be read: {error}") from None
    return TrustBundle(pem=_spelled(certificates, trust_domain))


def _read_document(text: str, trust_domain: str) -> TrustBundle:
    try:
        value: object = msgspec.json.decode(text)
    except (msgspec.DecodeError, ValueError) as error:
        raise BadBundle(f"not JSON: {error}") from None
    keys = value.get("keys") if isinstance(value, dict) else None
    if not isinstance(value, dict) or not isinstance(keys, list):
        raise BadBundle('a SPIFFE bundle document is an object with "keys"')
    found = [_certificate(key) for key in keys if isinstance(key, dict) and key.get("use") == _X509]
    return TrustBundle(
        pem=_spelled(found, trust_domain),
        refresh_hint=_number(value.get("spiffe_refresh_hint")),
        sequence=_number(value.get("spiffe_sequence")),
    )


def _number(value: object) -> int | None:
    is_one = isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= MAX_SEQUENCE
    return value if is_one and isinstance(value, int) else None


def _certificate(key: dict[object, object]) -> x509.Certificate:
    chain = key.get("x5c")
    if not isinstance(chain, list) or len(chain) != 1 or not isinstance(chain[0], str):
        raise BadBundle('a key of use "x509-svid" has one certificate in "x5c"')
    try:
        return x509.load_der_x509_certificate(base64.b64decode(chain[0], validate=True))
    except (binascii.Error, ValueError) as error:
        raise BadBundle(f'"x5c" holds no certificate: {error}') from None


def _spelled(certificates: list[x509.Certificate], trust_domain: str) -> str:
    if not certificates:
        raise BadBundle("no certificate is in it")
    if len(certificates) > MAX_CERTIFICATES:
        raise BadBundle(f"{len(certificates)} certificates; at most {MAX_CERTIFICATES} are taken")
    by_digest: dict[str, str] = {}
    for certificate in certificates:
        fault = _fault(certificate, trust_domain)
        if fault:
            raise BadBundle(f"{certificate.subject.rfc4514_string()[:100]}: {fault}")
        der = certificate.public_bytes(Encoding.DER)
        by_digest[hashlib.sha256(der).hexdigest()] = certificate.public_bytes(Encoding.PEM).decode()
    return "".join(pem for _, pem in sorted(by_digest.items()))


def _fault(certificate: x509.Certificate, trust_domain: str) -> str:
    """Why a certificate is no root of that trust domain. A name of its own is not needed (X.509-SVID §3.2)."""
    try:
        basic = certificate.extensions.get_extension_for_class(x509.BasicConstraints).value
        if not basic.ca:
            return "is no CA's certificate"
        certificate.public_key()
        names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound as missing:
        return "" if missing.oid == x509.SubjectAlternativeName.oid else "is no CA's certificate"
    except (ValueError, UnsupportedAlgorithm) as error:
        return f"cannot be read: {error}"
    own = str(SpiffeId(trust_domain))
    for uri in names.get_values_for_type(x509.UniformResourceIdentifier):
        if uri.lower().startswith(SCHEME) and uri != own:
            return f"is of {uri}, not of {own}"
    return ""


def write_document(pem: str, refresh_hint: int, sequence: int) -> bytes:
    """A SPIFFE bundle document of these roots, as a bundle endpoint serves it. Raises BadBundle for what is no PEM, or
    has keys that JSON Web Keys cannot say."""
    try:
        certificates = x509.load_pem_x509_certificates(pem.encode())
    except ValueError as error:
        raise BadBundle(f"no certificates in PEM form can be read: {error}") from None
    keys = [
        {
            "use": _X509,
            **_public(certificate),
            "x5c": [base64.b64encode(certificate.public_bytes(Encoding.DER)).decode()],
        }
        for certificate in certificates
    ]
    document = {"keys": keys, "spiffe_sequence": sequence, "spiffe_refresh_hint": refresh_hint}
    return msgspec.json.encode(document)


def _public(certificate: x509.Certificate) -> dict[str, str]:
    key = certificate.public_key()
    if isinstance(key, ec.EllipticCurvePublicKey) and key.curve.name in _CURVES:
        numbers, size = key.public_numbers(), (key.curve.key_size + 7) // 8
        coordinates = {name: _base64url(getattr(numbers, name).to_bytes(size)) for name in ("x", "y")}
        return {"kty": "EC", "crv": _CURVES[key.curve.name], **coordinates}
    if isinstance(key, rsa.RSAPublicKey):
        parts = key.public_numbers()
        return {"kty": "RSA", "n": _of_number(parts.n), "e": _of_number(parts.e)}
    raise BadBundle(f"a key of type {type(key).__name__} has no place in a bundle document")


def _of_number(value: int) -> str:
    return _base64url(value.to_bytes((value.bit_length() + 7) // 8))


def _base64url(value: bytes) -> str:
    return base64.urlsafe_b64encode(value).rstrip(b"=").decode()


def shows_identity(der: bytes, identity: str) -> bool:
    """Whether a certificate names this SPIFFE id and no other."""
    try:
        names = (
            x509.load_der_x509_certificate(der)
            .extensions.get_extension_for_class(x509.SubjectAlternativeName)
            .value
        )
        return names.get_values_for_type(x509.UniformResourceIdentifier) == [identity]
    except (x509.ExtensionNotFound, ValueError):
        return False


def roots_in(pem: str) -> tuple[tuple[str, int], ...]:
    """Of each root the SHA-256 of its DER and its end (unix seconds), as bundles are shown."""
    certificates = x509.load_pem_x509_certificates(pem.encode()) if pem else []
    return tuple(
        (
            hashlib.sha256(certificate.public_bytes(Encoding.DER)).hexdigest(),
            int(certificate.not_valid_after_utc.timestamp()),
        )
        for certificate in certificates
    )
