"""The rules of a VirtualService of every sort, with the place of each. The checks go over them alike."""

from collections.abc import Iterator
from typing import TypeAlias

import msgspec

from proa.core.config.kinds.virtual_service.schema import (
    HttpMatch,
    HttpRoute,
    HttpRouteDestination,
    RouteDestination,
    TcpMatch,
    TcpRoute,
    TlsMatch,
    TlsRoute,
    VirtualService,
)
from proa.core.config.path import Path

Rule: TypeAlias = HttpRoute | TlsRoute | TcpRoute


Match: TypeAlias = HttpMatch | TlsMatch | TcpMatch
Target: TypeAlias = HttpRouteDestination | RouteDestination


class Placed(msgspec.Struct, frozen=True):
    path: Path
    rule: Rule

    @property
    def matches(self) -> tuple[Match, ...]:
        return self.rule.match

    @property
    def targets(self) -> tuple[Target, ...]:
        return self.rule.route


def rules_of(spec: VirtualService) -> Iterator[Placed]:
    """Under `http`, `tls` and `tcp`, in that order."""
    sorts: tuple[tuple[str, tuple[Rule, ...]], ...] = (
        ("http", spec.http),
        ("tls", spec.tls),
        ("tcp", spec.tcp),
    )
    for name, rules in sorts:
        for index, rule in enumerate(rules):
            yield Placed(("spec", name, index), rule)
