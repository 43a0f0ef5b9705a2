"""Access loggers that tell Mixer what has ended, and of connections that they are open and what they carry meanwhile.

Only where some rule can match there. The proxy gathers entries for a second, or until there are some kilobytes, and
sends them over a stream that stays; what it cannot send it drops, and counts.
"""

from typing import Final

from envoy.config.accesslog.v3.accesslog_pb2 import AccessLog
from envoy.config.core.v3.config_source_pb2 import ApiVersion
from envoy.extensions.access_loggers.grpc.v3.als_pb2 import (
    CommonGrpcAccessLogConfig,
    HttpGrpcAccessLogConfig,
    TcpGrpcAccessLogConfig,
)
from envoy.extensions.filters.network.tcp_proxy.v3.tcp_proxy_pb2 import TcpProxy

from proa.core.mixer.reported import CALLED_FORMAT, CALLED_TAG, PEER_FORMAT, PEER_TAG, Viewpoint
from proa.core.model.settings import Reporting
from proa.core.pilot.translate.encode import millis, pack, uint32
from proa.core.pilot.translate.filters.metrics import Meter
from proa.core.pilot.translate.filters.mixer.cluster import MIXER_CLUSTER

FLUSH_MS: Final = 1_000
BUFFER_BYTES: Final = 64 * 1024
EVERY_MS: Final = 10_000
"""Between two words of a connection that stands: Mixer's client of 2018 had it so."""
_ALWAYS: Final = ("content-type",)
"""It tells gRPC from other requests."""
_STATUS: Final = ("grpc-status", "grpc-message")


def request_reports(reporting: Reporting, meter: Meter) -> AccessLog:
    """Of a connection manager."""
    config = HttpGrpcAccessLogConfig(
        common_config=_common(meter),
        additional_request_headers_to_log=dict.fromkeys((*_ALWAYS, *reporting.request_headers)),
        # A status without a message before it stands among the headers.
        additional_response_headers_to_log=dict.fromkeys((*reporting.response_headers, *_STATUS)),
        additional_response_trailers_to_log=_STATUS,
    )
    return AccessLog(name="envoy.access_loggers.http_grpc", typed_config=pack(config))


def report_stream(proxy: TcpProxy, meter: Meter) -> None:
    """It also logs while a connection stands: other loggers must want its end alone."""
    proxy.access_log_options.flush_access_log_on_connected = True
    proxy.access_log_options.access_log_flush_interval.CopyFrom(millis(EVERY_MS))
    config = TcpGrpcAccessLogConfig(common_config=_common(meter))
    proxy.access_log.append(AccessLog(name="envoy.access_loggers.tcp_grpc", typed_config=pack(config)))


def _common(meter: Meter) -> CommonGrpcAccessLogConfig:
    common = CommonGrpcAccessLogConfig(
        log_name=Viewpoint(meter.side, meter.port).name,
        transport_api_version=ApiVersion.V3,
        buffer_flush_interval=millis(FLUSH_MS),
        buffer_size_bytes=uint32(BUFFER_BYTES),
    )
    common.grpc_service.envoy_grpc.cluster_name = MIXER_CLUSTER
    match meter.side:
        case "client":
            common.custom_tags.add(tag=CALLED_TAG, value=CALLED_FORMAT)
        case "tls":
            common.custom_tags.add(tag=PEER_TAG, value=PEER_FORMAT)
        case "plain":
            pass
    return common
