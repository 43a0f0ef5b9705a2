"""Istio's API as names: kinds, messages, fields and which message a field holds. `support` reads it.

A line of the lists is `Message: field field=Message`, and goes on where it is indented.
"""

from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import Final

import msgspec

from proa.core.config.compat import mesh, networking, policies

NETWORKING: Final = "networking.istio.io"
SECURITY: Final = "security.istio.io"
EXTENSIONS: Final = "extensions.istio.io"
TELEMETRY: Final = "telemetry.istio.io"
MESH: Final = "mesh.istio.io"
GATEWAY_API: Final = "gateway.networking.k8s.io"


class ApiField(msgspec.Struct, frozen=True):
    """`message` is what it holds (or its items, or its values), empty for plain values."""

    name: str
    message: str = ""


def _read(text: str) -> Iterator[tuple[str, tuple[ApiField, ...]]]:
    for line in text.replace("\n    ", " ").strip().splitlines():
        name, _, words = line.partition(":")
        pairs = (word.partition("=") for word in words.split())
        yield name, tuple(ApiField(field, message) for field, _, message in pairs)


MESSAGES: Final[Mapping[str, tuple[ApiField, ...]]] = MappingProxyType(
    {name: fields for module in (networking, policies, mesh) for name, fields in _read(module.MESSAGES)}
)

KINDS: Final[Mapping[tuple[str, str], str]] = MappingProxyType(
    {
        **{
            (group, kind): kind
            for group, kinds in (
                (
                    NETWORKING,
                    "VirtualService DestinationRule Gateway ServiceEntry Sidecar WorkloadEntry WorkloadGroup "
                    "EnvoyFilter ProxyConfig",
                ),
                (SECURITY, "PeerAuthentication RequestAuthentication AuthorizationPolicy"),
                (TELEMETRY, "Telemetry"),
                (EXTENSIONS, "WasmPlugin TrafficExtension"),
            )
            for kind in kinds.split()
        },
        (MESH, "MeshConfig"): "MeshConfig",
        (MESH, "ProxyConfig"): "mesh.ProxyConfig",
        (MESH, "MeshNetworks"): "MeshNetworks",
    }
)
"""Group and kind to the message of the spec."""

GATEWAY_KINDS: Final = (
    "GatewayClass",
    "Gateway",
    "HTTPRoute",
    "GRPCRoute",
    "TLSRoute",
    "TCPRoute",
    "ReferenceGrant",
    "BackendTLSPolicy",
    "ListenerSet",
)
"""Read by Istio too; their fields are not Istio's and are not listed."""


def messages_of(root: str) -> Iterator[str]:
    """The message and all that it holds, each once, in the order they are met."""
    met = {root: None}
    waiting = [root]
    while waiting:
        name = waiting.pop(0)
        yield name
        for field in MESSAGES[name]:
            if field.message and field.message not in met:
                met[field.message] = None
                waiting.append(field.message)
