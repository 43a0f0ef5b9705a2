"""What a certificate will hold, decided before anything is signed.

The authority asks for a template, `sign` makes a certificate of it, `inspect` compares the two. Everything a
certificate says is in its template, and nothing of it comes from a CSR. Clock and randomness are arguments:
times are unix seconds, serials come from the caller.
"""

from typing import Final

import msgspec

from proa.core.auth.spiffe import SpiffeId, control_plane_id, node_id, workload_dns_name, workload_id
from proa.core.model.names import WorkloadId

HOUR: Final = 3600
DAY: Final = 24 * HOUR
LEAF_TTL: Final = 24 * HOUR
INTERMEDIATE_TTL: Final = 365 * DAY
ROOT_TTL: Final = 10 * 365 * DAY
BACKDATE: Final = 60
"""Seconds a certificate is valid before it was made: clocks of hosts differ, usually by less than this."""
SHORTEST_LEAF: Final = 10
"""Seconds. A renewal that has to be tried again would come too late for a shorter life."""
MAX_SERIAL: Final = 2**159  # exclusive; RFC 5280 §4.1.2.2 allows 20 octets with the sign bit clear
CONTROL_PLANE_DNS: Final = ("proa.istio-system.svc", "istiod.istio-system.svc")
ORGANIZATION: Final = "Proa"


class IssuanceError(Exception):
    """A certificate that must not be made, or was made wrong. A bug or a broken CA, never a user's mistake."""


class CertificateTemplate(msgspec.Struct, frozen=True, kw_only=True):
    """All of a certificate but its key and its issuer's.

    Leafs: critical key usage digitalSignature, extended usage client and server (both ends of mTLS use one
    certificate), or client alone where `is_client_only`. CAs: critical key usage keyCertSign and cRLSign, `path_length`
    of CAs allowed below (None without limit). The SAN is `uri` and then `dns_names`, in this order (X509-SVID §2:
    exactly one URI).
    """

    common_name: str = ""
    subject_serial: str = ""
    uri: SpiffeId
    dns_names: tuple[str, ...] = ()
    serial: int
    not_before: int
    not_after: int
    is_ca: bool = False
    path_length: int | None = None
    is_client_only: bool = False

    def __post_init__(self) -> None:
        if not 0 < self.serial < MAX_SERIAL:
            raise IssuanceError("a serial is a positive number of at most 159 bits")
        if self.not_before >= self.not_after:
            raise IssuanceError(f"not valid for any time: from {self.not_before} until {self.not_after}")
        if self.is_ca and (self.uri.path or self.dns_names):
            raise IssuanceError("a CA's certificate names its trust domain and nothing else (X509-SVID §2)")
        if not self.is_ca and not self.uri.path:
            raise IssuanceError("a leaf's SPIFFE id has a path (X509-SVID §2)")


class Validity(msgspec.Struct, frozen=True, kw_only=True):
    """When a new certificate is to be valid: for `ttl` seconds from `now`, within its signer's own time."""

    now: float
    ttl: int
    signer_not_before: int
    signer_not_after: int

    @property
    def not_before(self) -> int:
        return max(int(self.now) - backdate_of(self.ttl), self.signer_not_before)

    @property
    def not_after(self) -> int:
        return min(int(self.now) + self.ttl, self.signer_not_after)


def backdate_of(ttl: float) -> int:
    """Seconds of difference between clocks that a certificate of that life forgives: a minute, or a quarter of a life
    that is so short that half of it would lie in the past."""
    return min(BACKDATE, int(ttl) // 4)


def workload_leaf(
    trust_domain: str, workload: WorkloadId, account: str, serial: int, validity: Validity
) -> CertificateTemplate:
    """A workload's: its account's SPIFFE id, and its own DNS name so that workloads of one account differ.

    Raises ValueError when the names make no SPIFFE id or DNS name.
    """
    return CertificateTemplate(
        uri=workload_id(trust_domain, workload.namespace, account),
        dns_names=(workload_dns_name(workload, trust_domain),),
        serial=serial,
        not_before=validity.not_before,
        not_after=validity.not_after,
    )


def bearer_leaf(
    identity: SpiffeId, names: tuple[str, ...], serial: int, validity: Validity
) -> CertificateTemplate:
    """Of a workload that is no node's: who it is was proven by a token, or by the certificate before this one."""
    return CertificateTemplate(
        uri=identity,
        dns_names=names,
        serial=serial,
        not_before=validity.not_before,
        not_after=validity.not_after,
    )


def node_leaf(trust_domain: str, node: str, serial: int, validity: Validity) -> CertificateTemplate:
    """A node agent's, good for talking to the control plane."""
    return CertificateTemplate(
        uri=node_id(trust_domain, node),
        serial=serial,
        not_before=validity.not_before,
        not_after=validity.not_after,
    )


def operator_leaf(identity: SpiffeId, serial: int, validity: Validity) -> CertificateTemplate:
    """An operator's: he is nobody's server."""
    return CertificateTemplate(
        uri=identity,
        serial=serial,
        not_before=validity.not_before,
        not_after=validity.not_after,
        is_client_only=True,
    )


def control_plane_leaf(trust_domain: str, serial: int, validity: Validity) -> CertificateTemplate:
    """The control plane's servers': agents check the DNS name, proxies the SPIFFE id."""
    return CertificateTemplate(
        uri=control_plane_id(trust_domain),
        dns_names=CONTROL_PLANE_DNS,
        serial=serial,
        not_before=validity.not_before,
        not_after=validity.not_after,
    )


def intermediate_ca(trust_domain: str, serial: int, validity: Validity) -> CertificateTemplate:
    """The CA that signs leafs, and no CAs."""
    return CertificateTemplate(
        common_name="Proa intermediate CA",
        subject_serial=f"{serial:x}",
        uri=SpiffeId(trust_domain),
        serial=serial,
        not_before=validity.not_before,
        not_after=validity.not_after,
        is_ca=True,
        path_length=0,
    )


def root_ca(trust_domain: str, serial: int, now: float, ttl: int = ROOT_TTL) -> CertificateTemplate:
    """The root. No path length: a later root may be cross-signed by this one, which adds a CA to the chain.

    The serial stands in the subject too (as in the intermediate's): two meshes with one trust domain, or a root
    and its successor, would otherwise have CAs of the same name, and validators look issuers up by name.
    """
    return CertificateTemplate(
        common_name="Proa root CA",
        subject_serial=f"{serial:x}",
        uri=SpiffeId(trust_domain),
        serial=serial,
        not_before=int(now) - BACKDATE,
        not_after=int(now) + ttl,
        is_ca=True,
    )


def serial_from(random_bytes: bytes) -> int:
    """A serial of 20 random bytes: 159 bits, never zero. Raises IssuanceError for fewer bytes."""
    if len(random_bytes) < 20:
        raise IssuanceError("a serial is made of 20 random bytes")
    return (int.from_bytes(random_bytes[:20], "big") >> 1) or 1
