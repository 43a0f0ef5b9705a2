"""Bundles of other trust domains: fetched from their endpoints, and kept for the time when none answers.

What comes back is one spelling of the roots (`core.auth.trust_bundle`), read and bounded.
"""

from collections.abc import Mapping
from typing import Protocol

import msgspec

from proa.core.auth.federation import BundleEndpoint
from proa.core.auth.trust_bundle import TrustBundle


class BundleUnavailable(Exception):
    """The bundle could not be had now; the text says why. Trying again later may help."""


class BundleSource(msgspec.Struct, frozen=True, order=True, kw_only=True):
    """What an operator wrote of a domain with an endpoint. `given` is the digest of the bundle beside it: with another
    one whatever was fetched before is forgotten, so that an operator can mend what no endpoint can."""

    trust_domain: str
    endpoint: BundleEndpoint
    given: str = ""


class BundleFetcher(Protocol):
    async def fetch(self, source: BundleSource, roots_pem: str) -> TrustBundle:
        """`roots_pem` is the domain's bundle at hand, under which an https_spiffe server must show itself. Raises
        BundleUnavailable, also when it takes too long."""


class KeptBundles(Protocol):
    """The last good bundle of each source, over restarts. What cannot be kept is lost and no failure: it is fetched."""

    def load(self) -> Mapping[BundleSource, TrustBundle]:
        """Without what is damaged."""

    def keep(self, source: BundleSource, bundle: TrustBundle) -> None:
        """In place of what was kept of this source."""

    def forget(self, source: BundleSource) -> None:
        """Nothing when there is nothing."""
