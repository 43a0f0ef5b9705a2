"""What carries a session, and for how long."""

from envoy.extensions.http.stateful_session.cookie.v3.cookie_pb2 import CookieBasedSessionState
from envoy.extensions.http.stateful_session.header.v3.header_pb2 import HeaderBasedSessionState

from proa.core.pilot.translate.routes.intents import Session
from proa.core.pilot.translate.routes.sessions import build_session


def test_a_cookie_lives_as_long_as_it_is_told() -> None:
    made = build_session(Session(cookie="seat", path="/shop", ttl_ms=5000)).stateful_session.session_state
    cookie = CookieBasedSessionState.FromString(made.typed_config.value).cookie
    assert (cookie.name, cookie.path, cookie.ttl.seconds) == ("seat", "/shop", 5)
    made = build_session(Session(cookie="seat")).stateful_session.session_state
    assert not CookieBasedSessionState.FromString(made.typed_config.value).cookie.HasField("ttl")


def test_a_header_has_a_name_alone() -> None:
    made = build_session(Session(header="x-seat")).stateful_session.session_state
    assert HeaderBasedSessionState.FromString(made.typed_config.value).name == "x-seat"
