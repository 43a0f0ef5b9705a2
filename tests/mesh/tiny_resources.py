"""Hand-made configuration for one client sidecar and one server sidecar, by registration: an HTTP proxy
listener, an inbound mTLS listener, clusters and endpoints. Small on purpose and unlike Pilot's."""

import importlib
from collections.abc import Iterable
from typing import Any

from envoy.config.cluster.v3.cluster_pb2 import Cluster
from envoy.config.endpoint.v3.endpoint_pb2 import ClusterLoadAssignment
from envoy.config.listener.v3.listener_pb2 import Listener
from google.protobuf.any_pb2 import Any as AnyMessage
from google.protobuf.json_format import ParseDict
from google.protobuf.message import Message

from proa.core.model.digest import digest_bytes
from proa.core.pilot.resource import Resource, ResourceType
from proa.core.sidecar.session import Registration
from tests.mesh.tiny_control_plane import account_id

for module in (
    "envoy.extensions.filters.network.http_connection_manager.v3.http_connection_manager_pb2",
    "envoy.extensions.filters.http.router.v3.router_pb2",
    "envoy.extensions.transport_sockets.tls.v3.tls_pb2",
    "envoy.extensions.access_loggers.file.v3.file_pb2",
):
    importlib.import_module(module)  # ParseDict finds the messages inside an Any by their registration

T = "type.googleapis.com/envoy."
ADS = {"ads": {}, "resource_api_version": "V3"}
KINDS: dict[ResourceType, type[Message]] = {
    ResourceType.CLUSTER: Cluster,
    ResourceType.ENDPOINT: ClusterLoadAssignment,
    ResourceType.LISTENER: Listener,
}


def configure(mine: Registration, everybody: tuple[Registration, ...]) -> Iterable[Resource]:
    servers = [each for each in everybody if each.ports]
    for server in servers:
        yield resource(ResourceType.CLUSTER, f"to-{server.id.name}", outbound_cluster(server))
        yield resource(ResourceType.ENDPOINT, f"to-{server.id.name}", endpoints(server))
    if mine.outbound_port is not None:
        yield resource(ResourceType.LISTENER, "outbound", outbound_listener(mine.outbound_port, servers))
    for port in mine.ports:
        yield resource(ResourceType.CLUSTER, "app", app_cluster(port.app_port))
        yield resource(ResourceType.LISTENER, "inbound", inbound_listener(mine.address, port.sidecar_port))
    for gateway_port in mine.gateway_ports:
        name = f"gateway-{gateway_port.server_port}"
        listener = outbound_listener(gateway_port.bound_port, servers)
        yield resource(ResourceType.LISTENER, name, {**listener, "name": name})


def resource(kind: ResourceType, name: str, tree: dict[str, Any]) -> Resource:
    packed = AnyMessage()
    packed.Pack(ParseDict(tree, KINDS[kind]()), deterministic=True)
    body = packed.SerializeToString(deterministic=True)
    return Resource(type=kind, name=name, body=body, digest=digest_bytes(body))


def tls(context: str, extra: dict[str, Any], sans: list[str]) -> dict[str, Any]:
    validation: dict[str, Any] = {
        "combined_validation_context": {
            "default_validation_context": {
                "match_typed_subject_alt_names": [
                    {"san_type": "URI", "matcher": {"exact": san}} for san in sans
                ]
            },
            "validation_context_sds_secret_config": {"name": "ROOTCA", "sds_config": ADS},
        }
    }
    common = {
        "tls_certificate_sds_secret_configs": [{"name": "default", "sds_config": ADS}],
        "alpn_protocols": ["istio"],
        **validation,
    }
    config = {
        "@type": f"{T}extensions.transport_sockets.tls.v3.{context}",
        "common_tls_context": common,
        **extra,
    }
    return {"name": "tls", "typed_config": config}


def http(name: str, virtual_hosts: list[dict[str, Any]]) -> dict[str, Any]:
    router = {"name": "router", "typed_config": {"@type": f"{T}extensions.filters.http.router.v3.Router"}}
    log = {
        "@type": f"{T}extensions.access_loggers.file.v3.FileAccessLog",
        "path": "access.log",
        "log_format": {
            "text_format_source": {"inline_string": "%RESPONSE_CODE% %DOWNSTREAM_PEER_URI_SAN%\n"}
        },
    }
    manager = {
        "@type": f"{T}extensions.filters.network.http_connection_manager.v3.HttpConnectionManager",
        "stat_prefix": name,
        "http_filters": [router],
        "access_log": [{"name": "log", "typed_config": log}],
        "route_config": {"virtual_hosts": virtual_hosts},
    }
    return {"name": "http", "typed_config": manager}


def address(host: str, port: int) -> dict[str, Any]:
    return {"socket_address": {"address": host, "port_value": port}}


def to_everything(cluster: str) -> list[dict[str, Any]]:
    return [{"match": {"prefix": "/"}, "route": {"cluster": cluster, "timeout": "0s"}}]


def outbound_listener(port: int, servers: list[Registration]) -> dict[str, Any]:
    hosts = [
        {
            "name": each.id.name,
            "domains": [each.id.name, f"{each.id.name}:*"],
            "routes": to_everything(f"to-{each.id.name}"),
        }
        for each in servers
    ]
    chain = {"filters": [http("outbound", hosts)]}
    return {"name": "outbound", "address": address("127.0.0.1", port), "filter_chains": [chain]}


def inbound_listener(host: str, port: int) -> dict[str, Any]:
    hosts = [{"name": "app", "domains": ["*"], "routes": to_everything("app")}]
    chain = {
        "filters": [http("inbound", hosts)],
        "transport_socket": tls("DownstreamTlsContext", {"require_client_certificate": True}, []),
    }
    return {"name": "inbound", "address": address(host, port), "filter_chains": [chain]}


def outbound_cluster(server: Registration) -> dict[str, Any]:
    return {
        "name": f"to-{server.id.name}",
        "type": "EDS",
        "eds_cluster_config": {"eds_config": ADS},
        "transport_socket": tls("UpstreamTlsContext", {"sni": server.id.name}, [account_id(server.account)]),
    }


def endpoints(server: Registration) -> dict[str, Any]:
    members = [
        {
            "endpoint": {"address": address(server.address, port.sidecar_port)},
            "health_status": "HEALTHY" if port.health == "HEALTHY" else "UNHEALTHY",
        }
        for port in server.ports
    ]
    return {"cluster_name": f"to-{server.id.name}", "endpoints": [{"lb_endpoints": members}]}


def app_cluster(port: int) -> dict[str, Any]:
    member = {"endpoint": {"address": address("127.0.0.1", port)}}
    return {
        "name": "app",
        "type": "STATIC",
        "load_assignment": {"cluster_name": "app", "endpoints": [{"lb_endpoints": [member]}]},
    }
