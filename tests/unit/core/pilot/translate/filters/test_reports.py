"""Access loggers that tell Mixer; what it hears from them is seen in tests/mesh/test_reports.py."""

from envoy.config.accesslog.v3.accesslog_pb2 import AccessLog
from envoy.extensions.access_loggers.grpc.v3.als_pb2 import HttpGrpcAccessLogConfig, TcpGrpcAccessLogConfig
from envoy.extensions.filters.network.tcp_proxy.v3.tcp_proxy_pb2 import TcpProxy

from proa.core.mixer.reported import CALLED_TAG, PEER_TAG, viewpoint_of
from proa.core.model.metering import Side
from proa.core.model.settings import Handling, Observed, Reporting
from proa.core.pilot.translate.filters.chain import Direction, tcp_chain
from proa.core.pilot.translate.filters.metrics import Meter
from proa.core.pilot.translate.filters.reports import report_stream, request_reports

REPORTING = Reporting(requests=True, streams=True, request_headers=("x-a",), response_headers=("x-b",))


def unpacked(log: AccessLog) -> HttpGrpcAccessLogConfig:
    config = HttpGrpcAccessLogConfig()
    assert log.typed_config.Unpack(config)
    return config


def test_requests_are_told_with_what_expressions_read() -> None:
    config = unpacked(request_reports(REPORTING, Meter(side="tls", port=8080)))
    assert list(config.additional_request_headers_to_log) == ["content-type", "x-a"]
    assert list(config.additional_response_headers_to_log) == ["x-b", "grpc-status", "grpc-message"]
    assert list(config.additional_response_trailers_to_log) == ["grpc-status", "grpc-message"]
    common = config.common_config
    assert common.grpc_service.envoy_grpc.cluster_name == "proa_mixer"
    viewpoint = viewpoint_of(common.log_name)
    assert viewpoint is not None
    assert (viewpoint.side, viewpoint.port) == ("tls", 8080)


def test_who_is_at_the_other_end_is_told_where_it_can_be_believed() -> None:
    sides: tuple[tuple[Side, list[str]], ...] = (
        ("client", [CALLED_TAG]),
        ("tls", [PEER_TAG]),
        ("plain", []),
    )
    for side, tags in sides:
        config = unpacked(request_reports(REPORTING, Meter(side=side)))
        assert [each.tag for each in config.common_config.custom_tags] == tags


def test_connections_are_told_while_they_stand() -> None:
    proxy = TcpProxy()
    report_stream(proxy, Meter(side="client"))
    assert proxy.access_log_options.flush_access_log_on_connected
    assert proxy.access_log_options.access_log_flush_interval.ToSeconds() == 10
    assert TcpGrpcAccessLogConfig.DESCRIPTOR.full_name in proxy.access_log[0].typed_config.type_url


def test_other_logs_of_a_connection_have_its_end_alone() -> None:
    """Also where nothing is counted when a connection stands."""
    for metering in (None, Handling().metering):
        handling = Handling(metering=metering, client=Observed(reports=REPORTING))
        proxy = TcpProxy()
        tcp_chain(Direction.OUTBOUND, "c", handling=handling)[-1].typed_config.Unpack(proxy)
        *others, reports = proxy.access_log
        assert "tcp_grpc" in reports.name
        assert not reports.HasField("filter")
        assert others
        assert all(each.HasField("filter") for each in others)
