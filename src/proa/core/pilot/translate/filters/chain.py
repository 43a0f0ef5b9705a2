"""The HTTP filters of each kind of listener, in order, and the connection manager that holds them.

What may change while connections are open is not in here: routes and faults come by RDS, the egress guard by
ECDS. A change of this file's output drains connections.
"""

from enum import Enum
from typing import Final

from envoy.config.accesslog.v3.accesslog_pb2 import AccessLogFilter, ResponseFlagFilter
from envoy.config.core.v3.base_pb2 import HeaderValue, HeaderValueOption
from envoy.config.core.v3.config_source_pb2 import ExtensionConfigSource
from envoy.config.core.v3.protocol_pb2 import (
    Http1ProtocolOptions,
    Http2ProtocolOptions,
    HttpProtocolOptions,
)
from envoy.config.listener.v3.listener_components_pb2 import Filter
from envoy.config.route.v3.route_pb2 import RouteConfiguration
from envoy.extensions.filters.http.cors.v3.cors_pb2 import Cors
from envoy.extensions.filters.http.dynamic_forward_proxy.v3.dynamic_forward_proxy_pb2 import (
    FilterConfig as ForwardProxy,
)
from envoy.extensions.filters.http.fault.v3.fault_pb2 import HTTPFault
from envoy.extensions.filters.http.grpc_web.v3.grpc_web_pb2 import GrpcWeb
from envoy.extensions.filters.http.rbac.v3.rbac_pb2 import RBAC
from envoy.extensions.filters.http.router.v3.router_pb2 import Router
from envoy.extensions.filters.http.set_filter_state.v3.set_filter_state_pb2 import Config as FilterState
from envoy.extensions.filters.http.stateful_session.v3.stateful_session_pb2 import StatefulSession
from envoy.extensions.filters.network.http_connection_manager.v3.http_connection_manager_pb2 import (
    HttpConnectionManager,
    HttpFilter,
    LocalReplyConfig,
    Rds,
    ResponseMapper,
)
from envoy.extensions.filters.network.set_filter_state.v3.set_filter_state_pb2 import Config as StreamState
from envoy.extensions.filters.network.sni_dynamic_forward_proxy.v3.sni_dynamic_forward_proxy_pb2 import (
    FilterConfig as SniForwardProxy,
)
from envoy.extensions.filters.network.tcp_proxy.v3.tcp_proxy_pb2 import TcpProxy, UpstreamConnectMode
from google.protobuf.message import Message

from proa.core.model.metering import Metering
from proa.core.model.settings import Handling, PathNormalization, Reporting
from proa.core.pilot.translate.authorization.filters import authorization_place
from proa.core.pilot.translate.clusters import dns_cache
from proa.core.pilot.translate.encode import ADS, boolean, millis, pack
from proa.core.pilot.translate.filters import filter_state, unbelieved
from proa.core.pilot.translate.filters.access_log import build_access_logs
from proa.core.pilot.translate.filters.egress_guard import build_stream_guard
from proa.core.pilot.translate.filters.metrics import (
    CLIENT,
    Meter,
    at_the_end,
    counts_streams,
    request_loggers,
    stream_loggers,
)
from proa.core.pilot.translate.filters.mixer.place import mixer_name, mixer_place
from proa.core.pilot.translate.filters.names import (
    APP_REFUSED_HEADER,
    CORS,
    EGRESS_GUARD,
    FAULT,
    FILTER_STATE,
    FORWARD_PROXY,
    ROUTER,
    SESSION,
)
from proa.core.pilot.translate.filters.path_guard import path_guard
from proa.core.pilot.translate.filters.reports import report_stream, request_reports
from proa.core.pilot.translate.filters.revocation import request_filter
from proa.core.pilot.translate.filters.tokens import tokens_name, tokens_place
from proa.core.pilot.translate.filters.tracing import trace, tracing_of
from proa.core.pilot.translate.routes.intents import Stream, Target

EARLY_BYTES: Final = 16_384
"""What a stream may say before its program is connected; then its connection is not read."""
STRANGERS_HEADERS_MS: Final = 10_000
"""How long a gateway waits for the end of a request's headers: who trickles them holds a connection for nothing."""


class Direction(Enum):
    """Which way requests of a connection manager go, as written in its stats and access log."""

    INBOUND = "inbound"
    OUTBOUND = "outbound"
    GATEWAY = "gateway"


def _filter(name: str, config: Message, *, disabled: bool = False) -> HttpFilter:
    return HttpFilter(name=name, typed_config=pack(config), disabled=disabled)


def outbound_filters(handling: Handling) -> list[HttpFilter]:
    """Of sidecars' outbound side and of gateways, whose rules may send to hosts without resolution as well. Forward
    proxy before guard: the guard judges the address that the proxy resolved. All but the router are off where a route
    does not switch them on, so that a plain request pays for none of them."""
    return [
        _filter(FILTER_STATE, FilterState(), disabled=True),
        _filter(CORS, Cors(), disabled=True),
        _filter(FAULT, HTTPFault(), disabled=True),
        _filter(SESSION, StatefulSession(), disabled=True),
        _filter(
            FORWARD_PROXY,
            ForwardProxy(
                dns_cache_config=dns_cache(handling.resolving),
                save_upstream_address=True,
            ),
            disabled=True,
        ),
        HttpFilter(
            name=EGRESS_GUARD,
            disabled=True,
            config_discovery=ExtensionConfigSource(
                config_source=ADS, type_urls=[f"type.googleapis.com/{RBAC.DESCRIPTOR.full_name}"]
            ),
        ),
        _filter(ROUTER, Router()),
    ]


def grpc_web_filter() -> HttpFilter:
    """Browsers' gRPC becomes gRPC; what is neither passes."""
    return _filter("envoy.filters.http.grpc_web", GrpcWeb())


def inbound_filters(port: int, authorization: str, *, is_mesh: bool = False) -> list[HttpFilter]:
    """Of a sidecar's inbound side. Who comes by mesh TLS is first looked up among the revoked; then the tokens of end
    users are looked at, by the rules for that service port; then the policies of the resource `authorization` are
    asked, which may ask what a token says. Mixer is asked of what all of them let pass."""
    revoked = [request_filter()] if is_mesh else []
    tokens = tokens_place(tokens_name(port))
    mixer = mixer_place(mixer_name(port, has_peer=is_mesh))
    return [*revoked, tokens, authorization_place(authorization), mixer, _filter(ROUTER, Router())]


def _app_refused() -> LocalReplyConfig:
    """Mark the answer this sidecar gives when its app refuses the connection (flag UF): the request never
    reached the app, so the client's sidecar may send it to another replica, whatever its method."""
    return LocalReplyConfig(
        mappers=[
            ResponseMapper(
                filter=AccessLogFilter(response_flag_filter=ResponseFlagFilter(flags=["UF"])),
                headers_to_add=[
                    HeaderValueOption(
                        header=HeaderValue(key=APP_REFUSED_HEADER, value="true"),
                        append_action=HeaderValueOption.OVERWRITE_IF_EXISTS_OR_ADD,
                    )
                ],
            )
        ]
    )


def http_chain(
    direction: Direction,
    routes: RouteConfiguration | str,
    filters: list[HttpFilter],
    *,
    handling: Handling,
    connect: bool = False,
    meter: Meter = CLIENT,
) -> Filter:
    """A connection manager. `routes` is inline for what never changes, else the name to ask RDS for."""
    guards = [path_guard()] if handling.paths != "NONE" else []
    manager = HttpConnectionManager(
        stat_prefix=direction.value,
        http_filters=[*guards, *filters],
        stream_idle_timeout=millis(0),
        server_header_transformation=HttpConnectionManager.PASS_THROUGH,
        http_protocol_options=Http1ProtocolOptions(accept_http_10=True),
        http2_protocol_options=Http2ProtocolOptions(allow_connect=connect),
        strip_trailing_host_dot=direction is not Direction.INBOUND,
    )
    if isinstance(routes, str):
        manager.rds.CopyFrom(Rds(route_config_name=routes, config_source=ADS))
    else:
        manager.route_config.CopyFrom(routes)
    _normalize(manager, handling.paths)
    observed = handling.client if meter.side == "client" else handling.server
    manager.access_log.extend(build_access_logs(direction.value, handling, observed))
    if (tracing := tracing_of(observed)) is not None:
        trace(manager, tracing)
    if handling.metering is not None:
        manager.access_log.extend(request_loggers(handling.metering, meter, tunnels=connect))
    if observed.reports is not None and (observed.reports.requests or (connect and observed.reports.streams)):
        manager.access_log.append(request_reports(observed.reports, meter))
    upgrades = ["websocket", "CONNECT"] if connect else ["websocket"]
    manager.upgrade_configs.extend(
        HttpConnectionManager.UpgradeConfig(upgrade_type=upgrade) for upgrade in upgrades
    )
    match direction:
        case Direction.INBOUND:
            manager.forward_client_cert_details = HttpConnectionManager.SANITIZE_SET
            manager.set_current_client_cert_details.uri = True
            manager.local_reply_config.CopyFrom(_app_refused())
            manager.early_header_mutation_extensions.append(unbelieved.CALLERS)
        case Direction.GATEWAY:
            # The edge: what a stranger says of itself (x-forwarded-*, client certificates) is not believed.
            manager.use_remote_address.CopyFrom(boolean(True))
            manager.request_headers_timeout.CopyFrom(millis(STRANGERS_HEADERS_MS))
            manager.forward_client_cert_details = HttpConnectionManager.SANITIZE
            manager.early_header_mutation_extensions.append(unbelieved.STRANGERS)
            # Many programs read x_user and x-user as one, and so believe a stranger what only a proxy may say.
            manager.common_http_protocol_options.headers_with_underscores_action = (
                HttpProtocolOptions.REJECT_REQUEST
            )
        case Direction.OUTBOUND:
            manager.forward_client_cert_details = HttpConnectionManager.SANITIZE
            manager.early_header_mutation_extensions.append(unbelieved.PROGRAMS)
    return Filter(name="envoy.filters.network.http_connection_manager", typed_config=pack(manager))


def _by_sni(port: int, handling: Handling) -> list[Filter]:
    """Looks up the name in SNI, and has a guard judge what comes out. Which names there are is the chain's match."""
    forward = SniForwardProxy(
        dns_cache_config=dns_cache(handling.resolving), port_value=port, save_upstream_address=True
    )
    return [
        Filter(name="envoy.filters.network.sni_dynamic_forward_proxy", typed_config=pack(forward)),
        Filter(name="envoy.filters.network.rbac", typed_config=pack(build_stream_guard())),
    ]


def _normalize(manager: HttpConnectionManager, paths: PathNormalization) -> None:
    """Rules and programs should read one path alike; each step further is a path fewer that they read apart."""
    manager.normalize_path.CopyFrom(boolean(paths != "NONE"))
    manager.merge_slashes = paths in ("MERGE_SLASHES", "DECODE_AND_MERGE_SLASHES")
    if paths == "DECODE_AND_MERGE_SLASHES":
        manager.path_with_escaped_slashes_action = HttpConnectionManager.UNESCAPE_AND_FORWARD


def tcp_chain(
    direction: Direction, cluster: str, *, handling: Handling, meter: Meter = CLIENT
) -> list[Filter]:
    """A raw stream to `cluster`, or to what the tunnel it came through says."""
    return stream_chain(direction, Stream(targets=(Target(cluster=cluster),)), handling=handling, meter=meter)


def stream_chain(
    direction: Direction, stream: Stream, *, handling: Handling, meter: Meter = CLIENT
) -> list[Filter]:
    """A raw stream to one of its clusters, by their weights."""
    proxy = TcpProxy(stat_prefix=direction.value)
    if len(stream.targets) == 1:
        proxy.cluster = stream.targets[0].cluster
    else:
        for target in stream.targets:
            proxy.weighted_clusters.clusters.add(name=target.cluster, weight=target.weight)
    if stream.idle_timeout_ms is not None:
        proxy.idle_timeout.CopyFrom(millis(stream.idle_timeout_ms))
    if stream.max_duration_ms:
        proxy.max_downstream_connection_duration.CopyFrom(millis(stream.max_duration_ms))
    if stream.tunnel is not None:
        proxy.tunneling_config.hostname = stream.tunnel.target
        proxy.tunneling_config.use_post = stream.tunnel.by_post
    if stream.by_client_address:
        proxy.hash_policy.add().source_ip.SetInParent()
    observed = handling.client if meter.side == "client" else handling.server
    proxy.access_log.extend(build_access_logs(direction.value, handling, observed))
    _tell_of_stream(proxy, handling.metering, observed.reports, meter)
    filters = [Filter(name="envoy.filters.network.tcp_proxy", typed_config=pack(proxy))]
    if stream.looked_up_port:
        filters = [*_by_sni(stream.looked_up_port, handling), *filters]
    if direction is not Direction.INBOUND:
        state: StreamState = filter_state.as_stream()
        filters.insert(0, Filter(name="envoy.filters.network.set_filter_state", typed_config=pack(state)))
    return filters


def _tell_of_stream(
    proxy: TcpProxy, metering: Metering | None, reports: Reporting | None, meter: Meter
) -> None:
    """A connection is counted, and reported, when it stands. Other logs want a line when it ends."""
    counts = metering is not None and counts_streams(metering, meter)
    is_told = reports is not None and reports.streams
    if counts or is_told:
        proxy.access_log_options.flush_access_log_on_connected = True
        for each in proxy.access_log:
            each.filter.CopyFrom(at_the_end(each.filter))
        if meter.side == "tls":
            # Before that nobody knows whose connection it is; nor has the program to hear of strangers.
            proxy.upstream_connect_mode = UpstreamConnectMode.ON_DOWNSTREAM_TLS_HANDSHAKE
            proxy.max_early_data_bytes.value = EARLY_BYTES
    if metering is not None:
        proxy.access_log.extend(stream_loggers(metering, meter))
    if is_told:
        report_stream(proxy, meter)
