"""What Envoy writes into its entries is seen in tests/mesh/test_verdicts.py; here, what becomes of them."""

from envoy.data.accesslog.v3.accesslog_pb2 import HTTPAccessLogEntry, TCPAccessLogEntry
from google.protobuf.json_format import ParseDict
from immutables import Map

from proa.core.attributes.value_types import Span, Timestamp, has_type
from proa.core.attributes.vocabulary import ATTRIBUTES
from proa.core.mixer.asked import Party, Place
from proa.core.mixer.reported import PEER_TAG, ReportBag, read_http_entry, read_stream_entry

COMMON = {
    "downstream_direct_remote_address": {"socket_address": {"address": "10.0.0.7", "port_value": 1}},
    "start_time": "2026-11-23T00:00:00Z",
    "duration": "1.5s",
    "tls_properties": {
        "tls_sni_hostname": "cart.shop",
        "peer_certificate_properties": {
            "subject_alt_name": [{"uri": "spiffe://cluster.local/ns/shop/sa/web"}]
        },
    },
}
PLACE = Place(attributes=Map({"destination.port": 8080}))
CALLER = Party(name="web-1", namespace="shop")


def request(**fields: object) -> ReportBag:
    entry = {
        "common_properties": {**COMMON, **fields},
        "request": {
            "request_method": "POST",
            "authority": "cart.shop",
            "path": "/as/changed",
            "original_path": "/as/sent",
            "request_id": "7",
            "request_headers_bytes": 100,
            "request_body_bytes": 10,
            "request_headers": {"content-type": "application/grpc"},
        },
        "response": {
            "response_code": 200,
            "response_headers_bytes": 50,
            "response_body_bytes": 5,
            "response_trailers": {"grpc-status": "14"},
        },
    }
    return ReportBag(*read_http_entry(ParseDict(entry, HTTPAccessLogEntry())), PLACE, CALLER)


def test_an_entry_of_a_request_reads_as_attributes() -> None:
    bag = request()
    expected = {
        "request.path": "/as/sent",
        "request.size": 10,
        "request.total_size": 110,
        "response.code": 200,
        "response.size": 5,
        "response.total_size": 55,
        "response.duration": Span(1_500_000_000),
        "response.time": Timestamp(1795392001_500_000_000),
        "response.grpc_status": "14",
        "context.protocol": "grpc",
        "source.uid": "kubernetes://web-1.shop",
        "destination.port": 8080,
        "check.error_code": None,
        "check.cache_hit": False,
        "connection.event": None,
    }
    assert {name: bag.get(name) for name in expected} == expected
    for row in ATTRIBUTES:
        value = bag.get(row.name)
        assert value is None or has_type(value, row.type), row.name


def test_the_entry_of_a_stream_has_nothing_of_a_request() -> None:
    entry = {
        "common_properties": COMMON,
        "connection_properties": {"received_bytes": 3, "sent_bytes": 4},
    }
    bag = ReportBag(*read_stream_entry(ParseDict(entry, TCPAccessLogEntry())), PLACE, None)
    expected = {
        "context.protocol": "tcp",
        "connection.event": "close",
        "connection.received.bytes_total": 3,
        "connection.sent.bytes": 4,
        "connection.duration": Span(1_500_000_000),
        "source.principal": "cluster.local/ns/shop/sa/web",
        "request.path": None,
        "response.code": None,
        "response.time": None,
    }
    assert {name: bag.get(name) for name in expected} == expected


def test_the_caller_is_told_by_a_tag() -> None:
    for tag, workload in (
        ("web-1.shop.workload.cluster.local", "web-1.shop.workload.cluster.local"),
        ("-", ""),
    ):
        entry = HTTPAccessLogEntry()
        entry.common_properties.custom_tags[PEER_TAG] = tag
        assert read_http_entry(entry)[0].workload == workload


def test_refusals_are_told_whoever_knew_of_them() -> None:
    for namespace, is_kept in (("envoy.filters.http.ext_authz", False), ("proa.mixer", True)):
        metadata = {"filter_metadata": {namespace: {"grpc": 7, "body": "deny:no", "rule": "shop/deny"}}}
        bag = request(metadata=metadata)
        assert bag.get("check.error_code") == 7
        assert bag.get("check.error_message") == "deny:no"
        assert bag.get("check.cache_hit") is is_kept
    hit = request(metadata={"filter_metadata": {"proa.mixer": {"hit": True}}})
    assert (hit.get("check.error_code"), hit.get("check.cache_hit")) == (None, True)
