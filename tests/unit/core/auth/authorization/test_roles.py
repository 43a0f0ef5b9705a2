import pytest
from immutables import Map

from proa.core.auth.authorization.evaluate import evaluate
from proa.core.auth.authorization.reading import TrustDomains, pattern
from proa.core.auth.authorization.request import Caller, Request
from proa.core.auth.authorization.roles import Server, matches, read_roles
from proa.core.auth.authorization.values import Policy, Value
from proa.testing.builders import configs

SERVER = Server(
    service="web.shop.svc.cluster.local",
    workload="web-1",
    namespace="shop",
    principal="cluster.local/ns/shop/sa/web",
    labels=Map({"version": "v1"}),
)
CALLER = Caller(principal="cluster.local/ns/shop/sa/api", workload="api-1.shop", address="10.0.0.1")
SWITCH = """
apiVersion: rbac.istio.io/v1alpha1
kind: RbacConfig
metadata: {name: default, namespace: istio-system}
spec: {%s}
"""


def role(rule: str, subject: str, more: str = "") -> str:
    return f"""
apiVersion: rbac.istio.io/v1alpha1
kind: ServiceRole
metadata: {{name: r, namespace: shop}}
spec: {{rules: [{{services: ["web.shop.svc.cluster.local"], {rule}}}]}}
---
apiVersion: rbac.istio.io/v1alpha1
kind: ServiceRoleBinding
metadata: {{name: b, namespace: shop}}
spec: {{roleRef: {{kind: ServiceRole, name: r}}, subjects: [{subject}] {more}}}
---
"""


def wearing(key: str, value: Value) -> tuple[str, ...]:
    return ("api-1.shop",) if key == "app" and matches("api", value) else ()


def policies(text: str, server: Server = SERVER) -> tuple[Policy, ...]:
    return read_roles(configs(text), server, TrustDomains(), wearing)


@pytest.mark.parametrize(
    ("spec", "is_on"),
    [
        ("mode: OFF", False),
        ("mode: ON", True),
        ("mode: ON_WITH_INCLUSION, inclusion: {namespaces: [shop]}", True),
        ("mode: ON_WITH_INCLUSION, inclusion: {services: [web.shop.svc.cluster.local]}", True),
        ("mode: ON_WITH_INCLUSION, inclusion: {services: [api.shop.svc.cluster.local]}", False),
        ("mode: ON_WITH_EXCLUSION, exclusion: {namespaces: [shop]}", False),
        ("mode: ON_WITH_EXCLUSION, exclusion: {namespaces: [prod]}", True),
    ],
)
def test_where_roles_are_asked_for_nobody_comes_in_without(spec: str, is_on: bool) -> None:
    decision = evaluate(policies(SWITCH % spec), Request(caller=CALLER))
    assert (decision.outcome == "denied") == is_on


@pytest.mark.parametrize(
    ("rule", "subject", "allowed"),
    [
        ("methods: [GET]", 'user: "*"', True),
        ("methods: [PUT]", 'user: "*"', False),
        ("paths: [/a*]", "user: cluster.local/ns/shop/sa/api", True),
        ("paths: [/b]", "user: cluster.local/ns/shop/sa/api", False),
        ("methods: ['*']", "user: cluster.local/ns/shop/sa/other", False),
        ("methods: ['*']", "group: admins", True),
        ("methods: ['*']", "group: others", False),
        ("methods: ['*']", "user: '*', group: others", False),
        ("methods: ['*']", "properties: {source.namespace: shop, source.name: api-1}", True),
        ("methods: ['*']", "properties: {source.namespace: shop, source.name: api}", False),
        ("methods: ['*']", "properties: {'source.labels[app]': api}", True),
        ("methods: ['*']", "properties: {'source.labels[app]': web}", False),
        ("methods: ['*']", "properties: {source.ip: 10.0.0.0/8, 'request.headers[x-a]': one}", True),
        ("methods: ['*']", "properties: {'request.auth.claims[groups]': admins}", True),
        ("constraints: [{key: 'destination.labels[version]', values: [v1, v2]}]", "user: '*'", True),
        ("constraints: [{key: 'destination.labels[version]', values: [v2]}]", "user: '*'", False),
        ("constraints: [{key: destination.user, values: ['*/sa/web']}]", "user: '*'", True),
        ("constraints: [{key: destination.port, values: ['80']}]", "user: '*'", True),
        ("constraints: [{key: 'request.headers[x-a]', values: [two]}]", "user: '*'", False),
    ],
)
def test_roles(rule: str, subject: str, allowed: bool) -> None:
    request = Request(
        caller=CALLER,
        ports=(80,),
        path="/a?x",
        headers=(("x-a", "one"),),
        claims=Map({"groups": ["admins", "users"]}),
    )
    text = role(rule, f"{{{subject}}}") + SWITCH % "mode: ON"
    assert (evaluate(policies(text), request).outcome == "allowed") == allowed


def test_roles_of_other_services_and_namespaces_are_for_others() -> None:
    text = role("methods: ['*']", "{user: '*'}") + SWITCH % "mode: ON"
    other = Server(service="api.prod.svc.cluster.local", workload="a", namespace="prod", principal="")
    assert [policy.rules for policy in policies(text, other)] == [()]


def test_permissive_is_told_and_not_done() -> None:
    text = role("methods: ['*']", "{user: '*'}", ", mode: PERMISSIVE")
    decision = evaluate(policies(text + SWITCH % "mode: ON"), Request(caller=CALLER))
    assert decision.outcome == "denied"
    assert decision.dry_allow is not None
    assert decision.dry_allow.rules == ("ns[shop]-binding[b]-rule[r.0]",)
    whole = evaluate(
        policies(text + SWITCH % "mode: ON, enforcementMode: PERMISSIVE"), Request(caller=CALLER)
    )
    assert whole.outcome == "allowed"


def test_facts_by_pattern() -> None:
    assert [matches("abc", pattern(text)) for text in ("abc", "a*", "*c", "*", "ab")] == [True] * 4 + [False]
