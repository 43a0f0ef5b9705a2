"""Which filters a connection manager has, and what strangers may say of themselves."""

from envoy.config.core.v3.protocol_pb2 import HttpProtocolOptions
from envoy.extensions.filters.network.http_connection_manager.v3.http_connection_manager_pb2 import (
    HttpConnectionManager,
)

from proa.core.model.settings import Handling
from proa.core.pilot.simulate.resources import unpack
from proa.core.pilot.translate.filters import unbelieved
from proa.core.pilot.translate.filters.chain import (
    Direction,
    http_chain,
    inbound_filters,
    outbound_filters,
    tcp_chain,
)


def manager(direction: Direction, *, connect: bool = False) -> HttpConnectionManager:
    filters = {
        Direction.INBOUND: inbound_filters(80, "proa.authz.80"),
        Direction.OUTBOUND: outbound_filters(Handling()),
        Direction.GATEWAY: outbound_filters(Handling()),
    }
    chain = http_chain(direction, "routes", filters[direction], handling=Handling(), connect=connect)
    found = unpack(chain.typed_config, HttpConnectionManager)
    assert found is not None
    return found


def test_the_guard_stands_behind_the_forward_proxy_and_is_off_unless_a_route_says_so() -> None:
    names = [each.name for each in manager(Direction.OUTBOUND).http_filters]
    assert names.index("envoy.filters.http.dynamic_forward_proxy") < names.index("proa.egress_guard")
    assert names[-1] == "envoy.filters.http.router"
    guard = manager(Direction.OUTBOUND).http_filters[names.index("proa.egress_guard")]
    assert guard.disabled
    assert guard.HasField("config_discovery")


def test_client_certificates_that_a_stranger_claims_are_dropped() -> None:
    assert manager(Direction.GATEWAY).forward_client_cert_details == HttpConnectionManager.SANITIZE
    assert manager(Direction.OUTBOUND).forward_client_cert_details == HttpConnectionManager.SANITIZE
    assert manager(Direction.INBOUND).forward_client_cert_details == HttpConnectionManager.SANITIZE_SET
    assert manager(Direction.GATEWAY).use_remote_address.value


def test_an_app_that_refuses_is_marked_by_its_own_sidecar_only() -> None:
    assert manager(Direction.INBOUND).local_reply_config.mappers
    assert not manager(Direction.OUTBOUND).local_reply_config.mappers


def test_connect_is_taken_where_it_is_asked_for() -> None:
    upgrades = [each.upgrade_type for each in manager(Direction.OUTBOUND, connect=True).upgrade_configs]
    assert upgrades == ["websocket", "CONNECT"]
    assert [each.upgrade_type for each in manager(Direction.GATEWAY).upgrade_configs] == ["websocket"]


def test_a_stream_out_says_that_it_is_one() -> None:
    names = [each.name for each in tcp_chain(Direction.OUTBOUND, "c", handling=Handling())]
    assert names == ["envoy.filters.network.set_filter_state", "envoy.filters.network.tcp_proxy"]
    assert len(tcp_chain(Direction.INBOUND, "c", handling=Handling())) == 1


def test_headers_that_trickle_in_are_not_waited_for_at_the_edge() -> None:
    assert manager(Direction.GATEWAY).request_headers_timeout.seconds == 10
    assert not manager(Direction.OUTBOUND).HasField("request_headers_timeout")


def test_underscores_are_refused_at_the_edge_alone() -> None:
    asked = {
        direction: manager(direction).common_http_protocol_options.headers_with_underscores_action
        for direction in Direction
    }
    assert asked[Direction.GATEWAY] == HttpProtocolOptions.REJECT_REQUEST
    assert asked[Direction.INBOUND] == asked[Direction.OUTBOUND] == HttpProtocolOptions.ALLOW


def test_each_direction_takes_off_what_its_callers_may_not_say() -> None:
    taken = {direction: list(manager(direction).early_header_mutation_extensions) for direction in Direction}
    assert taken == {
        Direction.GATEWAY: [unbelieved.STRANGERS],
        Direction.OUTBOUND: [unbelieved.PROGRAMS],
        Direction.INBOUND: [unbelieved.CALLERS],
    }
