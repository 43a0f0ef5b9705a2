"""A partner for tests: its object, with the roots of an authority made for it."""

from pathlib import Path

from tests.certificates import Authority

PARTNER = "partner.example"


def federated(
    bundle: str, *namespaces: str, trust_domain: str = PARTNER, name: str = "partner", more: str = ""
) -> str:
    """A FederatedTrustDomain as text. `more` are lines of its spec."""
    indented = "\n".join(f"    {line}" for line in bundle.splitlines())
    return f"""
apiVersion: proa.dev/v1alpha1
kind: FederatedTrustDomain
metadata: {{name: {name}, namespace: istio-system}}
spec:
  trustDomain: {trust_domain}
  namespaces: [{", ".join(namespaces or ("shop",))}]
{more}
  trustDomainBundle: |
{indented}
"""


def roots_of(folder: Path, name: str = "partner") -> str:
    """The PEM of a new authority of the partner's."""
    return Authority(folder, name, PARTNER).roots.read_text()
