"""EnvoyFilters over a small mesh, whatever they say: the control plane goes on, what comes first does not matter, and
what is taken back leaves nothing.
"""

import json
from collections.abc import Sequence

from envoy.config.cluster.v3.cluster_pb2 import Cluster
from envoy.config.listener.v3.listener_pb2 import Listener
from envoy.config.route.v3.route_pb2 import RouteConfiguration
from google.protobuf.message import Message
from hypothesis import given, settings
from hypothesis import strategies as st

from proa.core.config import Json
from proa.core.config.kinds.envoy_filter.messages import MESSAGES
from proa.core.config.kinds.envoy_filter.validate import LISTENERS, OPERATIONS, ROUTES
from proa.core.pilot.resource import Resource, ResourceType
from proa.core.pilot.simulate.resources import decode
from proa.core.sidecar.session import GatewayPort
from proa.testing.builders import Mesh, registration, simple

TYPES: dict[ResourceType, type[Message]] = {
    ResourceType.CLUSTER: Cluster,
    ResourceType.LISTENER: Listener,
    ResourceType.ROUTE: RouteConfiguration,
}
HTTP = "envoy.filters.network.http_connection_manager"
ROUTER = "envoy.filters.http.router"
MANAGER = f"type.googleapis.com/{HTTP.replace('filters', 'extensions.filters')}.v3.HttpConnectionManager"
HOST = "a.default.svc.cluster.local:9080"


def either(values: Sequence[Json]) -> st.SearchStrategy[Json]:
    return st.sampled_from(values)


def shaped(
    required: dict[str, st.SearchStrategy[Json]], optional: dict[str, st.SearchStrategy[Json]] | None = None
) -> st.SearchStrategy[Json]:
    found: st.SearchStrategy[dict[str, Json]] = st.fixed_dictionaries(required, optional=optional or {})
    return found.map(_as_json)


def _as_json(value: dict[str, Json]) -> Json:
    return value


NAMES = either(["", "new", HTTP, ROUTER, "envoy.filters.network.tcp_proxy", "mesh-http", HOST, "default"])
ROUTE_VALUES = either(
    [
        {"route": {"timeout": "1s"}},
        {"redirect": {"path_redirect": "/x"}},
        {"name": "new", "match": {"prefix": "/"}, "direct_response": {"status": 200}},
        {
            "typed_per_filter_config": {
                "a": {"@type": "type.googleapis.com/envoy.config.route.v3.FilterConfig"}
            }
        },
    ]
)
VALUES: dict[str, st.SearchStrategy[Json]] = {
    "LISTENER": either([{"name": "new"}, {"name": "new", "listener_filters": [{"name": "x"}]}]),
    "FILTER_CHAIN": either([{"name": "new"}, {"name": "n", "transport_socket": {"name": "tls"}}]),
    "NETWORK_FILTER": either(
        [
            {"name": "new"},
            {"name": HTTP, "typed_config": {"@type": MANAGER, "via": "x", "http_filters": [{"name": "y"}]}},
            {"typed_config": {"@type": "type.googleapis.com/google.protobuf.Empty"}},
        ]
    ),
    "HTTP_FILTER": either([{"name": "new"}, {"name": "new", "disabled": True}]),
    "LISTENER_FILTER": either([{"name": "new"}]),
    "ROUTE_CONFIGURATION": either([{"request_headers_to_remove": ["x"]}, {"name": "new"}]),
    "VIRTUAL_HOST": either([{"name": "new", "domains": ["new"]}, {"name": "n", "routes": [{}]}]),
    "HTTP_ROUTE": ROUTE_VALUES,
    "CLUSTER": either(
        [
            {"name": "new", "connect_timeout": "1s"},
            {"name": "new", "transport_socket": {"name": "envoy.transport_sockets.tls"}},
            {"name": "new", "load_assignment": {"cluster_name": "x"}, "lb_policy": "MAGLEV"},
        ]
    ),
    "EXTENSION_CONFIG": either([{"name": "new"}]),
}
PORTS = either([0, 80, 9080])


def matches(apply_to: str) -> st.SearchStrategy[Json]:
    contexts = either(["ANY", "SIDECAR_INBOUND", "SIDECAR_OUTBOUND", "GATEWAY"])
    if apply_to in LISTENERS:
        inner = shaped({"name": either([HTTP])}, optional={"subFilter": either([{"name": ROUTER}])})
        named = inner if apply_to == "HTTP_FILTER" else shaped({"name": NAMES})
        chain = shaped({}, optional={"name": NAMES, "filter": named})
        listener = shaped({}, optional={"portNumber": PORTS, "filterChain": chain})
        return shaped({"context": contexts}, optional={"listener": listener})
    if apply_to in ROUTES:
        route = shaped({}, optional={"name": NAMES, "action": either(["ANY", "ROUTE"])})
        vhost = shaped({}, optional={"name": NAMES, "route": route})
        routes = shaped({}, optional={"portNumber": PORTS, "vhost": vhost})
        return shaped({"context": contexts}, optional={"routeConfiguration": routes})
    if apply_to == "CLUSTER":
        cluster = shaped({}, optional={"portNumber": PORTS, "subset": either(["", "v1"])})
        return shaped({"context": contexts}, optional={"cluster": cluster})
    return shaped({"context": contexts})


@st.composite
def patches(draw: st.DrawFn) -> Json:
    apply_to = draw(st.sampled_from(sorted(MESSAGES)))
    operation = draw(st.sampled_from(sorted(OPERATIONS[apply_to])))
    patch: dict[str, Json] = {"operation": operation}
    if operation != "REMOVE":
        patch["value"] = draw(VALUES[apply_to])
    return {"applyTo": apply_to, "match": draw(matches(apply_to)), "patch": patch}


FILTERS = st.lists(st.lists(patches(), min_size=1, max_size=4), min_size=1, max_size=3)


def envoy_filter(number: int, written: list[Json]) -> str:
    document: Json = {
        "apiVersion": "networking.istio.io/v1alpha3",
        "kind": "EnvoyFilter",
        "metadata": {"name": f"f{number}", "namespace": "istio-system" if number == 0 else "default"},
        "spec": {"configPatches": written, "priority": -number},
    }
    return json.dumps(document)


GATEWAY = """
apiVersion: networking.istio.io/v1
kind: Gateway
metadata: {name: g}
spec: {selector: {app: edge}, servers: [{port: {number: 80, name: http, protocol: HTTP}, hosts: ["*"]}]}
"""


def small_mesh() -> Mesh:
    ports = (GatewayPort(server_port=80, bound_port=20080),)
    edge = registration("edge", kind="gateway", labels={"app": "edge"}, gateway_ports=ports)
    mesh = Mesh(edge, simple("a"), simple("b", protocol="AUTO", address="10.0.0.2"))
    mesh.apply(GATEWAY)
    return mesh


def served(mesh: Mesh) -> dict[str, Resource]:
    found: dict[str, Resource] = {}
    for workload in ("client", "a-v1", "b-v1", "edge"):
        source = mesh.source(workload)
        for kind in (*TYPES, ResourceType.EXTENSION):
            names = list(source.names(kind))
            assert len(names) == len(set(names))
            for name in names:
                resource = source.lookup(kind, name)
                if resource is not None:
                    found[f"{workload} {kind.name} {name}"] = resource
    return found


@settings(max_examples=30, deadline=None)
@given(FILTERS)
def test_whatever_patches_say(filters: list[list[Json]]) -> None:
    mesh, other = small_mesh(), small_mesh()
    before = served(mesh)
    for number, written in enumerate(filters):
        mesh.apply(envoy_filter(number, written))
    for number, written in reversed(list(enumerate(filters))):
        other.apply(envoy_filter(number, written))
    after = served(mesh)
    assert after == served(other)
    assert mesh.world.notes() == other.world.notes()
    for key, resource in after.items():
        if resource.type in TYPES:
            name: str = decode(resource, TYPES[resource.type]).name  # type: ignore[attr-defined]  # all have one
            assert name == resource.name
        is_patched = any(ref.kind == "EnvoyFilter" for ref in resource.objects)
        assert is_patched or resource is before[key]
    for number in range(len(filters)):
        mesh.delete("EnvoyFilter", f"f{number}", "istio-system" if number == 0 else "default")
    assert served(mesh) == before
    assert not mesh.world.notes()
