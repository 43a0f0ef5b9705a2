"""What holds for the whole mesh."""

from typing import Literal

import msgspec

from proa.core.model.names import DEFAULT_TRUST_DOMAIN, ROOT_NAMESPACE

OutboundPolicy = Literal["ALLOW_ANY", "REGISTRY_ONLY"]

SIDECAR_PORTS = (20000, 29999)
"""Where node agents pick sidecars' inbound ports: below Linux's ephemeral range (32768-60999), so that no
client socket takes one, and known to all so that the egress guard can close it."""


class MeshSettings(msgspec.Struct, frozen=True, kw_only=True):
    trust_domain: str = DEFAULT_TRUST_DOMAIN
    root_namespace: str = ROOT_NAMESPACE
    outbound_policy: OutboundPolicy = "ALLOW_ANY"
    access_log: bool = True
    connect_timeout_ms: int = 10_000
    sidecar_ports: tuple[int, int] = SIDECAR_PORTS
