"""Whether limits of connections and the ejection of endpoints make sense. Called by this kind's validator."""

from collections.abc import Iterator

from proa.core.config.kinds.destination_rule.schema import ConnectionPool, HttpPool, OutlierDetection, TcpPool
from proa.core.config.path import Path
from proa.core.config.problem import Finding, warning


def check_connection_pool(pool: ConnectionPool, at: Path) -> Iterator[Finding]:
    if pool.tcp is None and pool.http is None:
        yield Finding(at, "required", "an empty pool says nothing; add tcp or http")
    if pool.tcp is not None:
        yield from _check_tcp(pool.tcp, (*at, "tcp"))
    if pool.http is not None:
        yield from _check_http(pool.http, (*at, "http"))


def _check_tcp(pool: TcpPool, at: Path) -> Iterator[Finding]:
    keepalive = pool.tcp_keepalive
    if keepalive is None:
        return
    for name, value in {"time": keepalive.time, "interval": keepalive.interval}.items():
        if value is not None and value % 1000:
            message = "sockets count in whole seconds; the rest is cut off"
            yield warning((*at, "tcpKeepalive", name), "no-effect", message)


def _check_http(pool: HttpPool, at: Path) -> Iterator[Finding]:
    if pool.use_client_protocol and pool.h2_upgrade_policy == "UPGRADE":
        message = "useClientProtocol keeps what the client speaks, so nothing is upgraded; keep one"
        yield Finding(at, "conflict", message)


def check_outlier_detection(spec: OutlierDetection, at: Path) -> Iterator[Finding]:
    if spec.consecutive_errors:
        message = "consecutiveErrors is the old name; write consecutive5xxErrors or consecutiveGatewayErrors"
        yield warning((*at, "consecutiveErrors"), "deprecated", message)
    if spec.consecutive_local_origin_failures is not None and not spec.split_external_local_origin_errors:
        message = "counts only with splitExternalLocalOriginErrors; set it to true"
        yield Finding((*at, "consecutiveLocalOriginFailures"), "conflict", message)
