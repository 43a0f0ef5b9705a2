"""Which server of which Gateway gets which connections of a gateway proxy.

Gateways are written by many hands and meet on one port of one proxy. Envoy refuses a listener in which two filter
chains could take one connection, so who is served is settled here, in the order of the Gateways' names and of the
servers in them, and who is not is told by a Note: the port's first server says what the port speaks, and a name that
a TLS client asks for belongs to the first server that lists it. Servers that are alike share what they list.
"""

from collections.abc import Iterable
from ipaddress import ip_address

import msgspec

from proa.core.config.hostnames import is_ip
from proa.core.config.kinds.gateway.schema import Server
from proa.core.model.names import ObjectRef
from proa.core.model.notes import Note
from proa.core.pilot.scope.views import GatewayServer, GatewayView


class Share(msgspec.Struct, frozen=True, kw_only=True):
    """The servers that take the same connections, their hosts narrowed to those that are theirs; the first one's
    settings hold. `hosts` are the names (of TLS: the SNIs, `*` for the rest) they have together."""

    name: str
    servers: tuple[GatewayServer, ...]
    hosts: tuple[str, ...]

    @property
    def server(self) -> Server:
        return self.servers[0].server

    @property
    def objects(self) -> tuple[ObjectRef, ...]:
        return tuple(sorted({each.ref for each in self.servers}))

    @property
    def is_grpc_web(self) -> bool:
        """Whether browsers' gRPC is to be understood."""
        return any(each.server.port.protocol.upper() == "GRPC-WEB" for each in self.servers)

    @property
    def is_automatic(self) -> bool:
        """Whether mesh TLS passes by what its SNI says, without any rule."""
        return self.server.tls is not None and self.server.tls.mode == "AUTO_PASSTHROUGH"

    @property
    def is_unopened(self) -> bool:
        """Whether TLS passes as it is."""
        tls = self.server.tls
        return self.server.is_tls and (tls is None or tls.mode in ("PASSTHROUGH", "AUTO_PASSTHROUGH"))


class PortPlan(msgspec.Struct, frozen=True, kw_only=True):
    """One listener. `shares` are of one family: plain HTTP and plain streams have one share, TLS may have many."""

    bind: str
    port: int
    shares: tuple[Share, ...]

    @property
    def routes_name(self) -> str:
        """Of plain HTTP, as in Istio."""
        return f"http.{self.port}.{self.bind}" if self.bind else f"http.{self.port}"

    def routes_of(self, share: Share) -> str:
        """The route configuration of a share that reads requests."""
        if not share.server.is_tls:
            return self.routes_name
        first = share.servers[0]
        name = f"https.{self.port}.{first.server.port.name}.{first.ref.name}.{first.ref.namespace}"
        return f"{name}.{self.bind}" if self.bind else name


class GatewayPlan(msgspec.Struct, frozen=True, kw_only=True):
    ports: tuple[PortPlan, ...]
    notes: tuple[Note, ...] = ()


def plan_gateway(view: GatewayView) -> GatewayPlan:
    by_place: dict[tuple[int, str], list[GatewayServer]] = {}
    for each in view.servers:
        bind = _place(each.server.bind, view.workload.bind)
        by_place.setdefault((each.server.port.number, bind), []).append(each)
    notes: list[Note] = []
    ports = tuple(
        PortPlan(bind=bind, port=port, shares=tuple(_shares(servers, notes)))
        for (port, bind), servers in sorted(by_place.items())
    )
    return GatewayPlan(ports=ports, notes=tuple(notes))


def _place(bind: str, own: str) -> str:
    """In one spelling, and empty for the gateway's own address: Envoy refuses two listeners at one place."""
    address = ip_address(bind).compressed if bind else ""
    return "" if address == own else address


def _family(server: Server) -> str:
    if server.is_tls:
        return "TLS"
    return "HTTP" if server.is_http else "TCP"


def _shares(servers: list[GatewayServer], notes: list[Note]) -> Iterable[Share]:
    first = servers[0]
    family = _family(first.server)
    fitting: list[GatewayServer] = []
    for each in servers:
        if _family(each.server) == family:
            fitting.append(each)
        else:
            message = (
                f"port {each.server.port.number} speaks {family} already, by {first.ref};"
                f" its {_family(each.server)} server is not served"
            )
            notes.append(Note(code="gateway-port-conflict", about=each.ref, message=message))
    if family == "TLS":
        return _tls_shares(fitting, notes)
    hosts = tuple(dict.fromkeys(dns_name(host) for each in fitting for host in each.server.hosts))
    return (Share(name=_name_of(first), servers=tuple(fitting), hosts=hosts),)


def _tls_shares(servers: list[GatewayServer], notes: list[Note]) -> Iterable[Share]:
    owners: dict[str, GatewayServer] = {}
    members: dict[int, dict[int, list[str]]] = {}
    numbers = {id(each): number for number, each in enumerate(servers)}
    for each in servers:
        for host in each.server.hosts:
            name = dns_name(host)
            if is_ip(name):
                continue
            owner = owners.setdefault(name, each)
            if owner is each or _is_alike(owner.server, each.server):
                of_owner = members.setdefault(numbers[id(owner)], {})
                of_owner.setdefault(numbers[id(each)], []).append(host)
            else:
                message = f"{name} on port {each.server.port.number} is served by {owner.ref} with other TLS settings"
                notes.append(Note(code="gateway-host-conflict", about=each.ref, message=message))
    for owner_number, shared in sorted(members.items()):
        parts = tuple(_narrowed(servers[number], hosts) for number, hosts in sorted(shared.items()))
        names = tuple(dict.fromkeys(dns_name(host) for part in parts for host in part.server.hosts))
        yield Share(name=_name_of(servers[owner_number]), servers=parts, hosts=names)


def _is_alike(one: Server, other: Server) -> bool:
    """Whether a connection for one of them may as well be taken by the other."""
    return one.tls == other.tls and one.is_http == other.is_http


def _narrowed(each: GatewayServer, hosts: list[str]) -> GatewayServer:
    server = msgspec.structs.replace(each.server, hosts=tuple(hosts))
    return msgspec.structs.replace(each, server=server)


def _name_of(each: GatewayServer) -> str:
    """Unique in a listener: no Gateway has two servers or ports of one name."""
    return f"{each.ref.namespace}/{each.ref.name}/{each.server.name or each.server.port.name}"


def dns_name(server_host: str) -> str:
    """A server's host without the namespace it may begin with."""
    return server_host.rpartition("/")[2].lower()


def owner_admits(owner: str, rule_namespace: str, gateway_namespace: str) -> bool:
    """Whether the namespace before a server's host lets a rule in."""
    return owner == "*" or owner == rule_namespace or (owner == "." and rule_namespace == gateway_namespace)


def covers(wide: str, narrow: str) -> bool:
    """Whether all names that the narrow one means are among those of the wide one."""
    return wide in ("*", narrow) or (
        wide.startswith("*") and narrow.endswith(wide[1:]) and narrow != wide[1:]
    )
