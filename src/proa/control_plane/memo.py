"""What was built once is not built again: results by the digest of the intent they were made of.

Every builder's argument is its cache key, so nothing here knows what a change means. Bounded by two generations:
when the young one is full it becomes the old one, and what nobody asks for falls out with the next turn.
"""

from collections import Counter
from collections.abc import Callable
from typing import Final, TypeVar

from proa.core.model.digest import digest_of

Intent = TypeVar("Intent")
Built = TypeVar("Built")

GENERATION: Final = 50_000
"""Entries per generation: three resources for each of some 15,000 services and subsets in use."""


class Memo:
    """Owner: the bundles of one control plane. `built` counts calls of builders by their name, for tests and
    metrics."""

    def __init__(self, size: int = GENERATION) -> None:
        self.built: Counter[str] = Counter()
        self._size = size
        self._young: dict[tuple[str, str], object] = {}
        self._old: dict[tuple[str, str], object] = {}

    def get(self, builder: Callable[[Intent], Built], intent: Intent) -> Built:
        return self.recall((builder.__name__, digest_of(intent)), lambda: builder(intent))

    def recall(self, key: tuple[str, str], build: Callable[[], Built]) -> Built:
        """For what is made of bytes whose digest is known already. The key's first part names the builder."""
        found = self._young.get(key)
        if found is None:
            found = self._old.get(key)
            if found is None:
                found = build()
                self.built[key[0]] += 1
            if len(self._young) >= self._size:
                self._young, self._old = {}, self._young
            self._young[key] = found
        return found  # type: ignore[return-value]  # stored under the builder's own name
