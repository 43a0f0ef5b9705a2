"""What Envoy writes into its entries is seen in tests/mesh/test_verdicts.py; here, what becomes of them."""

from envoy.data.accesslog.v3.accesslog_pb2 import HTTPAccessLogEntry, TCPAccessLogEntry
from google.protobuf.json_format import ParseDict
from immutables import Map

from proa.core.attributes.value_types import Span, Timestamp, Value, has_type
from proa.core.attributes.vocabulary import ATTRIBUTES, STANDARD
from proa.core.mixer.api_specs import apis_for, compile_apis
from proa.core.mixer.asked import Asked, Party, Place
from proa.core.mixer.reported import (
    CALLED_TAG,
    PEER_TAG,
    Called,
    Ended,
    ReportBag,
    Viewpoint,
    client_facts,
    read_http_entry,
    read_stream_entry,
    server_facts,
    viewpoint_of,
)
from proa.core.mixer.reporting.connections import Carried
from proa.testing.mixer import mixer_config

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
    told = read_http_entry(ParseDict(entry, HTTPAccessLogEntry()))
    return ReportBag(*told, server_facts(PLACE, CALLER))


def stream(carried: Carried | None = None, kind: str = "TcpConnectionEnd", **fields: object) -> ReportBag:
    entry = {
        "common_properties": {**COMMON, "stream_id": "s-1", "access_log_type": kind, **fields},
        "connection_properties": {"received_bytes": 30, "sent_bytes": 40},
    }
    told = read_stream_entry(ParseDict(entry, TCPAccessLogEntry()))
    return ReportBag(*told, server_facts(PLACE, None), carried)


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
    bag = stream(Carried(received=3, sent=4))
    expected = {
        "context.protocol": "tcp",
        "connection.id": "s-1",
        "connection.event": "close",
        "connection.received.bytes": 3,
        "connection.sent.bytes": 4,
        "connection.received.bytes_total": 30,
        "connection.sent.bytes_total": 40,
        "connection.duration": Span(1_500_000_000),
        "source.principal": "cluster.local/ns/shop/sa/web",
        "destination.port": 8080,
        "request.path": None,
        "request.size": None,
        "response.code": None,
        "response.time": None,
    }
    assert {name: bag.get(name) for name in expected} == expected
    for row in ATTRIBUTES:
        value = bag.get(row.name)
        assert value is None or has_type(value, row.type), row.name


def test_a_stream_that_stands_has_no_duration_yet() -> None:
    for kind, event in (("TcpUpstreamConnected", "open"), ("TcpPeriodic", "continue")):
        bag = stream(kind=kind)
        assert (bag.get("connection.event"), bag.get("connection.duration")) == (event, None)


def test_who_never_reached_a_server_was_never_told_of() -> None:
    reached = {"upstream_local_address": {"socket_address": {"address": "10.0.0.1", "port_value": 9}}}

    def ended(**fields: object) -> Ended:
        entry = {"common_properties": {"access_log_type": "TcpConnectionEnd", **fields}}
        return read_stream_entry(ParseDict(entry, TCPAccessLogEntry()))[1]

    assert ended().is_whole
    assert not ended(**reached).is_whole


def test_a_connect_is_a_stream() -> None:
    entry = {
        "common_properties": {"stream_id": "s-2"},
        "request": {"request_method": "CONNECT", "authority": "db:5432", "request_body_bytes": 5},
        "response": {"response_code": 200, "response_body_bytes": 6},
    }
    asked, ended = read_http_entry(ParseDict(entry, HTTPAccessLogEntry()))
    bag = ReportBag(asked, ended, {})
    names = ("context.protocol", "connection.received.bytes", "connection.sent.bytes", "response.code")
    assert [bag.get(name) for name in names] == ["tcp", 5, 6, None]
    assert (ended.is_whole, ended.moment, ended.connection) == (True, "close", "s-2")


CALLED = Called(
    cluster="outbound|9080|v1|reviews.shop.svc.cluster.local",
    address="10.0.0.9",
    port=21000,
    identity="spiffe://cluster.local/ns/shop/sa/reviews",
    workload="reviews-1.shop.workload.cluster.local",
)


def test_where_a_client_sent_it_is_read() -> None:
    for tag, identity, workload in (
        (f"{CALLED.identity} {CALLED.workload}", CALLED.identity, CALLED.workload),
        (f"{CALLED.identity},spiffe://x -", CALLED.identity, ""),
        ("- -", "", ""),
    ):
        entry = HTTPAccessLogEntry()
        common = entry.common_properties
        common.custom_tags[CALLED_TAG] = tag
        common.upstream_cluster = CALLED.cluster
        common.upstream_remote_address.socket_address.address = CALLED.address
        common.upstream_remote_address.socket_address.port_value = CALLED.port
        wanted = Called(
            cluster=CALLED.cluster, address=CALLED.address, port=21000, identity=identity, workload=workload
        )
        assert read_http_entry(entry)[1].called == wanted


def test_a_clients_proxy_tells_both_sides() -> None:
    service: Map[str, Value] = Map({"destination.service.host": "reviews.shop.svc.cluster.local"})
    there: dict[str, Value] = {
        "destination.name": "reviews-1",
        "destination.port": 9080,
        "destination.service.host": "another.shop.svc.cluster.local",
        "context.reporter.kind": "inbound",
    }
    server = Place(attributes=Map(there))
    own = "spiffe://cluster.local/ns/shop/sa/web"
    facts = client_facts(CALLER, own, server, CALLED, service)
    bag = ReportBag(Asked(headers={}), Ended(called=CALLED), facts)
    expected = {
        "context.reporter.kind": "outbound",
        "context.reporter.uid": "kubernetes://web-1.shop",
        "source.uid": "kubernetes://web-1.shop",
        "source.principal": "cluster.local/ns/shop/sa/web",
        "destination.name": "reviews-1",
        "destination.principal": "cluster.local/ns/shop/sa/reviews",
        "destination.service.host": "reviews.shop.svc.cluster.local",
        "destination.port": 9080,
        "destination.ip": bytes((10, 0, 0, 9)),
        "connection.mtls": True,
    }
    assert {name: bag.get(name) for name in expected} == expected


def test_of_a_server_outside_of_the_mesh_its_address_is_known() -> None:
    called = Called(cluster="outbound|443||bank.test", address="192.0.2.1", port=443)
    facts = client_facts(CALLER, "spiffe://cluster.local/ns/shop/sa/web", None, called, Map())
    bag = ReportBag(Asked(headers={}), Ended(called=called), facts)
    expected = {
        "destination.ip": bytes((192, 0, 2, 1)),
        "destination.port": 443,
        "destination.uid": None,
        "destination.principal": None,
        "connection.mtls": False,
    }
    assert {name: bag.get(name) for name in expected} == expected
    party = Party(name="bank", namespace="outside")
    facts = client_facts(CALLER, "spiffe://cluster.local/ns/shop/sa/web", party, called, Map())
    assert facts["destination.uid"] == "kubernetes://bank.outside"


def test_the_caller_is_told_by_a_tag() -> None:
    for tag, workload in (
        ("web-1.shop.workload.cluster.local", "web-1.shop.workload.cluster.local"),
        ("-", ""),
    ):
        entry = HTTPAccessLogEntry()
        entry.common_properties.custom_tags[PEER_TAG] = tag
        assert read_http_entry(entry)[0].workload == workload


def test_refusals_are_told_whoever_knew_of_them() -> None:
    refused = {"grpc": 7, "body": "deny:no", "rule": "shop/deny"}
    allowed = {"closed": {"grpc": 0, "body": ""}}
    for found, is_kept in (
        ({"envoy.filters.http.ext_authz": {"closed": refused}}, False),
        ({"envoy.filters.http.ext_authz": {**allowed, "open": refused}}, False),
        ({"proa.mixer": refused}, True),
    ):
        bag = request(metadata={"filter_metadata": found})
        assert bag.get("check.error_code") == 7
        assert bag.get("check.error_message") == "deny:no"
        assert bag.get("check.cache_hit") is is_kept
    of_somebody_else = request(metadata={"filter_metadata": {"envoy.filters.http.ext_authz": refused}})
    assert of_somebody_else.get("check.error_code") is None
    hit = request(metadata={"filter_metadata": {"proa.mixer": {"hit": True}}})
    assert (hit.get("check.error_code"), hit.get("check.cache_hit")) == (None, True)


def test_a_log_is_known_by_its_name() -> None:
    for viewpoint in (Viewpoint("client"), Viewpoint("tls", 8080), Viewpoint("plain", 65_535)):
        assert viewpoint_of(viewpoint.name) == viewpoint
    for name in (
        "",
        "proa.reports",
        "proa.reports|server|80",
        "proa.reports|tls|x",
        "a|tls|80",
        "proa.reports|tls|999999",
    ):
        assert viewpoint_of(name) is None


def test_what_goes_into_a_listener_of_the_proxys_own_is_told_there() -> None:
    assert Called(cluster="connect_80").is_on_its_way
    assert not Called(cluster="outbound|80||connect_80.test").is_on_its_way


def test_both_ends_tell_what_specs_say_of_the_service() -> None:
    of_all = {"attributes": {"api.service": {"stringValue": "carts"}}}
    of_some = {"attributes": {"api.operation": {"stringValue": "fill"}}}
    spec = {
        "attributes": of_all,
        "patterns": [{"httpMethod": "POST", "uriTemplate": "/cart", "attributes": of_some}],
    }
    bound = {"services": [{"service": "*"}], "apiSpecs": [{"name": "carts"}]}
    configs = (
        mixer_config("HTTPAPISpec", "carts", spec),
        mixer_config("HTTPAPISpecBinding", "carts", bound),
    )
    apis = apis_for(compile_apis(configs, STANDARD), "cart.shop")
    place = Place(attributes=PLACE.attributes.update(apis.constants), apis=apis)
    asked = Asked(headers={":path": "/cart?a=b", ":method": "POST", "x-api-key": "k"})
    own = "spiffe://cluster.local/ns/shop/sa/web"
    for facts in (server_facts(place, CALLER), client_facts(CALLER, own, place, CALLED, Map())):
        bag = ReportBag(asked, Ended(code=200), facts, apis=apis)
        told = [
            bag.get(name) for name in ("api.service", "api.operation", "request.api_key", "response.code")
        ]
        assert told == ["carts", "fill", "k", 200]
