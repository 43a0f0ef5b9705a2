"""What a Gateway says, as users write it. Read by its validator and by Pilot's translation."""

from types import MappingProxyType

from immutables import Map

from proa.core.config.record import Count32, Port, Record
from proa.core.config.server_tls import ServerTls


class ServerPort(Record, frozen=True, kw_only=True):
    """`protocol` keeps the user's spelling; compare it in upper case. `target_port` has no effect, as in Istio."""

    IDLE = MappingProxyType({"targetPort": "it has no effect on a gateway, in Istio either"})

    number: Port
    name: str
    protocol: str
    target_port: Count32 = 0


class Server(Record, frozen=True, kw_only=True):
    """`hosts` are `[namespace/]name`, the namespace `*`, `.` or a name. `bind` is an IP address of the gateway's
    host, empty for the one the gateway has. `default_endpoint` has no effect, as in Istio."""

    IDLE = MappingProxyType({"defaultEndpoint": "it was never in force, in Istio either"})

    port: ServerPort
    hosts: tuple[str, ...]
    name: str = ""
    bind: str = ""
    default_endpoint: str = ""
    tls: ServerTls | None = None

    @property
    def is_tls(self) -> bool:
        """True when connections begin with a TLS handshake, whoever ends it."""
        return self.port.protocol.upper() in ("HTTPS", "TLS")

    @property
    def is_http(self) -> bool:
        """True when the gateway itself reads requests."""
        protocol = self.port.protocol.upper()
        if protocol == "HTTPS":
            return self.tls is not None and self.tls.mode not in ("PASSTHROUGH", "AUTO_PASSTHROUGH")
        return protocol in ("HTTP", "HTTP2", "GRPC", "GRPC-WEB")


class Gateway(Record, frozen=True, kw_only=True):
    """`selector`: labels of the gateway proxies that serve it, in any namespace; empty means all of them."""

    selector: Map[str, str] = Map()
    servers: tuple[Server, ...]
