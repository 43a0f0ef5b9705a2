import pytest

from proa.core.config.gateway_api.check.rules import check_grpc_rule, check_http_rule
from proa.core.config.gateway_api.schema import (
    CookieConfig,
    GrpcMatch,
    GrpcRule,
    HttpRule,
    MethodMatch,
    SessionPersistence,
)

PERMANENT = CookieConfig(lifetime_type="Permanent")


@pytest.mark.parametrize(
    ("session", "field"),
    [
        (SessionPersistence(session_name="seat"), None),
        (SessionPersistence(session_name="a b"), "sessionName"),
        (SessionPersistence(cookie_config=PERMANENT), "absoluteTimeout"),
        (SessionPersistence(absolute_timeout=1), "absoluteTimeout"),
        (SessionPersistence(cookie_config=PERMANENT, absolute_timeout=1), None),
        (SessionPersistence(type="Header", cookie_config=CookieConfig()), "cookieConfig"),
    ],
)
def test_sessions(session: SessionPersistence, field: str | None) -> None:
    found = list(check_http_rule(HttpRule(session_persistence=session), ()))
    assert found == list(check_grpc_rule(GrpcRule(session_persistence=session), ()))
    assert [each.path[-1] for each in found] == ([] if field is None else [field])


def test_a_method_has_a_name() -> None:
    (found,) = check_grpc_rule(GrpcRule(matches=(GrpcMatch(method=MethodMatch()),)), ())
    assert found.code == "required"
