"""What proxies are told to count: one tag for a series, nothing in it that a caller chooses."""

import re

from envoy.config.accesslog.v3.accesslog_pb2 import AccessLog
from envoy.data.accesslog.v3.accesslog_pb2 import AccessLogType
from envoy.extensions.access_loggers.stats.v3.stats_pb2 import Config

from proa.core.model.metering import METRICS, ROW, SEPARATOR, Metering, Series, read_row
from proa.core.pilot.simulate.resources import unpack
from proa.core.pilot.translate.filters.metrics import (
    CLIENT,
    Meter,
    counts_streams,
    request_loggers,
    stream_loggers,
)

METERS = (CLIENT, Meter(side="tls", port=80), Meter(side="plain", port=80))
CHOSEN_BY_CALLERS = re.compile("REQ|PATH|HOST%|AUTHORITY|SERVER_NAME|QUERY|REMOTE|HEADER|ID%|TIME|SUBJECT")


def config(logger: AccessLog) -> Config:
    found = unpack(logger.typed_config, Config)
    assert found is not None
    return found


def stats(loggers: tuple[AccessLog, ...]) -> list[Config.Stat]:
    configs = [config(logger) for logger in loggers]
    counters = [each.stat for one in configs for each in one.counters]
    return counters + [each.stat for one in configs for each in one.histograms]


def test_every_metric_is_counted_everywhere() -> None:
    for meter in METERS:
        names = {stat.name for stat in stats(request_loggers(Metering(), meter))}
        names |= {stat.name for stat in stats(stream_loggers(Metering(), meter))}
        assert names == set(METRICS)


def test_a_row_has_nothing_that_callers_choose() -> None:
    for meter in METERS:
        for stat in stats((*request_loggers(Metering(), meter), *stream_loggers(Metering(), meter))):
            (tag,) = stat.tags
            assert tag.name == ROW
            assert CHOSEN_BY_CALLERS.search(tag.value_format) is None
            assert read_row(tag.value_format) is not None


def test_only_mesh_tls_tells_of_a_peer() -> None:
    plain = stats(request_loggers(Metering(), Meter(side="plain", port=80)))
    assert all(stat.tags[0].value_format.split(SEPARATOR)[-2:] == ["", ""] for stat in plain)


def test_a_tunnel_is_a_stream_and_no_request() -> None:
    requests, tunnels = request_loggers(Metering(), CLIENT, tunnels=True)
    assert requests.filter.header_filter.header.invert_match
    assert not tunnels.filter.header_filter.header.invert_match
    assert {stat.name for stat in stats((tunnels,))} == {name for name in METRICS if name.startswith("tcp_")}


def test_a_stream_is_opened_once_and_ended_once() -> None:
    begun, never, ended = stream_loggers(Metering(), CLIENT)
    assert list(begun.filter.log_type_filter.types) == [AccessLogType.TcpUpstreamConnected]
    assert never.filter.HasField("and_filter")
    assert list(ended.filter.log_type_filter.types) == [AccessLogType.TcpConnectionEnd]
    assert [stat.name for stat in stats((never,))] == ["tcp_connections_opened_total"]


def test_what_is_not_wanted_is_not_counted() -> None:
    none = Metering(client=(), server=())
    assert request_loggers(none, CLIENT, tunnels=True) == ()
    assert stream_loggers(none, CLIENT) == ()
    assert not counts_streams(none, CLIENT)
    assert counts_streams(Metering(), CLIENT)


def test_labels_of_an_operator_are_tags() -> None:
    series = Series(metric="requests_total", added=(("verb", "request.method"),), removed=("source_app",))
    (stat,) = stats(request_loggers(Metering(client=(series,)), CLIENT))
    tags = {tag.name: tag.value_format for tag in stat.tags}
    assert tags["verb"] == "%CEL(request.method)%"
    assert tags["removed"] == "source_app"
