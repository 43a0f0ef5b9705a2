"""Keys and certificates of the node and its workloads: made here, kept here 0600, renewed at half life.

A credential is one file, written in one step, so that a key and a chain on disk always belong together. Keys
never leave the machine; what leaves is a CSR. Callers bring the clock.
"""

from pathlib import Path
from typing import Final

import msgspec
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
)

from proa.core.auth.csr import build_csr
from proa.core.auth.spiffe import InvalidSpiffeId, SpiffeId, parse_spiffe_id
from proa.home import write_private

FILE_VERSION: Final = 1


class BadCredential(Exception):
    """A certificate that is not the one asked for, or a file that holds none."""


class Credential(msgspec.Struct, frozen=True, kw_only=True):
    """`identity` is the leaf's SPIFFE id, `bundles` trust domain -> PEM of roots; times are unix seconds.
    `servers`, `node` and `token` (the id of the one it joined with) are filled for the node's own."""

    key_pem: str
    chain_pem: str
    bundles: dict[str, str]
    identity: str
    not_before: int
    not_after: int
    node: str = ""
    servers: tuple[str, ...] = ()
    token: str = ""
    version: int = FILE_VERSION

    def __repr__(self) -> str:
        return f"Credential({self.identity!r}, not_after={self.not_after})"

    @property
    def spiffe_id(self) -> SpiffeId:
        return parse_spiffe_id(self.identity)

    @property
    def roots_pem(self) -> str:
        """The roots of its own trust domain: what the control plane is checked against."""
        return self.bundles[self.spiffe_id.trust_domain]


class NewKey:
    """A P-256 key made just now, with its CSR for `identity`."""

    def __init__(self, identity: SpiffeId) -> None:
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._identity = identity
        self.csr_pem = build_csr(self._key, identity)

    def credential(
        self,
        chain_pem: str,
        bundles: dict[str, str],
        *,
        node: str = "",
        servers: tuple[str, ...] = (),
        token: str = "",
    ) -> Credential:
        """The key with the chain signed for it. Raises BadCredential when the chain is for another key or id:
        an Envoy would refuse it later with less to say."""
        leaf = _leaf(chain_pem)
        ours = self._key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
        if leaf.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo) != ours:
            raise BadCredential("the control plane signed another key than the one it was asked for")
        signed = identity_of(leaf)
        if signed != self._identity:
            raise BadCredential(f"the control plane signed {signed}, asked for was {self._identity}")
        if signed.trust_domain not in bundles:
            raise BadCredential(f"the control plane sent no roots of {signed.trust_domain}")
        key_pem = self._key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
        return Credential(
            key_pem=key_pem,
            chain_pem=chain_pem,
            bundles=bundles,
            identity=str(signed),
            not_before=int(leaf.not_valid_before_utc.timestamp()),
            not_after=int(leaf.not_valid_after_utc.timestamp()),
            node=node,
            servers=servers,
            token=token,
        )


def identity_of(certificate: x509.Certificate) -> SpiffeId:
    """The one SPIFFE id in the certificate. Raises BadCredential when there is none, or several."""
    try:
        names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        (uri,) = names.get_values_for_type(x509.UniformResourceIdentifier)
        return parse_spiffe_id(uri)
    except (x509.ExtensionNotFound, ValueError, InvalidSpiffeId) as error:
        raise BadCredential(f"the certificate holds no SPIFFE id: {error}") from None


def load_credential(path: Path) -> Credential | None:
    """What `save_credential` wrote; None when there is nothing, or nothing of use (the caller asks for a new
    one). A file that others can read is of no use: its key may be known."""
    try:
        if path.stat().st_mode & 0o077:
            return None
        credential = msgspec.json.decode(path.read_bytes(), type=Credential)
        key = load_pem_private_key(credential.key_pem.encode(), None)
        _leaf(credential.chain_pem)
        _ = credential.roots_pem
    except (OSError, msgspec.DecodeError, ValueError, KeyError, BadCredential):
        return None
    return credential if isinstance(key, ec.EllipticCurvePrivateKey) else None


def save_credential(path: Path, credential: Credential) -> None:
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    write_private(path, msgspec.json.encode(credential).decode())


def _leaf(chain_pem: str) -> x509.Certificate:
    try:
        return x509.load_pem_x509_certificate(chain_pem.encode())
    except ValueError as error:
        raise BadCredential(f"the chain cannot be read: {error}") from None
