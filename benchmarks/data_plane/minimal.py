"""The peer: the least an Envoy pair needs for HTTP/1.1 over mTLS, written by hand, as a static bootstrap.

Same Envoy, same keys and chains, TLS 1.3 alone, peers checked by identity; no access log, no control plane, no
filter but the router. What differs from ours is what our mesh costs.
"""

from collections.abc import Sequence
from pathlib import Path

import orjson
from envoy.config.accesslog.v3.accesslog_pb2 import AccessLog
from google.protobuf.json_format import MessageToDict

from benchmarks.data_plane.pair import Pair, envoy_binary, ready
from benchmarks.workshop import Workshop
from proa.core.auth.spiffe import workload_id
from proa.core.model.names import WorkloadId
from proa.runtime.processes import Child

_TYPE = "type.googleapis.com/envoy.extensions"
Tree = dict[str, object]


async def minimal_pair(
    shop: Workshop,
    app_port: int,
    name: str = "minimal",
    logs: tuple[Sequence[AccessLog], Sequence[AccessLog]] = ((), ()),
    filters: Sequence[Tree] = (),
    clusters: Sequence[Tree] = (),
) -> Pair:
    """`logs` are added, of the client's and of the server's side; `filters` to the server's in front of the router,
    and `clusters` beside the server's own."""
    outer, inner = shop.hold_port(), shop.hold_port()
    certificates = shop.certificates
    client_id = str(workload_id(certificates.trust_domain, "default", "client"))
    server_id = str(workload_id(certificates.trust_domain, "default", "server"))
    client_tls = own_tls(shop, "client", server_id)
    server_tls = own_tls(shop, "server", client_id)
    client = _bootstrap(
        _listener(outer.port, None, logs[0]),
        _cluster(inner.port, tls_socket("UpstreamTlsContext", {**client_tls, "sni": "server"})),
    )
    server = _bootstrap(
        _listener(
            inner.port,
            tls_socket("DownstreamTlsContext", {**server_tls, "require_client_certificate": True}),
            logs[1],
            filters,
        ),
        _cluster(app_port, None),
        *clusters,
    )
    clients, servers = (
        _start(shop, f"{name}-{side}", bootstrap)
        for side, bootstrap in (("client", client), ("server", server))
    )
    pair = Pair(name, outer.port, clients, servers)
    return await ready(shop, pair)


def _start(shop: Workshop, label: str, bootstrap: Tree) -> Child:
    file: Path = shop.directory / f"{label}.json"
    file.write_bytes(orjson.dumps(bootstrap))
    argv = [envoy_binary(), "-c", str(file), "--use-dynamic-base-id", "--concurrency", "1", "-l", "warning"]
    return shop.start(label, argv, shop.cores.measured)


def own_tls(shop: Workshop, name: str, peer: str) -> Tree:
    key, chain = shop.certificates.workload(WorkloadId("default", name), name)
    return {
        "common_tls_context": {
            "tls_params": {
                "tls_minimum_protocol_version": "TLSv1_3",
                "tls_maximum_protocol_version": "TLSv1_3",
            },
            "tls_certificates": [
                {"certificate_chain": {"inline_string": chain}, "private_key": {"inline_string": key}}
            ],
            "validation_context": {
                "trusted_ca": {"inline_string": shop.certificates.root_pem},
                "match_typed_subject_alt_names": [{"san_type": "URI", "matcher": {"exact": peer}}],
            },
        }
    }


def tls_socket(kind: str, context: Tree) -> Tree:
    return {
        "name": "envoy.transport_sockets.tls",
        "typed_config": {"@type": f"{_TYPE}.transport_sockets.tls.v3.{kind}", **context},
    }


def _address(port: int) -> Tree:
    return {"socket_address": {"address": "127.0.0.1", "port_value": port}}


def _listener(
    port: int, transport: Tree | None, logs: Sequence[AccessLog], filters: Sequence[Tree] = ()
) -> Tree:
    manager: Tree = {
        "@type": f"{_TYPE}.filters.network.http_connection_manager.v3.HttpConnectionManager",
        "stat_prefix": "http",
        "route_config": {
            "virtual_hosts": [
                {
                    "name": "all",
                    "domains": ["*"],
                    "routes": [{"match": {"prefix": "/"}, "route": {"cluster": "next", "timeout": "0s"}}],
                }
            ]
        },
        "http_filters": [
            *filters,
            {
                "name": "envoy.filters.http.router",
                "typed_config": {"@type": f"{_TYPE}.filters.http.router.v3.Router"},
            },
        ],
    }
    if logs:
        manager["access_log"] = [MessageToDict(log, preserving_proto_field_name=True) for log in logs]
    chain: Tree = {
        "filters": [{"name": "envoy.filters.network.http_connection_manager", "typed_config": manager}]
    }
    if transport is not None:
        chain["transport_socket"] = transport
    return {"name": "in", "address": _address(port), "filter_chains": [chain]}


def _cluster(port: int, transport: Tree | None) -> Tree:
    endpoint = {"endpoint": {"address": _address(port)}}
    cluster: Tree = {
        "name": "next",
        "type": "STATIC",
        "connect_timeout": "5s",
        "load_assignment": {"cluster_name": "next", "endpoints": [{"lb_endpoints": [endpoint]}]},
    }
    if transport is not None:
        cluster["transport_socket"] = transport
    return cluster


def _bootstrap(listener: Tree, *clusters: Tree) -> Tree:
    return {"static_resources": {"listeners": [listener], "clusters": list(clusters)}}
