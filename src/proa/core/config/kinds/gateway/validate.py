"""Whether a Gateway makes sense: Istio's rules for the fields of its schema. Called through the kinds table."""

from collections.abc import Iterator

from proa.core.config.hostnames import gateway_host_fault, is_ip, sni_fault
from proa.core.config.kinds.gateway.schema import Gateway, Server, ServerPort
from proa.core.config.kinds.gateway.tls import check_tls
from proa.core.config.labels import check_selector
from proa.core.config.meta import Meta
from proa.core.config.path import Path
from proa.core.config.problem import Finding, warning
from proa.core.config.protocols import is_known
from proa.core.config.tree import shorten

SPEC: Path = ("spec",)
SERVED = ("HTTP", "HTTP2", "GRPC", "GRPC-WEB", "HTTPS", "TLS", "TCP", "MONGO")


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
        if (fault := gateway_host_fault(host)) or (
            server.is_tls and (fault := sni_fault(host.rpartition("/")[2]))
        ):
            yield Finding((*at, "hosts", index), "bad-value", fault)
        elif server.is_tls and is_ip(host.rpartition("/")[2]):
            message = f"TLS clients do not name addresses: nobody comes by {host}; write a name, or *"
            yield warning((*at, "hosts", index), "no-effect", message)
    if server.bind and not is_ip(server.bind):
        message = f'"{shorten(server.bind)}" is no IP address; Unix sockets are not supported yet'
        yield Finding((*at, "bind"), "bad-value", message)
    if server.default_endpoint:
        message = "defaultEndpoint has no effect, as in Istio; remove it"
        yield warning((*at, "defaultEndpoint"), "no-effect", message)
    if is_known(server.port.protocol):
        yield from check_tls(server, at)


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
        message = f"a gateway serves no {port.protocol}; write one of {served}, TCP for a stream of bytes"
        yield Finding((*at, "protocol"), "bad-value", message)
    if port.target_port:
        yield warning((*at, "targetPort"), "no-effect", "targetPort has no effect on a gateway; remove it")


def _check_numbers(servers: tuple[Server, ...]) -> Iterator[Finding]:
    """Servers may share a port; then the same host twice leaves the second without requests."""
    seen: dict[tuple[str, int, str], int] = {}
    for index, server in enumerate(servers):
        for position, host in enumerate(server.hosts):
            first = seen.setdefault((server.bind, server.port.number, host), index)
            if first != index:
                message = f'server {first} takes "{host}" on port {server.port.number} already'
                yield warning(
                    ("spec", "servers", index, "hosts", position), "no-effect", f"{message}; remove one"
                )
