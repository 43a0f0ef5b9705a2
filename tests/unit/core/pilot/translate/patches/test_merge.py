"""MERGE, field by field."""

from envoy.config.cluster.v3.cluster_pb2 import Cluster
from envoy.config.core.v3.base_pb2 import TransportSocket
from envoy.extensions.filters.http.fault.v3.fault_pb2 import HTTPFault
from envoy.extensions.filters.http.router.v3.router_pb2 import Router
from envoy.extensions.transport_sockets.tls.v3.tls_pb2 import UpstreamTlsContext
from google.protobuf import json_format

from proa.core.config import Json
from proa.core.pilot.translate.encode import pack
from proa.core.pilot.translate.patches.merge import merge, merge_any


def cluster(**fields: Json) -> Cluster:
    return json_format.ParseDict(fields, Cluster())


def merged(before: Cluster, patch: Cluster, *, replace_lists: bool = False) -> Cluster:
    kept = patch.SerializeToString(deterministic=True)
    merge(before, patch, replace_lists=replace_lists)
    assert patch.SerializeToString(deterministic=True) == kept
    return before


def test_what_is_set_replaces_and_what_is_not_stays() -> None:
    found = merged(cluster(name="a", lb_policy="RANDOM"), cluster(lb_policy="MAGLEV"))
    assert found == cluster(name="a", lb_policy="MAGLEV")


def test_a_duration_is_one_value() -> None:
    found = merged(cluster(connect_timeout="10s"), cluster(connect_timeout="0.5s"))
    assert found == cluster(connect_timeout="0.5s")


def test_a_wrapped_zero_is_a_value() -> None:
    found = merged(cluster(per_connection_buffer_limit_bytes=5), cluster(per_connection_buffer_limit_bytes=0))
    assert found.HasField("per_connection_buffer_limit_bytes")
    assert found.per_connection_buffer_limit_bytes.value == 0


def test_messages_are_merged_by_their_fields() -> None:
    before = cluster(upstream_connection_options={"tcp_keepalive": {"keepalive_time": 5}})
    found = merged(before, cluster(upstream_connection_options={"tcp_keepalive": {"keepalive_probes": 3}}))
    keepalive = found.upstream_connection_options.tcp_keepalive
    assert (keepalive.keepalive_time.value, keepalive.keepalive_probes.value) == (5, 3)


def test_an_empty_message_is_set() -> None:
    found = merged(cluster(), cluster(upstream_connection_options={}))
    assert found.HasField("upstream_connection_options")


def test_lists_grow_or_are_replaced() -> None:
    before = cluster(circuit_breakers={"thresholds": [{"max_requests": 1}]})
    patch = cluster(circuit_breakers={"thresholds": [{"max_requests": 2}]})
    once = merged(Cluster.FromString(before.SerializeToString()), patch)
    assert [each.max_requests.value for each in once.circuit_breakers.thresholds] == [1, 2]
    instead = merged(before, patch, replace_lists=True)
    assert [each.max_requests.value for each in instead.circuit_breakers.thresholds] == [2]


def test_maps_are_merged_by_their_keys() -> None:
    before = cluster(metadata={"filter_metadata": {"a": {"x": 1}, "b": {"x": 1}}})
    found = merged(before, cluster(metadata={"filter_metadata": {"b": {"y": 2}, "c": {}}}))
    assert found == cluster(metadata={"filter_metadata": {"a": {"x": 1}, "b": {"y": 2}, "c": {}}})


def test_a_map_of_plain_values() -> None:
    before = TransportSocket()
    merge(before, TransportSocket(name="a"))
    assert before.name == "a"


def test_an_any_of_the_same_type_is_merged_and_another_replaces() -> None:
    before = pack(Router(suppress_envoy_headers=True))
    found = merge_any(before, pack(Router(respect_expected_rq_timeout=True)))
    assert found == pack(Router(suppress_envoy_headers=True, respect_expected_rq_timeout=True))
    assert merge_any(before, pack(HTTPFault(upstream_cluster="x"))) == pack(HTTPFault(upstream_cluster="x"))


def test_a_transport_socket_of_another_name_is_another() -> None:
    tls = TransportSocket(name="tls", typed_config=pack(UpstreamTlsContext(sni="a")))
    more = TransportSocket(name="tls", typed_config=pack(UpstreamTlsContext(allow_renegotiation=True)))
    both = merged(Cluster(transport_socket=tls), Cluster(transport_socket=more)).transport_socket
    assert both.typed_config == pack(UpstreamTlsContext(sni="a", allow_renegotiation=True))
    raw = TransportSocket(name="raw")
    assert merged(Cluster(transport_socket=tls), Cluster(transport_socket=raw)).transport_socket == raw


def test_the_other_member_of_a_oneof_takes_its_place() -> None:
    found = merged(cluster(type="EDS"), cluster(cluster_type={"name": "a"}))
    assert found.WhichOneof("cluster_discovery_type") == "cluster_type"
