"""What ServiceRoles allow, row by row, and against the plainest reading of them."""

import fnmatch
from collections.abc import Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st
from immutables import Map

from proa.core.attributes.value_types import Value
from proa.core.config.config import Config
from proa.core.mixer.roles import NEEDED, allows, compile_roles
from proa.core.mixer.templates import Field, Instance
from proa.testing.builders import configs

ACTION = {"namespace": "shop", "service": "cart.shop.svc.cluster.local", "method": "GET", "path": "/items"}
ANN = "cluster.local/ns/shop/sa/ann"


def asked(
    user: str = ANN,
    groups: str = "",
    properties: Mapping[str, Value] | None = None,
    constrained: Mapping[str, Value] | None = None,
    action: Mapping[str, str] = Map(),
) -> Instance:
    subject: dict[str, Field] = {
        "user": user,
        "groups": groups,
        "properties": Map[str, Field](properties or {}),
    }
    acted: dict[str, Field] = {**ACTION, **action, "properties": Map[str, Field](constrained or {})}
    fields: dict[str, Field] = {"subject": Map(subject), "action": Map(acted)}
    return Instance(name="a.authorization.shop", template="authorization", fields=Map(fields))


def role(rule: str, subject: str, namespace: str = "shop", mode: str = "ENFORCED") -> tuple[Config, ...]:
    return tuple(
        configs(f"""
apiVersion: rbac.istio.io/v1alpha1
kind: ServiceRole
metadata: {{name: viewer, namespace: {namespace}}}
spec: {{rules: [{rule}]}}
---
apiVersion: rbac.istio.io/v1alpha1
kind: ServiceRoleBinding
metadata: {{name: viewers, namespace: {namespace}}}
spec:
  mode: {mode}
  roleRef: {{kind: ServiceRole, name: viewer}}
  subjects: [{subject}]
""")
    )


ALL = '{services: ["*"], methods: ["*"]}'


@pytest.mark.parametrize(
    ("rule", "is_allowed"),
    [
        (ALL, True),
        ("{services: [cart.shop.svc.cluster.local], methods: [GET, HEAD], paths: [/items]}", True),
        ('{services: ["cart.*"], methods: ["G*"], paths: ["/it*"]}', True),
        ('{services: ["*.cluster.local"], methods: [GET], paths: ["*/items"]}', True),
        ('{services: [other.shop.svc.cluster.local], methods: ["*"]}', False),
        ('{services: ["*"], methods: [POST]}', False),
        ('{services: ["*"]}', False),
        ('{services: ["*"], methods: ["*"], paths: [/admin, "/items/*"]}', False),
    ],
)
def test_a_rule_fits_by_service_method_and_path(rule: str, is_allowed: bool) -> None:
    assert allows(compile_roles(role(rule, '{user: "*"}')), asked()) == is_allowed


@pytest.mark.parametrize(
    ("subject", "is_allowed"),
    [
        ('{user: "*"}', True),
        (f"{{user: {ANN}}}", True),
        ("{user: cluster.local/ns/shop/sa/bob}", False),
        ('{user: "cluster.local/*"}', False),
        ("{group: staff}", True),
        ("{group: admins}", False),
        (f"{{user: {ANN}, group: admins}}", False),
        ("{properties: {source.namespace: shop}}", True),
        (f"{{user: {ANN}, properties: {{source.namespace: bank}}}}", False),
        ("{properties: {source.namespace: shop, source.principal: none}}", False),
        ("{properties: {source.namespace: bank}}, {group: staff}", True),
    ],
)
def test_a_subject_has_to_be_all_that_is_said(subject: str, is_allowed: bool) -> None:
    instance = asked(groups="staff", properties={"source.namespace": "shop"})
    assert allows(compile_roles(role(ALL, subject)), instance) == is_allowed


@pytest.mark.parametrize(
    ("constrained", "is_allowed"),
    [
        ({"destination.labels[version]": "v1", "destination.port": 80}, True),
        ({"destination.labels[version]": "v2", "destination.port": 80}, True),
        ({"destination.labels[version]": "v3", "destination.port": 80}, False),
        ({"destination.labels[version]": "v1", "destination.port": 81}, False),
        ({"destination.labels[version]": "v1"}, False),
        ({}, False),
    ],
)
def test_constraints_are_about_properties_of_the_action(
    constrained: dict[str, Value], is_allowed: bool
) -> None:
    rule = (
        '{services: ["*"], methods: ["*"], constraints: [{key: "destination.labels[version]", values: [v1, v2]},'
        ' {key: destination.port, values: ["80"]}]}'
    )
    assert allows(compile_roles(role(rule, '{user: "*"}')), asked(constrained=constrained)) == is_allowed


@pytest.mark.parametrize("name", NEEDED)
def test_without_what_it_needs_nothing_is_allowed(name: str) -> None:
    roles = compile_roles(role(ALL, '{user: "*"}'))
    assert allows(roles, asked())
    assert not allows(roles, asked(action={name: ""}))
    assert not allows(roles, Instance(name="a", template="authorization", fields=Map()))


def test_roles_are_their_namespaces_and_those_who_have_none_allow_nothing() -> None:
    assert not allows(compile_roles(role(ALL, '{user: "*"}', namespace="bank")), asked())
    viewer, binding = role(ALL, '{user: "*"}')
    assert compile_roles([viewer]) == Map()
    assert compile_roles([binding]) == Map()
    assert not allows(compile_roles(role(ALL, '{user: "*"}', mode="PERMISSIVE")), asked())


PATTERNS = st.sampled_from(["*", "a", "a*", "*a", "ab", "b*", "*b"])
TEXTS = st.sampled_from(["a", "ab", "ba", "b", "aba"])


@given(st.lists(PATTERNS, min_size=1, max_size=3), st.lists(PATTERNS, min_size=1, max_size=3), TEXTS, TEXTS)
def test_stars_are_any_rest(services: list[str], methods: list[str], service: str, method: str) -> None:
    written = ", ".join(f'"{each}"' for each in services), ", ".join(f'"{each}"' for each in methods)
    roles = compile_roles(role(f"{{services: [{written[0]}], methods: [{written[1]}]}}", '{user: "*"}'))
    fits = any(fnmatch.fnmatchcase(service, each) for each in services) and any(
        fnmatch.fnmatchcase(method, each) for each in methods
    )
    assert allows(roles, asked(action={"service": service, "method": method})) == fits
