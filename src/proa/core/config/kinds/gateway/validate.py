"""Whether a Gateway makes sense: Istio's rules for the fields of its schema. Called through the kinds table."""

from collections.abc import Iterator

from proa.core.config.hostnames import gateway_host_fault
from proa.core.config.kinds.gateway.schema import Gateway, Server, ServerPort
from proa.core.config.labels import check_selector
from proa.core.config.meta import Meta
from proa.core.config.path import Path
from proa.core.config.problem import Finding, warning
from proa.core.config.protocols import is_known
from proa.core.config.tree import shorten

SPEC: Path = ("spec",)
SERVED = ("HTTP", "HTTP2", "GRPC")


def validate(spec: Gateway, meta: Meta) -> Iterator[Finding]:
    yield from check_selector(spec.selector, (*SPEC, "selector"))
    if not spec.servers:
        yield Finding((*SPEC, "servers"), "required", "a gateway needs at least one server; add one")
    ports: dict[str, int] = {}
    names: dict[str, int] = {}
    for index, server in enumerate(spec.servers):
        at = (*SPEC, "servers", index)
        yield from _check_server(server, at)
        if server.port.name and (first := ports.setdefault(server.port.name, index)) != index:
            message = f'server {first} has a port named "{shorten(server.port.name)}" too; rename one'
            yield Finding((*at, "port", "name"), "duplicate", message)
        if server.name and (first := names.setdefault(server.name, index)) != index:
            yield Finding((*at, "name"), "duplicate", f"server {first} has this name too; rename one")
    yield from _check_numbers(spec.servers)


def _check_server(server: Server, at: Path) -> Iterator[Finding]:
    yield from _check_port(server.port, (*at, "port"))
    if not server.hosts:
        yield Finding((*at, "hosts"), "required", 'at least one host is required; write "*" for all')
    for index, host in enumerate(server.hosts):
        if fault := gateway_host_fault(host):
            yield Finding((*at, "hosts", index), "bad-value", fault)


def _check_port(port: ServerPort, at: Path) -> Iterator[Finding]:
    if not port.name:
        yield Finding((*at, "name"), "required", "a port's name is empty; write one, like http")
    served = ", ".join(SERVED)
    if not is_known(port.protocol):
        yield Finding(
            (*at, "protocol"),
            "bad-value",
            f'"{shorten(port.protocol)}" is no protocol; write one of {served}',
        )
    elif port.protocol.upper() not in SERVED:
        message = f"{port.protocol} servers are not supported yet; write one of {served}"
        yield Finding((*at, "protocol"), "not-supported-yet", message)
    if port.target_port:
        yield warning((*at, "targetPort"), "no-effect", "targetPort has no effect on a gateway; remove it")


def _check_numbers(servers: tuple[Server, ...]) -> Iterator[Finding]:
    """Servers may share a port; then the same host twice leaves the second without requests."""
    seen: dict[tuple[int, str], int] = {}
    for index, server in enumerate(servers):
        for position, host in enumerate(server.hosts):
            first = seen.setdefault((server.port.number, host), index)
            if first != index:
                message = f'server {first} takes "{host}" on port {server.port.number} already'
                yield warning(
                    ("spec", "servers", index, "hosts", position), "no-effect", f"{message}; remove one"
                )
