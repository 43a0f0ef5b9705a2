"""Hypothesis strategies for Proa's language and for whole meshes, for our tests and for those of others.

`documents` draws valid objects of every kind and sets of them; `meshes` workloads, rules whose names meet, and changes
of both. hypothesis is no dependency of Proa: `pip install hypothesis` to use this package.
"""

try:
    import hypothesis as _hypothesis
except ImportError as error:
    raise ImportError(
        "proa.testing.strategies needs the package hypothesis: pip install hypothesis"
    ) from error

from proa.testing.strategies.documents import manifests, objects_of_kind, valid_sets
from proa.testing.strategies.meshes import (
    GATEWAY,
    HOSTS,
    NAMESPACES,
    Fact,
    additions,
    change_from,
    changes,
    destination_rules,
    facts,
    gateways,
    http_routes,
    meshes,
    objects,
    registrations,
    service_entries,
    settings,
    sidecars,
    virtual_services,
    withdrawals,
    workload_entries,
)

del _hypothesis

__all__ = [
    "GATEWAY",
    "HOSTS",
    "NAMESPACES",
    "Fact",
    "additions",
    "change_from",
    "changes",
    "destination_rules",
    "facts",
    "gateways",
    "http_routes",
    "manifests",
    "meshes",
    "objects",
    "objects_of_kind",
    "registrations",
    "service_entries",
    "settings",
    "sidecars",
    "valid_sets",
    "virtual_services",
    "withdrawals",
    "workload_entries",
]
