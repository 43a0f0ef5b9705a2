"""Certificates that an operator gives to the mesh, as against those that the mesh makes: what belongs to one, and
whether it can be served.

Checked when it is given (`proa secret`) and again by the node agent before a proxy gets it: a proxy would refuse what
is wrong with fewer words, or take it and fail every handshake.
"""

import msgspec
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_private_key

FORMAT = 1


class OperatorSecret(msgspec.Struct, frozen=True, kw_only=True):
    """All PEM. `chain` begins with the server's certificate, `key` is its; `roots` vouch for whoever comes, `crl` takes
    back what they vouched for. Either pair may be missing."""

    chain: str = ""
    key: str = ""
    roots: str = ""
    crl: str = ""
    version: int = FORMAT

    def __repr__(self) -> str:
        return f"OperatorSecret({', '.join(self.parts)})"

    @property
    def parts(self) -> tuple[str, ...]:
        """Which of them it has."""
        return tuple(name for name in ("chain", "key", "roots", "crl") if getattr(self, name))


def secret_faults(secret: OperatorSecret) -> tuple[str, ...]:
    """What is wrong with it, in words to an operator; empty for one that can be served."""
    faults: list[str] = []
    if not secret.parts:
        faults.append("it is empty; give a certificate with its key, or roots")
    if bool(secret.chain) != bool(secret.key):
        faults.append(f"the {'key' if secret.chain else 'certificate'} is missing; they belong together")
    elif secret.chain:
        faults += _pair_faults(secret.chain, secret.key)
    if secret.roots:
        faults += _certificate_faults(secret.roots, "the roots")
    if secret.crl and not secret.roots:
        faults.append("a list of revoked certificates needs the roots that it is of")
    elif secret.crl:
        faults += _crl_faults(secret.crl)
    return tuple(faults)


def good_until(secret: OperatorSecret) -> int:
    """Unix seconds at which the first of its certificates expires; of one without faults."""
    certificates = x509.load_pem_x509_certificates((secret.chain or secret.roots).encode())
    return int(min(each.not_valid_after_utc for each in certificates).timestamp())


def _certificate_faults(pem: str, what: str) -> list[str]:
    try:
        x509.load_pem_x509_certificates(pem.encode())
    except ValueError as error:
        return [f"{what} cannot be read as PEM certificates: {error}"]
    return []


def _pair_faults(chain: str, key: str) -> list[str]:
    faults = _certificate_faults(chain, "the certificate")
    if faults:
        return faults
    try:
        private = load_pem_private_key(key.encode(), None)
    except TypeError:
        return ["the key is locked by a password; give it without"]
    except ValueError as error:
        return [f"the key cannot be read as PEM: {error}"]
    if not isinstance(private, rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey):
        return ["the key is neither RSA nor ECDSA, which is all that the data plane takes"]
    if isinstance(private, rsa.RSAPrivateKey) and private.key_size < 2048:
        return [f"an RSA key of {private.key_size} bits is too short; make one of 2048 or more"]
    leaf = x509.load_pem_x509_certificates(chain.encode())[0]
    form = (Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    if leaf.public_key().public_bytes(*form) != private.public_key().public_bytes(*form):
        return ["the key is not that of the first certificate"]
    return []


def _crl_faults(pem: str) -> list[str]:
    try:
        x509.load_pem_x509_crl(pem.encode())
    except ValueError as error:
        return [f"the list of revoked certificates cannot be read as PEM: {error}"]
    return []
