"""The application protocols of ports, by the names Istio gives them. Names are compared without case."""

_HTTP = frozenset(["HTTP", "HTTP2", "GRPC", "GRPC-WEB", "HTTP_PROXY"])
_TLS = frozenset(["HTTPS", "TLS"])
_OTHER = frozenset(["TCP", "UDP", "MONGO", "REDIS", "MYSQL"])
KNOWN_PROTOCOLS = (
    "HTTP",
    "HTTP2",
    "GRPC",
    "GRPC-WEB",
    "HTTPS",
    "TLS",
    "TCP",
    "UDP",
    "MONGO",
    "REDIS",
    "MYSQL",
)


def is_known(protocol: str) -> bool:
    return protocol.upper() in _HTTP | _TLS | _OTHER


def is_http(protocol: str) -> bool:
    """True when requests can be told apart by their authority."""
    return protocol.upper() in _HTTP


def is_tls(protocol: str) -> bool:
    """True when connections can be told apart by their SNI."""
    return protocol.upper() in _TLS
