"""The labels that rules ask of their clients, as values that can be keys. The index and `clients` call this."""

from collections.abc import Iterable, Iterator, Mapping
from typing import TypeAlias

from proa.core.config.kinds.virtual_service.schema import HttpMatch, TcpMatch, TlsMatch, VirtualService

Labels: TypeAlias = tuple[tuple[str, str], ...]
"""A selector: names and values in order of names."""


def labels_of(pairs: Mapping[str, str]) -> Labels:
    return tuple(sorted(pairs.items()))


def selectors_of(spec: VirtualService) -> frozenset[Labels]:
    """What its rules ask of clients."""
    return frozenset(labels_of(match.source_labels) for match in matches_of(spec) if match.source_labels)


def matches_of(spec: VirtualService) -> Iterator[HttpMatch | TlsMatch | TcpMatch]:
    """The conditions of all its rules."""
    for rule in spec.http:
        yield from rule.match
    for tls in spec.tls:
        yield from tls.match
    for tcp in spec.tcp:
        yield from tcp.match


def worn(selectors: Iterable[Labels], labels: Mapping[str, str]) -> frozenset[Labels]:
    """The selectors that hold for a workload with these labels."""
    return frozenset(
        selector for selector in selectors if all(labels.get(key) == value for key, value in selector)
    )
