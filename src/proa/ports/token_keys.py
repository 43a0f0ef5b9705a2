"""The keys of end users' tokens: fetched from their issuers, and kept for the time when no issuer answers.

What comes back is one spelling of the keys (`core.auth.key_sets`), read and bounded.
"""

from collections.abc import Mapping
from typing import Protocol

import msgspec

from proa.core.model.token_keys import KeySource


class KeysUnavailable(Exception):
    """The keys could not be had now; the text says why. Trying again later may help."""


class FetchedKeys(msgspec.Struct, frozen=True, kw_only=True):
    """`max_age_s`: how long they are good by their server's word; None: it does not say."""

    keys: str
    max_age_s: int | None = None


class KeyFetcher(Protocol):
    async def fetch(self, source: KeySource, patience_s: float) -> FetchedKeys:
        """Raises KeysUnavailable, also when it is not done within `patience_s`."""


class KeptKeys(Protocol):
    """The last good keys of each source, over restarts. What cannot be kept is lost and no failure: it is fetched."""

    def load(self) -> Mapping[KeySource, str]:
        """Without what is damaged."""

    def keep(self, source: KeySource, keys: str) -> None:
        """In place of what was kept of this source."""

    def forget(self, source: KeySource) -> None:
        """Nothing when there is nothing."""
