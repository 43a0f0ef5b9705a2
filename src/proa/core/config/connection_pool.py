"""Limits of connections, as several kinds write them, and whether they make sense."""

from collections.abc import Iterator
from typing import Annotated, Literal

from proa.core.config.path import Path
from proa.core.config.problem import Finding, warning
from proa.core.config.record import Count, Count32, Duration, DurationOrZero, Milliseconds, Record

H2UpgradePolicy = Literal["DEFAULT", "DO_NOT_UPGRADE", "UPGRADE"]
Seconds = Annotated[int, Milliseconds(1000)]
"""Sockets count in seconds."""
LONGEST_KEEPALIVE_S = 32_767
MOST_PROBES = 127
"""Linux refuses more, connection by connection (tcp(7); MAX_TCP_KEEPIDLE, MAX_TCP_KEEPCNT)."""


class TcpKeepalive(Record, frozen=True, kw_only=True):
    """None, and no probes: the operating system's."""

    probes: Count32 = 0
    time: Seconds | None = None
    interval: Seconds | None = None


class TcpPool(Record, frozen=True, kw_only=True):
    """Zero is not set, as in Istio; but an `idle_timeout` of 0 is no timeout."""

    max_connections: Count = 0
    connect_timeout: Duration | None = None
    tcp_keepalive: TcpKeepalive | None = None
    max_connection_duration: Duration | None = None
    idle_timeout: DurationOrZero | None = None


class Http2Keepalive(Record, frozen=True, kw_only=True):
    interval: Duration
    timeout: Duration


class HttpPool(Record, frozen=True, kw_only=True):
    """Zero is not set, as in Istio; but an `idle_timeout` of 0 is no timeout."""

    http1_max_pending_requests: Count = 0
    http2_max_requests: Count = 0
    max_requests_per_connection: Count = 0
    max_retries: Count = 0
    idle_timeout: DurationOrZero | None = None
    h2_upgrade_policy: H2UpgradePolicy = "DEFAULT"
    use_client_protocol: bool = False
    max_concurrent_streams: Count = 0
    http2_keep_alive: Http2Keepalive | None = None


class ConnectionPool(Record, frozen=True, kw_only=True):
    tcp: TcpPool | None = None
    http: HttpPool | None = None


def check_connection_pool(pool: ConnectionPool, at: Path) -> Iterator[Finding]:
    if pool.tcp is None and pool.http is None:
        yield Finding(at, "required", "an empty pool says nothing; add tcp or http")
    if pool.tcp is not None:
        yield from _check_tcp(pool.tcp, (*at, "tcp"))
    if pool.http is not None:
        yield from _check_http(pool.http, (*at, "http"))


def _check_tcp(pool: TcpPool, at: Path) -> Iterator[Finding]:
    if pool.tcp_keepalive is not None:
        yield from check_keepalive(pool.tcp_keepalive, (*at, "tcpKeepalive"))


def check_keepalive(keepalive: TcpKeepalive, at: Path) -> Iterator[Finding]:
    if keepalive.probes > MOST_PROBES:
        message = f"a socket sends at most {MOST_PROBES} probes; write fewer"
        yield Finding((*at, "probes"), "out-of-range", message)
    for name, value in {"time": keepalive.time, "interval": keepalive.interval}.items():
        if value is not None and value > LONGEST_KEEPALIVE_S * 1000:
            message = f"a socket waits at most {LONGEST_KEEPALIVE_S} seconds; shorten it"
            yield Finding((*at, name), "out-of-range", message)
        elif value is not None and value % 1000:
            message = "sockets count in whole seconds; the rest is cut off"
            yield warning((*at, name), "no-effect", message)


def _check_http(pool: HttpPool, at: Path) -> Iterator[Finding]:
    if pool.use_client_protocol and pool.h2_upgrade_policy == "UPGRADE":
        message = "useClientProtocol keeps what the client speaks, so nothing is upgraded; keep one"
        yield Finding(at, "conflict", message)
