"""Valid documents of every kind, and sets of objects that refer to each other.

`manifests(row)` are what a user would write for one row of the kinds table; `objects_of_kind` the Configs of them.
`valid_sets` are what one apply may bring: several objects of kinds in force, whose names meet, or nearly.
"""

from collections.abc import Iterable, Sequence
from typing import Final

from hypothesis import assume
from hypothesis import strategies as st

from proa.core.config import KINDS, AnyKind, Config, Document, Json, examine
from proa.core.config.gateway_api.derive import derive
from proa.core.config.gateway_api.today import is_api, read_derived
from proa.core.config.legacy.convert import convert
from proa.core.config.legacy.today import is_old, read_back
from proa.core.config.meta import Meta
from proa.core.config.yaml_reader import NO_MARKS
from proa.core.model.names import ROOT_NAMESPACE, ObjectRef
from proa.testing.strategies import vocabulary as words
from proa.testing.strategies.envoy_filters import ENVOY_FILTER
from proa.testing.strategies.mending import mended
from proa.testing.strategies.recipes import (
    DESTINATION_RULE,
    GATEWAY,
    MESH_CONFIG,
    PEER_AUTHENTICATION,
    SERVICE_ENTRY,
    SIDECAR,
    VIRTUAL_SERVICE,
)
from proa.testing.strategies.recipes_2018 import RULES_2018
from proa.testing.strategies.recipes_api import GATEWAY_API
from proa.testing.strategies.recipes_own import FEDERATION
from proa.testing.strategies.recipes_read import READ_ONLY
from proa.testing.strategies.shaped import Object, Recipes, Shaped

RECIPES: Final[Recipes] = {
    **VIRTUAL_SERVICE,
    **DESTINATION_RULE,
    **GATEWAY,
    **SERVICE_ENTRY,
    **SIDECAR,
    **PEER_AUTHENTICATION,
    **ENVOY_FILTER,
    **MESH_CONFIG,
    **FEDERATION,
    **GATEWAY_API,
    **RULES_2018,
    **READ_ONLY,
}
SHAPED: Final = Shaped(RECIPES)
ONLY_NAMES: Final = {
    "MeshPolicy": "default",
    "Policy": "default",
    "RbacConfig": "default",
    "ClusterRbacConfig": "default",
    "MeshConfig": "istio",
}
"""Kinds of which one object counts, and its name."""
IN_ROOT: Final = ("MeshConfig", "FederatedTrustDomain")
"""Kinds whose objects are in one place."""
IN_FORCE: Final = tuple(row for row in KINDS.values() if row.in_force)


def nearly_valid_specs(row: AnyKind) -> st.SearchStrategy[Json]:
    """Specs as the recipes make them; nearly all of them are valid."""
    return SHAPED.objects_of(row.spec)


def metas(row: AnyKind) -> st.SearchStrategy[Meta]:
    """Names that an object of this kind may have."""
    names = st.sampled_from((ONLY_NAMES[row.kind],) if row.kind in ONLY_NAMES else words.NAMES)
    inner = [name for name in words.NAMESPACES if name != ROOT_NAMESPACE or row.kind != "Policy"]
    namespaces = st.just(ROOT_NAMESPACE) if row.kind in IN_ROOT else st.sampled_from(inner)
    return st.builds(lambda name, namespace: Meta(name=name, namespace=namespace), names, namespaces)


@st.composite
def manifests(draw: st.DrawFn, row: AnyKind) -> Object:
    """A valid document of this kind."""
    meta = draw(metas(row))
    spec = mended(row, draw(nearly_valid_specs(row)), meta)
    assume(spec is not None)
    metadata: Object = {"name": meta.name, "namespace": meta.namespace}
    worn = draw(st.none() | words.labels)
    if worn:
        metadata["labels"] = worn
    api_version = f"{row.group}/{draw(st.sampled_from(row.versions))}"
    return {"apiVersion": api_version, "kind": row.kind, "metadata": metadata, "spec": spec}


def as_document(manifest: Object) -> Document:
    return Document(file="drawn", line=1, value=manifest, marks=NO_MARKS)


def objects_of_kind(row: AnyKind) -> st.SearchStrategy[Config]:
    """Valid objects of this kind, also of one that is only read."""
    return manifests(row).map(_read)


def _read(manifest: Object) -> Config:
    examined = examine(as_document(manifest), only_in_force=False)
    assert examined.config is not None, examined.problems
    return examined.config


OFTEN: Final = {
    "VirtualService": 8,
    "DestinationRule": 6,
    "Gateway": 3,
    "ServiceEntry": 4,
    "HTTPRoute": 4,
    "Sidecar": 2,
    "RouteRule": 2,
}
"""How many times as often as the others."""


def objects() -> st.SearchStrategy[Config]:
    """Of any kind in force, those with most to say more often."""
    weighted = [row for row in IN_FORCE for _ in range(OFTEN.get(row.kind, 1))]
    strategies = {row.object_kind: objects_of_kind(row) for row in IN_FORCE}
    return st.sampled_from(weighted).flatmap(lambda row: strategies[row.object_kind])


def valid_sets(least: int = 1, most: int = 8) -> st.SearchStrategy[tuple[Config, ...]]:
    """Objects that can be applied together, each name once."""
    drawn = st.lists(objects(), min_size=least, max_size=most, unique_by=lambda config: config.ref)
    return drawn.map(_in_harmony)


def _in_harmony(configs: Sequence[Config]) -> tuple[Config, ...]:
    """Without those that do not go with the others: old rules, and routes, may contradict each other."""
    left = list(configs)
    while blamed := set(_blamed(left)):
        left = [config for config in left if config.ref not in blamed]
    return tuple(left)


def _blamed(configs: Iterable[Config]) -> Iterable[ObjectRef]:
    old = [config for config in configs if is_old(config)]
    api = [config for config in configs if is_api(config)]
    findings = [*read_back(convert(old)).findings, *read_derived(derive(api)).findings]
    return (ref for ref, finding in findings if finding.severity == "error")
