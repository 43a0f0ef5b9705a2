"""Where a sidecar will not carry its app."""

from ipaddress import IPv6Address, ip_address, ip_network

from envoy.config.core.v3.extension_pb2 import TypedExtensionConfig
from envoy.extensions.filters.http.rbac.v3.rbac_pb2 import RBAC
from envoy.extensions.rbac.matchers.upstream_ip_port.v3.upstream_ip_port_matcher_pb2 import (
    UpstreamIpPortMatcher,
)

from proa.core.pilot.resource import ResourceType
from proa.core.pilot.simulate.resources import decode, unpack
from proa.core.pilot.translate.filters.egress_guard import EgressGuardIntent, build_egress_guard


def is_refused(address: str) -> bool:
    ranges = [ip_network(f"{prefix}/{length}") for prefix, length, *_ in refused(())]
    return any(ip_address(address) in each for each in ranges)


def refused(nodes: tuple[str, ...]) -> list[tuple[str, int, int, int]]:
    resource = build_egress_guard(EgressGuardIntent(nodes=nodes, ports=(20000, 29999)))
    assert resource.type is ResourceType.EXTENSION
    config = unpack(decode(resource, TypedExtensionConfig).typed_config, RBAC)
    assert config is not None
    (policy,) = config.rules.policies.values()
    known, *rest = policy.permissions[0].and_rules.rules
    assert known.or_rules.rules
    found = []
    for each in rest:
        matcher = unpack(each.not_rule.matcher.typed_config, UpstreamIpPortMatcher)
        assert matcher is not None
        ports = matcher.upstream_port_range
        found.append(
            (matcher.upstream_ip.address_prefix, matcher.upstream_ip.prefix_len.value, ports.start, ports.end)
        )
    return found


def test_this_host_and_its_neighbourhood() -> None:
    """However they are spelled: IPv4 addresses have many spellings in IPv6, and some of them arrive."""
    for here in ("0.0.0.0", "0.1.2.3", "127.0.0.1", "127.255.0.9", "169.254.169.254"):
        assert is_refused(here)
        number = int(ip_address(here))
        for form in (f"::ffff:{here}", f"::{here}", str(IPv6Address((0x64_FF9B << 96) + number))):
            assert is_refused(form), form
    assert all(is_refused(each) for each in ("::", "::1", "fe80::1", "fd00:ec2::254", "::ffff:10.0.0.1"))


def test_the_world_is_not_refused() -> None:
    for each in ("10.0.0.1", "93.184.216.34", "2001:db8::1", "fd00::1", "64:ff9b::5db8:d822"):
        assert not is_refused(each), each


def test_other_sidecars_ports_and_no_more_of_their_hosts() -> None:
    assert ("10.0.0.1", 32, 20000, 30000) in refused(("10.0.0.1",))
    assert ("2001:db8::1", 128, 20000, 30000) in refused(("2001:db8::1",))
