"""Whether a Sidecar makes sense: Istio's rules for the fields of its schema. Called through the kinds table."""

from collections.abc import Iterator
from ipaddress import ip_address

from proa.core.config.app_endpoint import parse_app_endpoint
from proa.core.config.connection_pool import ConnectionPool, check_connection_pool
from proa.core.config.hostnames import is_ip, name_fault, sidecar_host_fault
from proa.core.config.kinds.sidecar.schema import (
    LOOPBACK,
    EgressListener,
    Ingress,
    OutboundTrafficPolicy,
    Sidecar,
    SidecarPort,
)
from proa.core.config.labels import check_selector
from proa.core.config.meta import Meta
from proa.core.config.path import Path
from proa.core.config.problem import Finding, warning
from proa.core.config.protocols import KNOWN_PROTOCOLS, is_known, is_tls
from proa.core.config.server_tls import ServerTls, check_server_tls
from proa.core.config.tree import shorten

SPEC: Path = ("spec",)
NOTHING_CAPTURED = "nothing is captured, requests come by a program's proxy variables"
ENDING_MODES = ("SIMPLE", "MUTUAL", "OPTIONAL_MUTUAL")


def validate(spec: Sidecar, meta: Meta) -> Iterator[Finding]:
    labels = spec.workload_selector.labels if spec.workload_selector else {}
    yield from check_selector(labels, (*SPEC, "workloadSelector", "labels"))
    settings = (spec.inbound_connection_pool, spec.outbound_traffic_policy)
    if not spec.egress and not spec.ingress and settings == (None, None):
        yield Finding(SPEC, "required", "a Sidecar must say something; add egress, ingress or a policy")
    yield from _check_ingresses(spec.ingress)
    if spec.inbound_connection_pool is not None:
        yield from _check_pool(spec.inbound_connection_pool, (*SPEC, "inboundConnectionPool"))
    if spec.outbound_traffic_policy is not None:
        yield from _check_policy(spec.outbound_traffic_policy, (*SPEC, "outboundTrafficPolicy"))
    at = (*SPEC, "egress")
    taken: set[tuple[str, int]] = set()
    for index, listener in enumerate(spec.egress):
        if listener.port is not None:
            yield from _check_own(listener, listener.port, taken, (*at, index))
        else:
            yield from _check_portless(listener, (*at, index), is_last=index + 1 == len(spec.egress))
        yield from _check_hosts(listener, meta.namespace, (*at, index, "hosts"))


def _check_ingresses(listeners: tuple[Ingress, ...]) -> Iterator[Finding]:
    taken: set[int] = set()
    for index, listener in enumerate(listeners):
        at = (*SPEC, "ingress", index)
        port = listener.port
        if port.number in taken:
            message = f"the port {port.number} is there already; remove one"
            yield Finding((*at, "port", "number"), "duplicate", message)
        taken.add(port.number)
        if port.protocol and not is_known(port.protocol):
            message = f'"{shorten(port.protocol)}" is no protocol; write one of {", ".join(KNOWN_PROTOCOLS)}'
            yield Finding((*at, "port", "protocol"), "bad-value", message)
        if listener.default_endpoint and parse_app_endpoint(listener.default_endpoint) is None:
            message = (
                f'"{shorten(listener.default_endpoint)}" is no place of the workload; write 127.0.0.1:port, '
                "[::1]:port, 0.0.0.0:port or unix:///path"
            )
            yield Finding((*at, "defaultEndpoint"), "bad-value", message)
        if listener.capture_mode == "IPTABLES":
            message = "nothing is captured: callers dial the sidecar's own port, as with NONE; remove it"
            yield warning((*at, "captureMode"), "no-effect", message)
        if listener.tls is not None:
            yield from _check_tls(listener.tls, port, (*at, "tls"))
        if listener.connection_pool is not None:
            yield from _check_pool(listener.connection_pool, (*at, "connectionPool"))


def _check_tls(tls: ServerTls, port: SidecarPort, at: Path) -> Iterator[Finding]:
    """Istio's rules, but for secrets by name and names of clients, which our proxies can have."""
    if tls.mode not in ENDING_MODES:
        message = f"{tls.mode} is not for a sidecar's listener; write {', '.join(ENDING_MODES)}"
        yield Finding((*at, "mode"), "bad-value", message)
        return
    if not is_tls(port.protocol):
        message = f'TLS is ended on ports of HTTPS or TLS, and this one is "{shorten(port.protocol)}"'
        yield Finding(at, "conflict", f"{message}; change the port's protocol")
    if tls.https_redirect:
        message = "a port that takes TLS has nobody to redirect; remove it"
        yield Finding((*at, "httpsRedirect"), "conflict", message)
    yield from check_server_tls(tls, at)


def _check_portless(listener: EgressListener, at: Path, *, is_last: bool) -> Iterator[Finding]:
    if not is_last:
        message = "only the last listener may be without a port; add one, or write all hosts in one list"
        yield Finding(at, "conflict", message)
    if listener.bind:
        yield Finding((*at, "bind"), "conflict", "an address needs a port to listen at; add port")
    if listener.capture_mode == "NONE":
        message = "without a port there is no listener for a program to dial; add port, or remove it"
        yield Finding((*at, "captureMode"), "conflict", message)
    elif listener.capture_mode == "IPTABLES":
        yield warning((*at, "captureMode"), "no-effect", f"{NOTHING_CAPTURED}; remove it")


def _check_own(
    listener: EgressListener, port: SidecarPort, taken: set[tuple[str, int]], at: Path
) -> Iterator[Finding]:
    bind, protocol = listener.bind, port.protocol.upper()
    if not protocol:
        yield Finding((*at, "port", "protocol"), "required", "a listener needs a protocol; add it")
    elif not is_known(protocol) or protocol == "HTTP_PROXY":
        message = f'"{shorten(port.protocol)}" is no protocol of a listener; write one of {", ".join(KNOWN_PROTOCOLS)}'
        yield Finding((*at, "port", "protocol"), "bad-value", message)
    elif protocol == "UDP":
        yield Finding((*at, "port", "protocol"), "bad-value", "a sidecar carries no UDP; write TCP")
    if listener.captures and ("captured", port.number) in taken:
        message = f"another listener takes port {port.number}; with captureMode NONE and a bind of its own both can be"
        yield Finding((*at, "port", "number"), "duplicate", message)
    elif listener.has_own and (bind or LOOPBACK, port.number) in taken:
        message = f"another listener is at {bind or LOOPBACK}:{port.number}; give this one another bind"
        yield Finding((*at, "port", "number"), "duplicate", message)
    taken |= {("captured", port.number)} if listener.captures else set()
    taken |= {(bind or LOOPBACK, port.number)} if listener.has_own else set()
    if bind.startswith("unix://"):
        message = "no files are made on a workload's host for a Sidecar; write an IP address, like 127.0.0.1"
        yield Finding((*at, "bind"), "bad-value", message)
    elif bind and not is_ip(bind):
        message = f'"{shorten(bind)}" is no IP address; write one, like 127.0.0.1'
        yield Finding((*at, "bind"), "bad-value", message)
    elif bind and not listener.has_own:
        message = "with IPTABLES nothing listens for a program; remove bind, or write captureMode: NONE"
        yield warning((*at, "bind"), "no-effect", message)
    elif bind and not ip_address(bind).is_loopback:
        message = f"whoever reaches {bind}:{port.number} calls as these workloads; write 127.0.0.1 unless that is meant"
        yield warning((*at, "bind"), "identity-shared", message)
    if listener.capture_mode == "IPTABLES":
        message = (
            f"{NOTHING_CAPTURED}: they alone keep to these hosts; DEFAULT has a listener to dial as well"
        )
        yield warning((*at, "captureMode"), "no-effect", message)


def _check_policy(policy: OutboundTrafficPolicy, at: Path) -> Iterator[Finding]:
    proxy = policy.egress_proxy
    if proxy is None:
        return
    if policy.mode != "ALLOW_ANY":
        message = "only with ALLOW_ANY is there traffic for an egress proxy; write mode: ALLOW_ANY"
        yield Finding((*at, "egressProxy"), "conflict", message)
    if fault := name_fault(proxy.host):
        yield Finding((*at, "egressProxy", "host"), "bad-value", fault)
    if proxy.port is None:
        yield Finding((*at, "egressProxy", "port"), "required", "an egress proxy needs a port; add it")


def _check_pool(pool: ConnectionPool, at: Path) -> Iterator[Finding]:
    yield from check_connection_pool(pool, at)
    if pool.http is not None and pool.http.h2_upgrade_policy != "DEFAULT":
        message = "a program is spoken to as its port declares; remove it"
        yield warning((*at, "http", "h2UpgradePolicy"), "no-effect", message)


def _check_hosts(listener: EgressListener, namespace: str, at: Path) -> Iterator[Finding]:
    if not listener.hosts:
        yield Finding(at, "required", "at least one host is required; write ~/* for none")
    seen: set[str] = set()
    for index, host in enumerate(listener.hosts):
        if fault := sidecar_host_fault(host):
            yield Finding((*at, index), "bad-value", fault)
            continue
        owner, _, name = host.partition("/")
        meant = f"{namespace if owner == '.' else owner}/{name.lower()}"
        if meant in seen:
            yield warning((*at, index), "no-effect", f'"{host}" is listed already; remove one')
        seen.add(meant)
    if seen and all(host.startswith("~") and not host.startswith("~/") for host in seen):
        message = "nothing is imported that could be taken out; add */* to import all the rest"
        yield warning(at, "no-effect", message)
