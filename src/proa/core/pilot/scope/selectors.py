"""The labels that rules ask of their clients, as values that can be keys. The index and `clients` call this."""

from collections.abc import Iterable, Mapping
from typing import TypeAlias

from proa.core.config.kinds.virtual_service.schema import VirtualService

Labels: TypeAlias = tuple[tuple[str, str], ...]
"""A selector: names and values in order of names."""


def labels_of(pairs: Mapping[str, str]) -> Labels:
    return tuple(sorted(pairs.items()))


def selectors_of(spec: VirtualService) -> frozenset[Labels]:
    """What its rules ask of clients."""
    return frozenset(
        labels_of(match.source_labels) for rule in spec.http for match in rule.match if match.source_labels
    )


def worn(selectors: Iterable[Labels], labels: Mapping[str, str]) -> frozenset[Labels]:
    """The selectors that hold for a workload with these labels."""
    return frozenset(
        selector for selector in selectors if all(labels.get(key) == value for key, value in selector)
    )
