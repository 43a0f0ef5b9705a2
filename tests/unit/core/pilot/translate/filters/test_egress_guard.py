"""Where a sidecar will not carry its app."""

from envoy.config.core.v3.extension_pb2 import TypedExtensionConfig
from envoy.extensions.filters.http.rbac.v3.rbac_pb2 import RBAC
from envoy.extensions.rbac.matchers.upstream_ip_port.v3.upstream_ip_port_matcher_pb2 import (
    UpstreamIpPortMatcher,
)

from proa.core.pilot.resource import ResourceType
from proa.core.pilot.simulate.resources import decode, unpack
from proa.core.pilot.translate.filters.egress_guard import EgressGuardIntent, build_egress_guard


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
    assert {"127.0.0.0", "169.254.0.0", "::1", "fe80::"} <= {prefix for prefix, *_ in refused(())}


def test_other_sidecars_ports_and_no_more_of_their_hosts() -> None:
    assert ("10.0.0.1", 32, 20000, 30000) in refused(("10.0.0.1",))
    assert ("2001:db8::1", 128, 20000, 30000) in refused(("2001:db8::1",))
