"""One resource and patches: what it becomes, and what stays the very resource."""

from collections.abc import Callable

import pytest
from envoy.config.cluster.v3.cluster_pb2 import Cluster

from proa.core.config import Json
from proa.core.model.names import ObjectRef
from proa.core.pilot.resource import Resource, ResourceType
from proa.core.pilot.simulate.resources import decode
from proa.core.pilot.translate.encode import build_resource
from proa.core.pilot.translate.patches.apply import Patched, added_resources, concerns, patch_resource
from proa.core.pilot.translate.patches.patching import Target
from proa.core.pilot.translate.patches.routes import Part
from proa.testing.builders import Mesh, simple
from tests.unit.core.pilot.translate.patches.patching_parts import patch, patches

OWN = ObjectRef("DestinationRule", "default", "d")
FILTER = ObjectRef("EnvoyFilter", "default", "x")
NAME = "outbound|80||a.default.svc.cluster.local"
BASE = build_resource(ResourceType.CLUSTER, NAME, Cluster(name=NAME), (OWN,))


def apply(base: Resource, *written: Json) -> Patched:
    def fresh(piece: bytes, make: Callable[[], Part]) -> Part:
        return make()

    return patch_resource(base, Target(), patches(*written), fresh)


def test_the_filter_joins_the_objects() -> None:
    found = apply(BASE, patch("CLUSTER", "MERGE", {"alt_stat_name": "x"}))
    assert found.resource is not None
    assert found.resource.objects == (OWN, FILTER)
    assert found.resource.digest != BASE.digest
    assert decode(found.resource, Cluster).alt_stat_name == "x"
    assert found.seen == {0}


def test_what_nothing_is_found_in_is_the_very_resource() -> None:
    found = apply(BASE, patch("CLUSTER", "MERGE", {"alt_stat_name": "x"}, cluster={"service": "b"}))
    assert found.resource is BASE
    assert not found.seen


def test_a_name_is_not_merged() -> None:
    found = apply(BASE, patch("CLUSTER", "MERGE", {"name": "other", "alt_stat_name": "x"}))
    assert found.resource is not None
    assert decode(found.resource, Cluster).name == found.resource.name == NAME


def test_removal() -> None:
    found = apply(BASE, patch("CLUSTER", "REMOVE", cluster={"name": NAME}))
    assert found == Patched(resource=None, seen=frozenset({0}))


@pytest.mark.parametrize("kind", [ResourceType.LISTENER, ResourceType.ROUTE])
def test_other_kinds(kind: ResourceType) -> None:
    source = Mesh(simple("a", number=80)).source("client")
    written = [
        patch("LISTENER", "MERGE", {"stat_prefix": "patched"}),
        patch("ROUTE_CONFIGURATION", "MERGE", {"request_headers_to_remove": ["patched"]}),
    ]
    for name in source.names(kind):
        base = source.lookup(kind, name)
        assert base is not None
        once, again = apply(base, *written).resource, apply(base, *written).resource
        assert once is not None
        assert once == again
        assert b"patched" in once.body
        assert (
            apply(base, patch("ROUTE_CONFIGURATION", "MERGE", {}, routeConfiguration={"name": "x"})).resource
            is base
        )


def test_which_kinds_patches_are_for() -> None:
    http = patches(patch("HTTP_FILTER", "REMOVE"))
    assert concerns(http, ResourceType.LISTENER)
    assert not concerns(http, ResourceType.CLUSTER)
    routes = patches(patch("HTTP_ROUTE", "REMOVE"))
    assert concerns(routes, ResourceType.LISTENER)
    assert concerns(routes, ResourceType.ROUTE)
    assert not concerns(routes, ResourceType.ENDPOINT)


def test_what_is_added_whole() -> None:
    lua: Json = {"@type": "type.googleapis.com/envoy.extensions.filters.http.lua.v3.Lua"}
    found = added_resources(
        patches(
            patch("CLUSTER", "ADD", {"name": "a", "alt_stat_name": "first"}),
            patch("CLUSTER", "ADD", {"name": "a", "alt_stat_name": "second"}),
            patch("LISTENER", "ADD", {"name": "l"}),
            patch("EXTENSION_CONFIG", "ADD", {"name": "e", "typed_config": lua}),
            patch("VIRTUAL_HOST", "ADD", {"name": "v"}),
        )
    )
    assert {(kind.name, name): place for (kind, name), (place, _) in found.items()} == {
        ("CLUSTER", "a"): 0,
        ("LISTENER", "l"): 2,
        ("EXTENSION", "e"): 3,
    }
    resource = found[(ResourceType.CLUSTER, "a")][1]
    assert resource.objects == (FILTER,)
    assert decode(resource, Cluster).alt_stat_name == "first"
