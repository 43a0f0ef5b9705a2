"""Istio's standard metrics, counted by the proxy itself: access loggers that write statistics.

A statistic's price is its tags, which Envoy formats and looks up for each request and metric. So a series has one tag,
the row of `core.model.metering`, and what follows from the proxy or its peer is joined when the agent is scraped.
Nothing that a caller may choose is in a row: no path, no host, no header.
"""

from functools import lru_cache
from typing import Final

import msgspec
from envoy.config.accesslog.v3.accesslog_pb2 import (
    AccessLog,
    AccessLogFilter,
    AndFilter,
    ExtensionFilter,
    HeaderFilter,
    LogTypeFilter,
)
from envoy.config.route.v3.route_components_pb2 import HeaderMatcher
from envoy.data.accesslog.v3.accesslog_pb2 import AccessLogType
from envoy.extensions.access_loggers.filters.cel.v3.cel_pb2 import ExpressionFilter
from envoy.extensions.access_loggers.stats.v3.stats_pb2 import Config
from envoy.type.matcher.v3.string_pb2 import StringMatcher
from google.protobuf.wrappers_pb2 import UInt64Value

from proa.core.model.metering import (
    HTTP_METRICS,
    REMOVED,
    ROW,
    SEPARATOR,
    STAT_PREFIX,
    Metering,
    Series,
    Side,
)
from proa.core.pilot.translate.encode import pack

_DURATION: Final = (Config.Histogram.Milliseconds, "%DURATION%")
_HISTOGRAMS: Final = {
    "request_duration_milliseconds": _DURATION,
    "request_bytes": (Config.Histogram.Bytes, "%BYTES_RECEIVED%"),
    "response_bytes": (Config.Histogram.Bytes, "%BYTES_SENT%"),
}
_COUNTED_BYTES: Final = {
    # As Istio has it: sent is the answer, received the request.
    "tcp_sent_bytes_total": "%BYTES_SENT%",
    "tcp_received_bytes_total": "%BYTES_RECEIVED%",
}
_OPENED: Final = "tcp_connections_opened_total"
_HTTP_END: Final = ("%RESPONSE_CODE%", "%RESPONSE_FLAGS%", "%GRPC_STATUS_NUMBER%")
_STREAM_END: Final = ("", "%RESPONSE_FLAGS%", "")
_STREAM_BEGIN: Final = ("", "", "")
_CHOSEN: Final = ("%UPSTREAM_CLUSTER_RAW%", "%UPSTREAM_METADATA(proa:workload)%", "%UPSTREAM_PEER_URI_SAN%")
_NEVER_CONNECTED: Final = "!has(upstream.local_address)"


class Meter(msgspec.Struct, frozen=True, kw_only=True):
    """Where a chain counts: as a client, or as a server at a service port."""

    side: Side
    port: int = 0


CLIENT: Final = Meter(side="client")


@lru_cache(maxsize=4096)
def request_loggers(metering: Metering, meter: Meter, *, tunnels: bool = False) -> tuple[AccessLog, ...]:
    """Of a connection manager. `tunnels`: it takes CONNECT. Such a request is a stream, counted when it ends, unless it
    goes on to a listener of the proxy's own that counts it: the agent leaves those out."""
    series = metering.client if meter.side == "client" else metering.server
    requests = [each for each in series if each.metric in HTTP_METRICS]
    found = []
    if requests:
        row = _row(meter, _HTTP_END)
        found.append(
            _logger(requests, row, AccessLogFilter(header_filter=_connect(False)) if tunnels else None)
        )
    streams = [each for each in series if each.metric not in HTTP_METRICS]
    if tunnels and streams:
        row = _row(meter, _STREAM_END)
        found.append(_logger(streams, row, AccessLogFilter(header_filter=_connect(True))))
    return tuple(found)


@lru_cache(maxsize=4096)
def stream_loggers(metering: Metering, meter: Meter) -> tuple[AccessLog, ...]:
    """Of a TCP proxy that also logs when it is connected. Who never is counts as opened when it ends."""
    series = metering.client if meter.side == "client" else metering.server
    streams = [each for each in series if each.metric not in HTTP_METRICS]
    opened = [each for each in streams if each.metric == _OPENED]
    ended = [each for each in streams if each.metric != _OPENED]
    begins, ends = _at(AccessLogType.TcpUpstreamConnected), _at(AccessLogType.TcpConnectionEnd)
    found = []
    if opened:
        never = ExtensionFilter(
            name="envoy.access_loggers.extension_filters.cel",
            typed_config=pack(ExpressionFilter(expression=_NEVER_CONNECTED)),
        )
        failed = AccessLogFilter(
            and_filter=AndFilter(filters=[ends, AccessLogFilter(extension_filter=never)])
        )
        found.append(_logger(opened, _row(meter, _STREAM_BEGIN), begins))
        found.append(_logger(opened, _row(meter, _STREAM_BEGIN), failed))
    if ended:
        found.append(_logger(ended, _row(meter, _STREAM_END), ends))
    return tuple(found)


def counts_streams(metering: Metering, meter: Meter) -> bool:
    """Whether its TCP proxy has to log the moment it is connected."""
    series = metering.client if meter.side == "client" else metering.server
    return any(each.metric == _OPENED for each in series)


def at_the_end(only: AccessLogFilter) -> AccessLogFilter:
    """Of logs that want one line of a stream, besides what they have."""
    ends = _at(AccessLogType.TcpConnectionEnd)
    if only == AccessLogFilter():
        return ends
    return AccessLogFilter(and_filter=AndFilter(filters=[ends, only]))


def _row(meter: Meter, end: tuple[str, str, str]) -> str:
    match meter.side:
        case "client":
            where = _CHOSEN
        case "tls":
            where = (str(meter.port), "%DOWNSTREAM_PEER_DNS_SAN%", "%DOWNSTREAM_PEER_URI_SAN%")
        case "plain":
            where = (str(meter.port), "", "")
    return SEPARATOR.join((meter.side, *end, *where))


def _at(moment: "AccessLogType.ValueType") -> AccessLogFilter:
    return AccessLogFilter(log_type_filter=LogTypeFilter(types=[moment]))


def _connect(is_wanted: bool) -> HeaderFilter:
    matcher = HeaderMatcher(
        name=":method", string_match=StringMatcher(exact="CONNECT"), invert_match=not is_wanted
    )
    return HeaderFilter(header=matcher)


def _logger(series: list[Series], row: str, only: AccessLogFilter | None) -> AccessLog:
    config = Config(stat_prefix=STAT_PREFIX)
    for each in series:
        tags = [Config.Tag(name=ROW, value_format=row)]
        tags += [Config.Tag(name=name, value_format=f"%CEL({value})%") for name, value in each.added]
        if each.removed:
            tags.append(Config.Tag(name=REMOVED, value_format=",".join(each.removed)))
        stat = Config.Stat(name=each.metric, tags=tags)
        histogram = _HISTOGRAMS.get(each.metric)
        if histogram is not None:
            unit, value = histogram
            config.histograms.add(stat=stat, unit=unit, value_format=value)
        elif each.metric in _COUNTED_BYTES:
            config.counters.add(stat=stat, value_format=_COUNTED_BYTES[each.metric])
        else:
            config.counters.add(stat=stat, value_fixed=UInt64Value(value=1))
    logger = AccessLog(name="envoy.access_loggers.stats", typed_config=pack(config))
    if only is not None:
        logger.filter.CopyFrom(only)
    return logger
