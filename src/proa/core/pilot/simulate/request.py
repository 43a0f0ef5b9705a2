"""What is asked of the simulation: a request, and how it comes to the proxy."""

from typing import Final, Literal

import msgspec

Headers = tuple[tuple[str, str], ...]


class Connection(msgspec.Struct, frozen=True, kw_only=True):
    """What the inspectors learn from a connection's first bytes: `protocols` are the offered ALPN in order, or the
    HTTP version found in plaintext; none for a raw stream. `sni` is the name that a TLS client asks for, `address` what
    it dialled (unknown: in no network)."""

    transport: Literal["raw_buffer", "tls"] = "raw_buffer"
    protocols: tuple[str, ...] = ()
    sni: str = ""
    address: str = ""


HTTP1: Final = Connection(protocols=("http/1.1",))
HTTP2: Final = Connection(protocols=("h2c",))
RAW: Final = Connection()
OWN_TLS: Final = Connection(transport="tls", protocols=("h2", "http/1.1"))
MESH_HTTP1: Final = Connection(transport="tls", protocols=("istio-http/1.1", "istio", "http/1.1"))
MESH_HTTP2: Final = Connection(transport="tls", protocols=("istio-h2", "istio", "h2"))
MESH_TCP: Final = Connection(transport="tls", protocols=("istio",))


class Explicit(msgspec.Struct, frozen=True, kw_only=True):
    """An absolute-form request to the proxy that HTTP_PROXY names."""

    listener: str = "virtualOutbound"


class Connect(msgspec.Struct, frozen=True, kw_only=True):
    """A CONNECT to `authority` (host:port), and what then flows in the tunnel."""

    authority: str
    carries: Connection = HTTP1
    listener: str = "virtualOutbound"


class Gateway(msgspec.Struct, frozen=True, kw_only=True):
    """A stranger's request to a gateway's server port, at the address that the server is bound to if it is to one."""

    port: int
    carries: Connection = HTTP1
    bind: str = "0.0.0.0"

    @property
    def listener(self) -> str:
        return f"{self.bind}_{self.port}"


class Inbound(msgspec.Struct, frozen=True, kw_only=True):
    """A connection to the server's sidecar, for one service port."""

    port: int
    carries: Connection = MESH_HTTP1

    @property
    def listener(self) -> str:
        return f"inbound_{self.port}"


class Upstream(msgspec.Struct, frozen=True, kw_only=True):
    """A connection to a local port that was asked for with --upstream."""

    local_port: int

    @property
    def listener(self) -> str:
        return f"127.0.0.1_{self.local_port}"


class Own(msgspec.Struct, frozen=True, kw_only=True):
    """A connection to a listener of the sidecar's own that a Sidecar asks for."""

    address: str
    port: int
    carries: Connection = HTTP1

    @property
    def listener(self) -> str:
        return f"{self.address}_{self.port}"


Via = Explicit | Connect | Gateway | Inbound | Upstream | Own


class Request(msgspec.Struct, frozen=True, kw_only=True):
    """`path` may have a query. `roll` in [0, 1) stands for every random choice on the way: the weighted cluster, and
    whether a fault with a percentage hits (a lower roll hits a smaller percentage), unless that has a `fault_roll` of
    its own. `claims`: what a token says that the chain takes, as JSON;
    the walk fills it in."""

    authority: str
    path: str = "/"
    method: str = "GET"
    scheme: str = "http"
    headers: Headers = ()
    roll: float = 0.0
    fault_roll: float | None = None
    claims: str = ""

    def header(self, name: str) -> str | None:
        """All values joined as Envoy joins them; pseudo headers included."""
        values = self.values(name)
        return ",".join(values) if values else None

    def values(self, name: str) -> tuple[str, ...]:
        """Of each line by that name, in order; pseudo headers included."""
        match name.lower():
            case ":method":
                return (self.method,)
            case ":authority" | "host":
                return (self.authority,)
            case ":path":
                return (self.path,)
            case ":scheme":
                return (self.scheme,)
        return tuple(value for key, value in self.headers if key.lower() == name.lower())
