"""What a user asks the node agent to place: a program or a gateway, its ports, upstreams and health checks.

The command line makes it of words, `local` carries it, the agent makes it true. This module decides what may be
written, and what is meant when nothing is.
"""

import re
from typing import Final, Literal

import msgspec
from immutables import Map

from proa.core.model.names import DEFAULT_NAMESPACE, WorkloadId

PROTOCOLS: Final = (
    *("HTTP", "HTTP2", "GRPC", "GRPC-WEB", "HTTPS", "TLS"),
    *("TCP", "MONGO", "MYSQL", "REDIS", "AUTO"),
)
"""What a user may name. Pilot takes any other word for TCP; here it is a typing mistake."""

CheckKind = Literal["tcp", "http", "grpc", "exec"]
LocalKind = Literal["sidecar", "gateway", "proxyless"]


class InvalidSpec(ValueError):
    """Words of a user that make no workload; the text says which and why."""


class PortSpec(msgspec.Struct, frozen=True, kw_only=True):
    """Port `service_port` of `service` (a bare name in the workload's namespace) is served by the app on
    127.0.0.1:`app_port`; None lets the agent choose a free one, which the app finds in $PORT."""

    service: str
    service_port: int
    app_port: int | None
    protocol: str = "AUTO"
    name: str = ""


class UpstreamSpec(msgspec.Struct, frozen=True, kw_only=True):
    """A TCP destination the app reaches at a local port; None lets the agent choose the port."""

    host: str
    port: int
    local_port: int | None = None


class HealthCheck(msgspec.Struct, frozen=True, kw_only=True):
    """How the agent asks one port whether it is well. `service_port` None means every port of the workload.

    `path`, `headers` and `is_tls` (nobody's certificate is checked) are of `http`, `command` of `exec` (argv, exit
    code 0 is well), `grpc_service` of `grpc`. `app_port` and `host` are asked in place of the port's own on loopback.
    """

    kind: CheckKind = "tcp"
    service_port: int | None = None
    path: str = "/"
    command: tuple[str, ...] = ()
    grpc_service: str = ""
    interval_ms: int = 2_000
    timeout_ms: int = 1_000
    healthy_threshold: int = 1
    unhealthy_threshold: int = 3
    initial_delay_ms: int = 0
    app_port: int | None = None
    host: str = ""
    is_tls: bool = False
    headers: tuple[tuple[str, str], ...] = ()


class WorkloadSpec(msgspec.Struct, frozen=True, kw_only=True):
    """What a user wants placed. Valid when `spec_problems` is empty.

    `account` empty stands for the first port's service, or the workload's name when it serves nothing.
    `locality` empty is the node's. `waits_for_sidecar`: the app starts when its sidecar has its certificate and all of
    its configuration, else as soon as its ports are known. `serve_low_ports` lets a gateway take ports below 1024 where
    it may; otherwise they are mapped to free ones. `group` is the WorkloadGroup it joins, `service` that of the ports
    which the group brings. `network` empty is the node's, `concurrency` None the node's too (0: a thread per
    processor); `environment` is the proxy's. `workload_api`: the program is served SPIFFE's. `written` is the digest of
    what the user asked for, when operators have added to it.
    """

    name: str
    namespace: str = DEFAULT_NAMESPACE
    account: str = ""
    kind: LocalKind = "sidecar"
    labels: Map[str, str] = Map()
    ports: tuple[PortSpec, ...] = ()
    upstreams: tuple[UpstreamSpec, ...] = ()
    health: tuple[HealthCheck, ...] = ()
    locality: str = ""
    weight: int = 1
    drain_ms: int = 5_000
    proxy_variables: bool = True
    waits_for_sidecar: bool = True
    serve_low_ports: bool = False
    group: str = ""
    service: str = ""
    network: str = ""
    concurrency: int | None = None
    environment: Map[str, str] = Map()
    written: str = ""
    workload_api: bool = False

    @property
    def id(self) -> WorkloadId:
        return WorkloadId(self.namespace, self.name)

    @property
    def chosen_account(self) -> str:
        return self.account or (self.ports[0].service if self.ports else self.name)


def parse_port(text: str, service: str) -> PortSpec:
    """`9080` (the app listens on 9080 too), `9080:8000`, `9080:auto`, each with an optional `/protocol`.

    Raises InvalidSpec.
    """
    numbers, slash, protocol = text.partition("/")
    service_text, colon, app_text = numbers.partition(":")
    service_port = _port(service_text, text)
    if not colon:
        app_port: int | None = service_port
    else:
        app_port = None if app_text == "auto" else _port(app_text, text)
    if slash and protocol.upper() not in PROTOCOLS:
        known = ", ".join(PROTOCOLS).lower()
        raise InvalidSpec(f"port {text}: {protocol!r} is no protocol (one of {known})")
    return PortSpec(
        service=service,
        service_port=service_port,
        app_port=app_port,
        protocol=protocol.upper() if slash else "AUTO",
        name=f"{protocol.lower()}-{service_port}" if slash else f"port-{service_port}",
    )


def parse_upstream(text: str) -> UpstreamSpec:
    """`redis:6379` or `redis:6379@6379`. Raises InvalidSpec."""
    target, at, local = text.partition("@")
    host, colon, port = target.rpartition(":")
    if not colon or not host:
        raise InvalidSpec(f"upstream {text}: write HOST:PORT or HOST:PORT@LOCAL_PORT")
    return UpstreamSpec(host=host, port=_port(port, text), local_port=_port(local, text) if at else None)


def spec_problems(spec: WorkloadSpec) -> tuple[str, ...]:
    """Why the spec cannot be placed, in words for its user; empty when it can. Rights and free ports are not
    looked at here."""
    found: list[str] = []
    for what, name in (
        ("workload", spec.name),
        ("namespace", spec.namespace),
        ("account", spec.chosen_account),
    ):
        if not _NAME.fullmatch(name) or len(name) > 63:
            found.append(f"{what} {name!r} is not a DNS name")
    seen: set[tuple[str, int]] = set()
    for port in spec.ports:
        if not _NAME.fullmatch(port.service) or "." in port.service:
            found.append(f"service {port.service!r} is not a DNS label")
        if (port.service, port.service_port) in seen:
            found.append(f"port {port.service_port} of service {port.service} is given twice")
        seen.add((port.service, port.service_port))
        for number in (port.service_port, port.app_port or 1):
            if not 0 < number < 65536:
                found.append(f"{number} is not a port")
    numbers = {port.service_port for port in spec.ports}
    for check in spec.health:
        if check.service_port is not None and check.service_port not in numbers:
            found.append(f"health check of port {check.service_port}, which the workload does not serve")
        if check.kind == "exec" and not check.command:
            found.append("an exec health check needs a command")
    if spec.weight < 1:
        found.append(f"weight {spec.weight} is below 1")
    if spec.kind != "sidecar" and spec.workload_api:
        found.append(
            "the Workload API is for programs with a sidecar: proxyless ones have their certificate in files"
        )
    if spec.kind == "gateway" and spec.ports:
        found.append("a gateway has no ports of its own: Gateway objects say what it serves")
    if spec.kind == "proxyless" and not spec.waits_for_sidecar:
        found.append("a workload without a sidecar needs its certificate before it starts")
    if spec.kind == "proxyless" and (spec.ports or spec.upstreams):
        found.append(
            "a workload without a sidecar is a client of gRPC services: it has no ports and no upstreams"
        )
    return tuple(found)


_NAME = re.compile(r"[a-z0-9]([a-z0-9-]*[a-z0-9])?(\.[a-z0-9]([a-z0-9-]*[a-z0-9])?)*", re.ASCII)


def _port(text: str, whole: str) -> int:
    if not (text.isascii() and text.isdigit() and 0 < int(text) < 65536):
        raise InvalidSpec(f"{whole}: {text!r} is not a port (1-65535)")
    return int(text)
