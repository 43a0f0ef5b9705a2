import pytest
from envoy.config.listener.v3.listener_pb2 import Listener
from envoy.extensions.filters.network.tcp_proxy.v3.tcp_proxy_pb2 import TcpProxy

from proa.core.pilot.resource import ResourceType
from proa.core.pilot.scope.scope import Scope
from proa.core.pilot.scope.views import host_view
from proa.core.pilot.simulate.resources import decode
from proa.core.pilot.translate.outbound_streams import upstream_stream
from proa.core.pilot.translate.outer_tunnels import is_tunnel
from proa.testing.builders import Mesh, registration, simple

CLUSTER = "outbound|3128|{}|proxy.default.svc.cluster.local"
POLICY = """
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: {name: proxy}
spec:
  host: proxy
  subsets:
  - name: out
    trafficPolicy: {tunnel: {targetHost: %s, targetPort: 443, protocol: %s}}
"""
RULES = """
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: lines}
spec:
  hosts: [lines]
  tcp:
  - route:
    - {destination: {host: proxy, subset: out}, weight: 1}
    - {destination: {host: lines}, weight: 1}
"""


def mesh(host: str = "far.example", protocol: str = "CONNECT") -> Mesh:
    made = Mesh(
        simple("proxy", number=3128, protocol="TCP"),
        simple("lines", number=9000, protocol="TCP", address="10.0.0.2"),
    )
    made.apply(POLICY % (host, protocol))
    return made


@pytest.mark.parametrize(
    ("host", "protocol", "target", "by_post"),
    [
        ("far.example", "CONNECT", "far.example:443", False),
        ("192.0.2.1", "post", "192.0.2.1:443", True),
        ("'2001:db8::1'", "''", "[2001:db8::1]:443", False),
    ],
)
def test_where_a_tunnel_leads(host: str, protocol: str, target: str, by_post: bool) -> None:
    source = mesh(host, protocol).source("client")
    name = f"tunnel_{CLUSTER.format('out')}"
    assert source.lookup(ResourceType.CLUSTER, name) is not None
    resource = source.lookup(ResourceType.LISTENER, name)
    assert resource is not None
    (chain,) = decode(resource, Listener).filter_chains
    proxy = TcpProxy()
    chain.filters[-1].typed_config.Unpack(proxy)
    assert proxy.cluster == CLUSTER.format("out")
    assert (proxy.tunneling_config.hostname, proxy.tunneling_config.use_post) == (target, by_post)


def test_clusters_without_a_tunnel_have_none() -> None:
    source = mesh().source("client")
    tunnels = [name for name in source.names(ResourceType.CLUSTER) if is_tunnel(name)]
    assert tunnels == [f"tunnel_{CLUSTER.format('out')}"]


def test_one_share_of_several_takes_the_tunnel() -> None:
    there = mesh()
    there.apply(RULES)
    host = "lines.default.svc.cluster.local"
    view = host_view(there.world.snapshot, there.world.index, Scope("default"), host)
    stream, _ = upstream_stream(view, host, 9000)
    assert [target.cluster for target in stream.targets] == [
        f"tunnel_{CLUSTER.format('out')}",
        f"outbound|9000||{host}",
    ]


def test_gateways_have_the_tunnels_listeners() -> None:
    there = mesh()
    there.place(registration("edge", kind="gateway"))
    assert list(there.source("edge").names(ResourceType.LISTENER)) == [f"tunnel_{CLUSTER.format('out')}"]
