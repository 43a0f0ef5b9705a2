"""From the objects of 2018's task to what a caller is told."""

import asyncio

import pytest

from proa.adapters.policy.rbac.adapter import RbacAdapter
from proa.core.attributes.value_types import Value
from proa.core.config.config import Config
from proa.core.mixer.plan.verdict import CheckAnswer
from proa.testing.builders import configs
from proa.testing.mixer_adapters import Example, opened, prepare

ROLES = tuple(
    configs("""
apiVersion: rbac.istio.io/v1alpha1
kind: ServiceRole
metadata: {name: ratings-viewer, namespace: default}
spec:
  rules:
  - services: [ratings.default.svc.cluster.local]
    methods: [GET]
    constraints:
    - {key: "destination.labels[version]", values: [v1]}
---
apiVersion: rbac.istio.io/v1alpha1
kind: ServiceRoleBinding
metadata: {name: reviews-view-ratings, namespace: default}
spec:
  subjects:
  - user: cluster.local/ns/default/sa/bookinfo-reviews
  roleRef: {kind: ServiceRole, name: ratings-viewer}
""")
)
ASKED = {
    "subject": {"user": 'source.user | ""', "properties": {"namespace": 'source.namespace | ""'}},
    "action": {
        "namespace": 'destination.namespace | "default"',
        "service": 'destination.service | ""',
        "path": 'request.path | "/"',
        "method": 'request.method | "post"',
        "properties": {"destination.labels[version]": 'destination.labels["version"] | ""'},
    },
}


def asks(
    account: str, method: str = "GET", objects: tuple[Config, ...] = ROLES, **parameters: object
) -> Example:
    attributes: dict[str, Value] = {
        "source.user": f"cluster.local/ns/default/sa/{account}",
        "destination.namespace": "default",
        "destination.service": "ratings.default.svc.cluster.local",
        "destination.labels": {"version": "v1"},
        "request.path": "/ratings/0",
        "request.method": method,
    }
    return Example(
        parameters=parameters, instances={"authorization": ASKED}, attributes=attributes, objects=objects
    )


async def answer(example: Example) -> CheckAnswer:
    async with opened(RbacAdapter(), example) as (handler, instances):
        return await handler.check(instances["authorization"])


@pytest.mark.parametrize(
    ("account", "method", "code"),
    [("bookinfo-reviews", "GET", 0), ("bookinfo-reviews", "POST", 7), ("bookinfo-productpage", "GET", 7)],
)
def test_the_role_is_for_those_who_have_it(account: str, method: str, code: int) -> None:
    found = asyncio.run(answer(asks(account, method)))
    assert (found.code, found.valid_ms, found.valid_uses) == (code, 60_000, 1_000_000_000)
    assert found.message == ("RBAC: permission denied." if code else "")


def test_without_roles_nobody_comes_in_and_the_answer_lasts_as_long_as_is_said() -> None:
    found = asyncio.run(answer(asks("bookinfo-reviews", objects=(), cacheDuration="5s")))
    assert (found.code, found.valid_ms) == (7, 5_000)


def test_another_role_is_another_handler() -> None:
    """So the one before is closed, and proxies keep none of its verdicts."""
    one, none = prepare(RbacAdapter.kind, asks("a")), prepare(RbacAdapter.kind, asks("a", objects=ROLES[:1]))
    assert one.plan.identity != none.plan.identity
    assert one.plan == prepare(RbacAdapter.kind, asks("b", objects=ROLES[::-1])).plan
