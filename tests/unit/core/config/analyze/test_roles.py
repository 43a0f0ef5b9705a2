import pytest

from proa.core.config import Config, Json
from proa.core.config.analyze.roles import check_roles
from proa.testing.mixer import mixer_config
from tests.unit.core.config.analyze.finding import an_object, find

ROLE = an_object("ServiceRole", "shop/viewer", {"rules": [{"services": ["*"]}]})
BINDING = an_object(
    "ServiceRoleBinding",
    "shop/viewers",
    {"subjects": [{"user": "*"}], "roleRef": {"kind": "ServiceRole", "name": "viewer"}},
)


def switch(spec: Json) -> Config:
    return an_object("RbacConfig", "istio-system/default", spec)


def test_a_binding_needs_its_role_and_a_role_a_binding() -> None:
    assert find(check_roles, [BINDING]) == ["role-missing viewers spec.roleRef.name"]
    assert find(check_roles, [ROLE]) == ["role-unbound viewer "]
    assert find(check_roles, [ROLE, BINDING]) == []
    elsewhere = an_object("ServiceRole", "other/viewer", {"rules": [{"services": ["*"]}]})
    assert find(check_roles, [elsewhere, BINDING]) == [
        "role-missing viewers spec.roleRef.name",
        "role-unbound viewer ",
    ]


@pytest.mark.parametrize(
    ("spec", "is_asked"),
    [
        ({"mode": "ON"}, True),
        ({"mode": "OFF"}, False),
        ({"mode": "ON_WITH_INCLUSION", "inclusion": {"namespaces": ["shop"]}}, True),
        ({"mode": "ON_WITH_INCLUSION", "inclusion": {"namespaces": ["other"]}}, False),
        ({"mode": "ON_WITH_INCLUSION", "inclusion": {"services": ["a.shop.svc.cluster.local"]}}, True),
        ({"mode": "ON_WITH_INCLUSION", "inclusion": {"services": ["shop.b.svc.cluster.local"]}}, False),
        ({"mode": "ON_WITH_EXCLUSION", "exclusion": {"namespaces": ["shop"]}}, False),
        ({"mode": "ON_WITH_EXCLUSION", "exclusion": {"services": ["a.shop.svc.cluster.local"]}}, True),
    ],
)
def test_roles_are_asked_for_where_an_rbac_config_is_on(spec: Json, is_asked: bool) -> None:
    found = find(check_roles, [ROLE, BINDING, switch(spec)])
    assert found == ([] if is_asked else ["roles-unasked viewer "])


def test_a_handler_of_mixers_asks_for_roles_wherever_they_are() -> None:
    off = switch({"mode": "OFF"})
    assert find(check_roles, [ROLE, BINDING, off]) == ["roles-unasked viewer "]
    assert find(check_roles, [ROLE, BINDING, off, mixer_config("rbac", "r", {}, "shop")]) == []
    newer = mixer_config("handler", "r", {"compiledAdapter": "rbac"}, "shop")
    assert find(check_roles, [ROLE, BINDING, off, newer]) == []
    another = mixer_config("handler", "r", {"compiledAdapter": "denier"}, "shop")
    assert find(check_roles, [ROLE, BINDING, off, another]) == ["roles-unasked viewer "]
