from proa.core.config.gateway_api.schema import (
    CookieConfig,
    GrpcRule,
    HttpMatch,
    HttpRule,
    PathMatch,
    SessionPersistence,
)
from proa.core.config.gateway_api.sessions import sticky
from proa.core.config.kinds.virtual_service.schema import StickySession
from proa.core.model.names import ObjectRef

REF = ObjectRef("HTTPRoute", "default", "r")


def rule(session: SessionPersistence | None, *paths: str) -> HttpRule:
    matches = tuple(HttpMatch(path=PathMatch(value=path)) for path in paths)
    return HttpRule(matches=matches, session_persistence=session)


def test_a_cookie_is_for_its_rules_path() -> None:
    seat = SessionPersistence(session_name="seat")
    assert sticky(REF, 0, rule(seat, "/shop/")) == StickySession(cookie="seat", path="/shop")
    assert sticky(REF, 0, rule(seat, "/a", "/b")) == StickySession(cookie="seat", path="/")
    assert sticky(REF, 0, GrpcRule(session_persistence=seat)) == StickySession(cookie="seat", path="/")
    assert sticky(REF, 0, rule(None)) is None


def test_rules_without_a_name_have_their_own() -> None:
    nameless = rule(SessionPersistence())
    one, other = sticky(REF, 0, nameless), sticky(REF, 1, nameless)
    assert one is not None
    assert other is not None
    assert one.cookie != other.cookie


def test_only_a_permanent_cookie_has_a_time() -> None:
    permanent = CookieConfig(lifetime_type="Permanent")
    made = sticky(REF, 0, rule(SessionPersistence(absolute_timeout=5000, cookie_config=permanent)))
    assert made is not None
    assert made.ttl == 5000
    header = SessionPersistence(type="Header", session_name="X-Seat")
    assert sticky(REF, 0, rule(header)) == StickySession(header="x-seat")
