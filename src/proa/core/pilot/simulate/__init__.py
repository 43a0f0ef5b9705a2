"""One request walked through generated configuration, as Envoy would: which way it takes, and why.

Reads nothing but serialised resources, so it judges what proxies are really sent, whoever made it. It is for
`proa explain` and for tests of meaning; it must not know how configuration is generated.
"""

from proa.core.pilot.simulate.outcome import (
    Answered,
    Candidate,
    Check,
    End,
    FaultTaken,
    Forwarded,
    Mutual,
    Outcome,
    Plain,
    Refused,
    Retries,
    RouteTaken,
    ServerTls,
    Transport,
)
from proa.core.pilot.simulate.request import (
    HTTP1,
    HTTP2,
    MESH_HTTP1,
    MESH_HTTP2,
    MESH_TCP,
    OWN_TLS,
    RAW,
    Connect,
    Connection,
    Explicit,
    Gateway,
    Inbound,
    Own,
    Request,
    Upstream,
    Via,
)
from proa.core.pilot.simulate.resources import BadResource, Lookup
from proa.core.pilot.simulate.walk import Simulation, simulate

__all__ = [
    "HTTP1",
    "HTTP2",
    "MESH_HTTP1",
    "MESH_HTTP2",
    "MESH_TCP",
    "OWN_TLS",
    "RAW",
    "Answered",
    "BadResource",
    "Candidate",
    "Check",
    "Connect",
    "Connection",
    "End",
    "Explicit",
    "FaultTaken",
    "Forwarded",
    "Gateway",
    "Inbound",
    "Lookup",
    "Mutual",
    "Outcome",
    "Own",
    "Plain",
    "Refused",
    "Request",
    "Retries",
    "RouteTaken",
    "ServerTls",
    "Simulation",
    "Transport",
    "Upstream",
    "Via",
    "simulate",
]
