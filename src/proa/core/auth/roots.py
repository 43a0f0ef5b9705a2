"""Root certificates by their digest: how a host that joins knows the right control plane.

A join token carries `root_sha256` of the mesh's root. The host fetches the roots over a connection it does not
trust yet, keeps the one with that digest, and sends nothing secret before.
"""

import hashlib
import hmac
from typing import Final

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.serialization import Encoding

PROOF: Final = "proa-roots-proof"
"""The HTTP header in which a control plane sends `bundle_proof` with its roots."""


def root_sha256(pem: str) -> str:
    """Hex SHA-256 of the first certificate's DER. Raises ValueError when there is none."""
    return _sha256(x509.load_pem_x509_certificate(pem.encode()))


def root_with_digest(bundle_pem: str, digest: str) -> str | None:
    """The PEM of the certificate in the bundle that has the digest, None when none has or it is no PEM."""
    try:
        certificates = x509.load_pem_x509_certificates(bundle_pem.encode())
    except ValueError:
        return None
    for certificate in certificates:
        if hmac.compare_digest(_sha256(certificate).encode(), digest.lower().encode()):
            return certificate.public_bytes(Encoding.PEM).decode()
    return None


def root_digests(bundle_pem: str) -> tuple[str, ...]:
    """Hex SHA-256 of each certificate's DER, sorted; empty when it is no PEM."""
    try:
        certificates = x509.load_pem_x509_certificates(bundle_pem.encode())
    except ValueError:
        return ()
    return tuple(sorted(map(_sha256, certificates)))


def signing_root(chain_pem: str, bundle_pem: str) -> str:
    """The digest of the root in the bundle that signed the last certificate of the chain (or is it); "" when none did,
    or either is no PEM."""
    try:
        last = x509.load_pem_x509_certificates(chain_pem.encode())[-1]
        roots = x509.load_pem_x509_certificates(bundle_pem.encode())
    except ValueError:
        return ""
    for root in roots:
        try:
            last.verify_directly_issued_by(root)
        except (ValueError, TypeError, InvalidSignature):
            continue
        return _sha256(root)
    return ""


def bundle_proof(secret_sha256: str, bundle_pem: str) -> str:
    """Hex HMAC by which somebody who knows a join token's secret (or its hash, as the store does) vouches for a bundle.

    It lets a token outlive the root whose digest it carries: 256 random bits are the key, nobody guesses them.
    """
    return hmac.new(secret_sha256.encode(), bundle_pem.encode(), hashlib.sha256).hexdigest()


def is_proven(proof: str, secret_sha256: str, bundle_pem: str) -> bool:
    """Whether the proof is that bundle's."""
    wanted = bundle_proof(secret_sha256, bundle_pem)
    return hmac.compare_digest(wanted.encode(), proof.strip().lower().encode())


def _sha256(certificate: x509.Certificate) -> str:
    return hashlib.sha256(certificate.public_bytes(Encoding.DER)).hexdigest()
