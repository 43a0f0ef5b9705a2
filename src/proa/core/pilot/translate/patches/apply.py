"""One resource and the patches of a proxy: the resource the proxy gets.

What no patch finds anything in stays the very resource, so its bytes are shared with all who have no patches. The
EnvoyFilters that did find something join the objects of the resource: a refusal names them.
"""

from collections.abc import Callable

import msgspec
from envoy.config.cluster.v3.cluster_pb2 import Cluster
from envoy.config.listener.v3.listener_pb2 import Listener
from google.protobuf.any_pb2 import Any as AnyMessage

from proa.core.config.kinds.envoy_filter.messages import message_of
from proa.core.config.kinds.envoy_filter.schema import ApplyTo
from proa.core.model.digest import digest_bytes
from proa.core.pilot.resource import Resource, ResourceType
from proa.core.pilot.scope.patches import Patches
from proa.core.pilot.translate.encode import build_resource
from proa.core.pilot.translate.patches.clusters import patch_cluster
from proa.core.pilot.translate.patches.listeners import patch_listener
from proa.core.pilot.translate.patches.patching import Patching, Target
from proa.core.pilot.translate.patches.routes import CLASSES, Recall, is_concerned, patch_routes


class Patched(msgspec.Struct, frozen=True, kw_only=True):
    """`resource` is None for one that is removed; `seen`: places of the patches that found something."""

    resource: Resource | None
    seen: frozenset[int] = frozenset()


_PATCHED: dict[ResourceType, tuple[ApplyTo, ...]] = {
    ResourceType.LISTENER: (
        *("LISTENER", "FILTER_CHAIN", "NETWORK_FILTER", "HTTP_FILTER", "LISTENER_FILTER"),
        *CLASSES,
    ),
    ResourceType.CLUSTER: ("CLUSTER",),
    ResourceType.ROUTE: CLASSES,
}
_ADDED: dict[ApplyTo, ResourceType] = {
    "LISTENER": ResourceType.LISTENER,
    "CLUSTER": ResourceType.CLUSTER,
    "EXTENSION_CONFIG": ResourceType.EXTENSION,
}


def concerns(patches: Patches, kind: ResourceType) -> bool:
    """Whether there are patches for resources of this kind."""
    return patches.has(*_PATCHED.get(kind, ()))


def patch_resource(base: Resource, target: Target, patches: Patches, recall: Recall) -> Patched:
    """Equal arguments give equal bytes; `recall` only saves work."""
    patching = Patching(patches, target)
    value = AnyMessage.FromString(base.body).value
    message: Listener | Cluster | None
    match base.type:
        case ResourceType.LISTENER:
            message = patch_listener(Listener.FromString(value), patching)
        case ResourceType.CLUSTER:
            message = patch_cluster(Cluster.FromString(value), patching)
        case _:
            if not is_concerned(base.name, patching):
                return Patched(resource=base)
            routes = patch_routes(base.name, value, patching, recall)
            return _finish(base, patching, lambda: _with_value(base, routes))
    if message is None:
        return Patched(resource=None, seen=frozenset(patching.seen))
    # Its name is what it is asked for and taken away by: no patch changes that.
    message.name = base.name
    return _finish(base, patching, lambda: build_resource(base.type, base.name, message))


def _finish(base: Resource, patching: Patching, build: Callable[[], Resource]) -> Patched:
    if not patching.seen:
        return Patched(resource=base)
    refs = dict.fromkeys(patching.patches.all[place].ref for place in sorted(patching.seen))
    objects = tuple(dict.fromkeys((*base.objects, *refs)))
    return Patched(resource=msgspec.structs.replace(build(), objects=objects), seen=frozenset(patching.seen))


def _with_value(base: Resource, value: bytes) -> Resource:
    body = AnyMessage(type_url=base.type.url, value=value).SerializeToString(deterministic=True)
    return Resource(type=base.type, name=base.name, body=body, digest=digest_bytes(body))


def added_resources(patches: Patches) -> dict[tuple[ResourceType, str], tuple[int, Resource]]:
    """What patches ADD whole, with the patch's place; of several of one name the first."""
    found: dict[tuple[ResourceType, str], tuple[int, Resource]] = {}
    for apply_to, kind in _ADDED.items():
        for place in patches.classes.get(apply_to, ()):
            patch = patches.all[place]
            if patch.operation == "ADD":
                message = message_of(apply_to, patch.value)
                name: str = message.name  # type: ignore[attr-defined]  # all three kinds have one
                resource = build_resource(kind, name, message, (patch.ref,))
                found.setdefault((kind, name), (place, resource))
    return found
