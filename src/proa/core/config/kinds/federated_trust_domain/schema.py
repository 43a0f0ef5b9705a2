"""What a FederatedTrustDomain says, as users write it: whose bundle is accepted, where it comes from, and for whom.

Words are SPIFFE's ("SPIFFE Federation", "SPIFFE Trust Domain and Bundle"), fields those of SPIRE's
ClusterFederatedTrustDomain where it has one. Read by its validator and by `core.auth.federation`.
"""

from typing import Annotated, ClassVar, Literal

import msgspec

from proa.core.config.record import Filled, NotEmpty, Record

EVERY_NAMESPACE = "*"


class BundleEndpointProfile(Record, frozen=True, kw_only=True):
    """How the server of the endpoint is known: by its web certificate, or by a SPIFFE id under the bundle at hand."""

    LANGUAGE: ClassVar[str] = "Proa"

    type: Literal["https_web", "https_spiffe"]
    endpoint_spiffe_id: str = msgspec.field(name="endpointSPIFFEID", default="")


class FederatedTrustDomain(Record, frozen=True, kw_only=True):
    """`trust_domain_bundle` is PEM or a SPIFFE bundle document; with an endpoint it holds until that has answered."""

    LANGUAGE: ClassVar[str] = "Proa"

    trust_domain: Filled
    namespaces: Annotated[tuple[Filled, ...], NotEmpty()]
    trust_domain_bundle: str = ""
    bundle_endpoint_url: str = msgspec.field(name="bundleEndpointURL", default="")
    bundle_endpoint_profile: BundleEndpointProfile | None = None
