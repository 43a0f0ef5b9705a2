"""The standard metrics, and how an Envoy spells them: one row of facts for each series.

Proxies are told to count by `core.pilot.translate.filters.metrics`; `core.sidecar.standard_metrics` reads what they
counted and joins the names of Istio. Both read the spelling here. A row has only what differs from request to request
and what no caller can choose: who the peer is, where it went, how it ended.
"""

from typing import Final, Literal

import msgspec

STAT_PREFIX: Final = "istio"
"""Of all statistics made by these rows, in Envoy's own names."""
ROW: Final = "row"
"""The tag with the facts, `SEPARATOR` between them."""
SEPARATOR: Final = ";"
REMOVED: Final = "removed"
"""The tag that lists labels which are not to be shown."""

HttpMetric = Literal["requests_total", "request_duration_milliseconds", "request_bytes", "response_bytes"]
StreamMetric = Literal[
    "tcp_connections_opened_total",
    "tcp_connections_closed_total",
    "tcp_sent_bytes_total",
    "tcp_received_bytes_total",
]
Metric = HttpMetric | StreamMetric
HTTP_METRICS: Final[tuple[HttpMetric, ...]] = (
    "requests_total",
    "request_duration_milliseconds",
    "request_bytes",
    "response_bytes",
)
STREAM_METRICS: Final[tuple[StreamMetric, ...]] = (
    "tcp_connections_opened_total",
    "tcp_connections_closed_total",
    "tcp_sent_bytes_total",
    "tcp_received_bytes_total",
)
METRICS: Final[tuple[Metric, ...]] = (*HTTP_METRICS, *STREAM_METRICS)
BYTE_BOUNDS: Final = (1.0, 10.0, 100.0, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8)
"""Of the histograms of sizes: Mixer's of 2018. Those of durations are Envoy's own, which hold Mixer's."""

Side = Literal["client", "tls", "plain"]
"""Who counts: the caller's proxy (or a gateway's); the server's, of what came by mesh TLS, or without."""


class Series(msgspec.Struct, frozen=True, kw_only=True):
    """One metric, with labels of an operator's own (name and CEL expression) and standard ones taken off."""

    metric: Metric
    added: tuple[tuple[str, str], ...] = ()
    removed: tuple[str, ...] = ()


STANDARD: Final = tuple(Series(metric=metric) for metric in METRICS)


class Metering(msgspec.Struct, frozen=True, kw_only=True):
    """What a proxy counts of the calls that it makes (a gateway: of all), and of those that it takes."""

    client: tuple[Series, ...] = STANDARD
    server: tuple[Series, ...] = STANDARD


class Row(msgspec.Struct, frozen=True, kw_only=True):
    """One row read back. `place` is the cluster that a client called, of a server the service port; `peer` what the
    other side's registered name is known by: the workload as `namespace/name` in the chosen endpoint, or the DNS name
    of its certificate. `principal` is its SPIFFE id. Empty is unknown."""

    side: Side
    code: str
    flags: str
    grpc: str
    place: str
    peer: str
    principal: str


def read_row(text: str) -> Row | None:
    """None for what is no row of this form."""
    parts = text.split(SEPARATOR)
    if len(parts) != 7 or parts[0] not in ("client", "tls", "plain"):
        return None
    side: Side = "client" if parts[0] == "client" else "tls" if parts[0] == "tls" else "plain"
    _, code, flags, grpc, place, peer, principal = ("" if part == "-" else part for part in parts)
    return Row(side=side, code=code, flags=flags, grpc=grpc, place=place, peer=peer, principal=principal)
