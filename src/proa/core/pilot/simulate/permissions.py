"""What the rules of an RBAC filter say, as far as they ask for a request's path or for the address that is called."""

from ipaddress import ip_address, ip_network

import msgspec
from envoy.config.rbac.v3.rbac_pb2 import RBAC as Rules
from envoy.config.rbac.v3.rbac_pb2 import Permission, Policy
from envoy.extensions.rbac.matchers.upstream_ip_port.v3.upstream_ip_port_matcher_pb2 import (
    UpstreamIpPortMatcher,
)

from proa.core.pilot.simulate.matching import matches_text
from proa.core.pilot.simulate.resources import unpack


class Called(msgspec.Struct, frozen=True, kw_only=True):
    """What a permission is asked about: a path without its query, or an address."""

    path: str = ""
    address: str = ""
    port: int = 0


def asks_for(kinds: tuple[str, ...], policy: Policy) -> bool:
    """Whether it asks for nothing but these kinds of rules, of anybody."""
    anybody = all(each.any for each in policy.principals)
    return anybody and all(_is_of(kinds, each) for each in policy.permissions)


def _is_of(kinds: tuple[str, ...], permission: Permission) -> bool:
    match permission.WhichOneof("rule"):
        case "any":
            return True
        case "and_rules":
            return all(_is_of(kinds, each) for each in permission.and_rules.rules)
        case "or_rules":
            return all(_is_of(kinds, each) for each in permission.or_rules.rules)
        case "not_rule":
            return _is_of(kinds, permission.not_rule)
        case "matcher" if not permission.matcher.typed_config.type_url.endswith(
            UpstreamIpPortMatcher.DESCRIPTOR.full_name
        ):
            return False
        case kind:
            return kind in kinds


def is_let_pass(rules: Rules, called: Called) -> bool:
    matched = any(
        _permits(permission, called)
        for policy in rules.policies.values()
        for permission in policy.permissions
    )
    return matched == (rules.action == Rules.ALLOW)


def _permits(permission: Permission, called: Called) -> bool:
    match permission.WhichOneof("rule"):
        case "any":
            return permission.any
        case "and_rules":
            return all(_permits(each, called) for each in permission.and_rules.rules)
        case "or_rules":
            return any(_permits(each, called) for each in permission.or_rules.rules)
        case "not_rule":
            return not _permits(permission.not_rule, called)
        case "url_path":
            return matches_text(permission.url_path.path, called.path)
        case "matcher":
            matcher = unpack(permission.matcher.typed_config, UpstreamIpPortMatcher)
            assert matcher is not None, "asks_for has looked"
            ports = matcher.upstream_port_range
            prefix = matcher.upstream_ip
            network = ip_network(f"{prefix.address_prefix}/{prefix.prefix_len.value}", strict=False)
            in_range = not matcher.HasField("upstream_port_range") or ports.start <= called.port < ports.end
            return ip_address(called.address) in network and in_range
        case _:
            return False
