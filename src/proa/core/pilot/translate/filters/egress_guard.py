"""The egress guard: where a sidecar will not carry its app, whatever name was asked for.

The app could reach loopback by itself; through the sidecar it would arrive there as another local user's client,
with the sidecar's standing. So addresses of this host, link-local ones (cloud metadata) and other sidecars'
inbound ports are refused. Judged on the resolved address, after DNS.

Travels by ECDS, so that open connections obey at once. Closed by default: an address that is not known, or a guard
that did not arrive, refuses.
"""

from typing import Final

import msgspec
from envoy.config.core.v3.address_pb2 import CidrRange
from envoy.config.core.v3.extension_pb2 import TypedExtensionConfig
from envoy.config.rbac.v3.rbac_pb2 import RBAC as Rules
from envoy.config.rbac.v3.rbac_pb2 import Permission, Policy, Principal
from envoy.extensions.filters.http.rbac.v3.rbac_pb2 import RBAC
from envoy.extensions.filters.network.rbac.v3.rbac_pb2 import RBAC as StreamRBAC
from envoy.extensions.rbac.matchers.upstream_ip_port.v3.upstream_ip_port_matcher_pb2 import (
    UpstreamIpPortMatcher,
)
from envoy.type.v3.range_pb2 import Int64Range

from proa.core.pilot.resource import Resource, ResourceType
from proa.core.pilot.translate.encode import build_resource, pack, uint32
from proa.core.pilot.translate.filters.names import EGRESS_GUARD

REFUSED_RANGES: Final = (
    ("0.0.0.0", 8),
    ("127.0.0.0", 8),
    ("169.254.0.0", 16),
    ("::", 96),
    ("::ffff:0.0.0.0", 96),
    ("64:ff9b::", 104),
    ("64:ff9b::7f00:0", 104),
    ("64:ff9b::a9fe:0", 112),
    ("fe80::", 10),
    ("fd00:ec2::254", 128),
)
"""This host, loopback and link-local of RFC 6890. In IPv6 also the other spellings of IPv4 addresses: compatible ones
(`::` and `::1` among them) and mapped ones altogether, since no host on the network has one, and those of the ranges
above as a NAT64 sees them. Last, the one cloud metadata service that is not link-local."""

_EVERYTHING: Final = (("0.0.0.0", 1), ("128.0.0.0", 1), ("::", 1), ("8000::", 1))


class EgressGuardIntent(msgspec.Struct, frozen=True, kw_only=True):
    """`nodes` are the addresses of hosts that run sidecars, `ports` the range these take inbound traffic on."""

    nodes: tuple[str, ...]
    ports: tuple[int, int]


def build_egress_guard(intent: EgressGuardIntent) -> Resource:
    refused = [_address(node, 128 if ":" in node else 32, intent.ports) for node in intent.nodes]
    config = RBAC(rules=_allowed(refused))
    extension = TypedExtensionConfig(name=EGRESS_GUARD, typed_config=pack(config))
    return build_resource(ResourceType.EXTENSION, EGRESS_GUARD, extension)


def build_stream_guard() -> StreamRBAC:
    """For gateways that look up names in SNI. Sidecars are not among the refused: which port is called an operator has
    said."""
    return StreamRBAC(stat_prefix="egress_guard.", rules=_allowed([]))


def _allowed(others: list[Permission]) -> Rules:
    known = Permission(or_rules=Permission.Set(rules=[_address(*each) for each in _EVERYTHING]))
    refused = [*(_address(*each) for each in REFUSED_RANGES), *others]
    allowed = Permission(
        and_rules=Permission.Set(rules=[known, *(Permission(not_rule=each) for each in refused)])
    )
    policy = Policy(permissions=[allowed], principals=[Principal(any=True)])
    return Rules(action=Rules.ALLOW, policies={"egress": policy})


def _address(prefix: str, length: int, ports: tuple[int, int] | None = None) -> Permission:
    matcher = UpstreamIpPortMatcher(upstream_ip=CidrRange(address_prefix=prefix, prefix_len=uint32(length)))
    if ports is not None:
        # Envoy's range is half open.
        matcher.upstream_port_range.CopyFrom(Int64Range(start=ports[0], end=ports[1] + 1))
    return Permission(
        matcher=TypedExtensionConfig(name="envoy.rbac.matchers.upstream_ip_port", typed_config=pack(matcher))
    )
