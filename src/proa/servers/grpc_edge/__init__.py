"""gRPC without generated code: handlers of raw bytes, one small interface between our protocols and the wire.

The xDS and node servers speak through `ByteStream`; that the HTTP/2 frames are our own (`proa.core.grpc_wire`) is known
in this folder alone. Peers are identified by the certificate of their connection, or by the socket they came to, and
by nothing they say.
"""

from proa.servers.grpc_edge.calls import (
    BadRequest,
    ByteStream,
    LocalStream,
    NotNow,
    Peer,
    PeerRefused,
    Service,
    StreamHandler,
    UnaryHandler,
    node_name,
    service,
    unary_method,
)
from proa.servers.grpc_edge.connection import Judge
from proa.servers.grpc_edge.credentials import Credentials, read_peer, why_no_handshake
from proa.servers.grpc_edge.server import serving_grpc

__all__ = [
    "BadRequest",
    "ByteStream",
    "Credentials",
    "Judge",
    "LocalStream",
    "NotNow",
    "Peer",
    "PeerRefused",
    "Service",
    "StreamHandler",
    "UnaryHandler",
    "node_name",
    "read_peer",
    "service",
    "serving_grpc",
    "unary_method",
    "why_no_handshake",
]
