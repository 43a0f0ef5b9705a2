"""Sessions: an endpoint told to the client with the answer, and asked for with its next request."""

from envoy.extensions.filters.http.stateful_session.v3.stateful_session_pb2 import (
    StatefulSession,
    StatefulSessionPerRoute,
)
from envoy.extensions.http.stateful_session.cookie.v3.cookie_pb2 import CookieBasedSessionState
from envoy.extensions.http.stateful_session.header.v3.header_pb2 import HeaderBasedSessionState
from envoy.type.http.v3.cookie_pb2 import Cookie

from proa.core.pilot.translate.encode import millis, pack
from proa.core.pilot.translate.routes.intents import Session


def build_session(session: Session) -> StatefulSessionPerRoute:
    """An endpoint that is gone or failing is not insisted on: the request goes to another, and the session with it."""
    state = StatefulSession()
    if session.header:
        state.session_state.name = "envoy.http.stateful_session.header"
        state.session_state.typed_config.CopyFrom(pack(HeaderBasedSessionState(name=session.header)))
    else:
        cookie = Cookie(name=session.cookie, path=session.path)
        if session.ttl_ms is not None:
            cookie.ttl.CopyFrom(millis(session.ttl_ms))
        state.session_state.name = "envoy.http.stateful_session.cookie"
        state.session_state.typed_config.CopyFrom(pack(CookieBasedSessionState(cookie=cookie)))
    return StatefulSessionPerRoute(stateful_session=state)
