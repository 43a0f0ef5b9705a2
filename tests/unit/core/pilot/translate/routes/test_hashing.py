"""Which part of a request chooses its endpoint."""

import pytest
from envoy.config.route.v3.route_components_pb2 import RouteAction

from proa.core.pilot.translate.routes.hashing import hash_policy
from proa.core.pilot.translate.routes.intents import HashKey


@pytest.mark.parametrize(
    ("key", "kind"),
    [
        (HashKey(header="x-user"), "header"),
        (HashKey(query_parameter="user"), "query_parameter"),
        (HashKey(source_ip=True), "connection_properties"),
        (HashKey(cookie="user"), "cookie"),
        (HashKey(filter_state="io.grpc.channel_id"), "filter_state"),
    ],
)
def test_keys(key: HashKey, kind: str) -> None:
    assert hash_policy(key).WhichOneof("policy_specifier") == kind


def test_a_cookie_is_made_when_it_is_told_how_long_it_lives() -> None:
    made = hash_policy(HashKey(cookie="user", path="/", ttl_ms=0, attributes=(("SameSite", "Lax"),))).cookie
    assert made.HasField("ttl")
    assert made.attributes == [RouteAction.HashPolicy.CookieAttribute(name="SameSite", value="Lax")]
    assert not hash_policy(HashKey(cookie="user")).cookie.HasField("ttl")
