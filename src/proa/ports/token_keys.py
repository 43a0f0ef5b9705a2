"""The keys of end users' tokens: fetched from their issuers, and kept for the time when no issuer answers.

What comes back is one spelling of the keys (`core.auth.key_sets`), read and bounded. Times are unix seconds.
"""

from collections.abc import AsyncGenerator, Mapping
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


class KeptSet(msgspec.Struct, frozen=True, kw_only=True):
    """The keys of a source as they were at `fetched`. Nobody need fetch them again before `fresh_until`."""

    keys: str
    fetched: float
    fresh_until: float = 0.0


class KeptKeys(Protocol):
    """The last good keys of each source, over restarts and, in a store that control planes share, for all of them. What
    cannot be kept is lost and no failure: it is fetched."""

    async def load(self) -> Mapping[KeySource, KeptSet]:
        """Without what is damaged; nothing when it cannot be read."""

    async def keep(self, source: KeySource, kept: KeptSet) -> None:
        """In place of what was kept of this source."""

    async def forget(self, source: KeySource) -> None:
        """Nothing when there is nothing."""

    def watch(self) -> AsyncGenerator[Mapping[KeySource, KeptSet]]:
        """Level-triggered: all that is kept, at once and when somebody else has changed it. Ends at once where nobody
        else can, and else when the store closes."""
