"""A small mesh's CAs at a fixed time, for tests of what they sign."""

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec

from proa.core.auth.ca import Ca, issue, make_intermediate, make_root
from proa.core.auth.template import LEAF_TTL, CertificateTemplate, workload_leaf
from proa.core.model.names import WorkloadId

NOW = 1_750_000_000.0
TRUST_DOMAIN = "cluster.local"
REVIEWS = WorkloadId("default", "reviews-v1")


def key(number: int = 1) -> ec.EllipticCurvePrivateKey:
    """The same P-256 key for the same number: tests need no randomness."""
    return ec.derive_private_key(number, ec.SECP256R1())


ROOT = make_root(TRUST_DOMAIN, key(101), 1, NOW)
INTERMEDIATE = make_intermediate(TRUST_DOMAIN, ROOT, key(102), 2, NOW)
LEAF_KEY = key(7)


def leaf_template(serial: int = 3, now: float = NOW, signer: Ca = INTERMEDIATE) -> CertificateTemplate:
    return workload_leaf(TRUST_DOMAIN, REVIEWS, "bookinfo-reviews", serial, signer.validity(now, LEAF_TTL))


def leaf(serial: int = 3) -> x509.Certificate:
    return issue(leaf_template(serial), LEAF_KEY.public_key(), INTERMEDIATE)
