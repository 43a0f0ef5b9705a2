"""What the tests of this folder begin with: patches as users write them, without a mesh."""

import json

from envoy.config.listener.v3.listener_pb2 import Listener
from google.protobuf import json_format

from proa.core.config import Json
from proa.core.config.kinds.envoy_filter.schema import EnvoyFilter
from proa.core.model.names import ObjectRef
from proa.core.pilot.scope.patches import Patches, ProxyPatch, collect
from proa.core.pilot.translate.patches.patching import Patching, Target
from proa.testing.builders import configs

HTTP = "envoy.filters.network.http_connection_manager"
ROUTER = "envoy.filters.http.router"


def patch(apply_to: str, operation: str, value: Json = None, **match: Json) -> Json:
    written: dict[str, Json] = {"operation": operation}
    if value is not None:
        written["value"] = value
    return {"applyTo": apply_to, "match": match, "patch": written}


def patches(*written: Json, name: str = "x") -> Patches:
    """All of one EnvoyFilter."""
    document: Json = {
        "apiVersion": "networking.istio.io/v1alpha3",
        "kind": "EnvoyFilter",
        "metadata": {"name": name},
        "spec": {"configPatches": list(written)},
    }
    spec = configs(json.dumps(document))[0].spec
    assert isinstance(spec, EnvoyFilter)
    found = tuple(
        ProxyPatch(
            ref=ObjectRef("EnvoyFilter", "default", name),
            number=number,
            apply_to=each.apply_to,
            match=each.match,
            operation=each.patch.operation,
            value=each.patch.value or "",
        )
        for number, each in enumerate(spec.config_patches)
    )
    return collect(found)


def patching(*written: Json, target: Target | None = None) -> Patching:
    return Patching(patches(*written), target or Target())


def http_filter(name: str) -> Json:
    router = "type.googleapis.com/envoy.extensions.filters.http.router.v3.Router"
    return {"name": name, "typed_config": {"@type": router}}


def manager(*filters: Json, **fields: Json) -> Json:
    package = "envoy.extensions.filters.network.http_connection_manager.v3"
    kind = f"type.googleapis.com/{package}.HttpConnectionManager"
    return {"name": HTTP, "typed_config": {"@type": kind, "http_filters": list(filters), **fields}}


def listener(name: str, *chains: Json, **fields: Json) -> Listener:
    inbound = {"traffic_direction": "INBOUND" if name.startswith("inbound") else "OUTBOUND"}
    written = {"name": name, "filter_chains": list(chains), **inbound, **fields}
    return json_format.ParseDict(written, Listener())
