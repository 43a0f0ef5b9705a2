import pytest
from envoy.config.rbac.v3.rbac_pb2 import RBAC as Rules
from envoy.config.rbac.v3.rbac_pb2 import Permission, Policy, Principal
from envoy.extensions.filters.http.rbac.v3.rbac_pb2 import RBAC
from envoy.type.matcher.v3.path_pb2 import PathMatcher
from envoy.type.matcher.v3.string_pb2 import StringMatcher

from proa.core.pilot.simulate.permissions import Called, asks_for, is_let_pass
from proa.core.pilot.simulate.resources import unpack
from proa.core.pilot.translate.filters.path_guard import path_guard

ADMIN = Permission(url_path=PathMatcher(path=StringMatcher(prefix="/admin")))


def rules(permission: Permission, action: Rules.Action.ValueType) -> Rules:
    policy = Policy(permissions=[permission], principals=[Principal(any=True)])
    return Rules(action=action, policies={"p": policy})


@pytest.mark.parametrize(
    ("permission", "path", "is_matched"),
    [
        (ADMIN, "/admin/x", True),
        (ADMIN, "/", False),
        (Permission(not_rule=ADMIN), "/", True),
        (Permission(and_rules=Permission.Set(rules=[ADMIN, Permission(any=True)])), "/admin", True),
        (Permission(or_rules=Permission.Set(rules=[ADMIN])), "/a", False),
    ],
)
def test_paths(permission: Permission, path: str, is_matched: bool) -> None:
    assert is_let_pass(rules(permission, Rules.ALLOW), Called(path=path)) == is_matched
    assert is_let_pass(rules(permission, Rules.DENY), Called(path=path)) != is_matched


def test_what_is_asked_for() -> None:
    (policy,) = rules(Permission(or_rules=Permission.Set(rules=[ADMIN])), Rules.DENY).policies.values()
    assert asks_for(("url_path",), policy)
    assert not asks_for(("matcher",), policy)
    some = Policy(permissions=[ADMIN], principals=[Principal(not_id=Principal(any=True))])
    assert not asks_for(("url_path",), some)


def test_the_guard_of_paths() -> None:
    guard = unpack(path_guard().typed_config, RBAC)
    assert guard is not None
    assert not is_let_pass(guard.rules, Called(path="/a/..;x/b"))
    assert is_let_pass(guard.rules, Called(path="/a..;x/b"))
