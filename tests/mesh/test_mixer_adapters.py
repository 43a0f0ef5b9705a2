"""What Mixer's check adapters and HTTPAPISpecs do at a real sidecar, asked on connections that stay open.

`echo` of the shared mesh is the server; `v1` and `v3`, which wear their versions, call it. `v3` has the account
`reviews`.
"""

from collections.abc import Iterator

import msgspec
import pytest

from tests.mesh.asking_rules import Caller, Words
from tests.mesh.harness import FOREVER, Mesh

pytestmark = pytest.mark.mesh


class Callers(msgspec.Struct, frozen=True):
    mesh: Mesh
    v1: Caller
    v3: Caller


@pytest.fixture(scope="module")
def callers(shared_mesh: Mesh) -> Iterator[Callers]:
    with (
        shared_mesh.running("v1", FOREVER, "--label=version=v1"),
        shared_mesh.running("v3", FOREVER, "--label=version=v3", "--account=reviews"),
        Caller(shared_mesh, "v1") as v1,
        Caller(shared_mesh, "v3") as v3,
    ):
        yield Callers(shared_mesh, v1, v3)


def rule(handler: str, instance: str, match: str = 'destination.labels["app"] == "echo"') -> str:
    return f"""
---
apiVersion: config.istio.io/v1alpha2
kind: rule
metadata: {{name: checks}}
spec:
  match: {match}
  actions:
  - handler: {handler}
    instances: [ {instance} ]
"""


VERSIONS = """
apiVersion: config.istio.io/v1alpha2
kind: listchecker
metadata: {name: whitelist}
spec:
  overrides: ["v1", "v2"]  # overrides provide a static list
  blacklist: false
---
apiVersion: config.istio.io/v1alpha2
kind: listentry
metadata: {name: appversion}
spec:
  value: source.labels["version"]
""" + rule("whitelist.listchecker", "appversion.listentry")


def addresses(subnet: str) -> str:
    return f"""
apiVersion: config.istio.io/v1alpha2
kind: listchecker
metadata: {{name: whitelistip}}
spec:
  overrides: ["{subnet}"]
  blacklist: false
  entryType: IP_ADDRESSES
---
apiVersion: config.istio.io/v1alpha2
kind: listentry
metadata: {{name: sourceip}}
spec:
  value: source.ip | ip("0.0.0.0")
""" + rule("whitelistip.listchecker", "sourceip.listentry")


ACCOUNT = """
apiVersion: config.istio.io/v1alpha2
kind: denier
metadata: {name: denyaccount}
spec:
  status: {code: 7, message: Not allowed}
---
apiVersion: config.istio.io/v1alpha2
kind: checknothing
metadata: {name: anything}
spec:
""" + rule(
    "denyaccount.denier", "anything.checknothing", 'source.user == "cluster.local/ns/default/sa/reviews"'
)


def test_the_task_of_2018_about_lists(callers: Callers) -> None:
    """Versions, addresses, and (0.7) accounts."""
    v1, v3 = callers.v1, callers.v3
    with callers.mesh.applied(VERSIONS):
        assert (v1.status(), v3.ask()) == (
            200,
            (404, "NOT_FOUND:whitelist.listchecker.default:v3 is not whitelisted"),
        )
    with callers.mesh.applied(addresses("10.57.0.0/16")):
        status, body = v1.ask()
        assert (status, body.split(":")[:2]) == (404, ["NOT_FOUND", "whitelistip.listchecker.default"])
        callers.mesh.apply(addresses("127.0.0.0/8"))
        assert (v1.status(), v3.status()) == (200, 200)
    with callers.mesh.applied(ACCOUNT):
        assert (v1.status(), v3.status()) == (200, 403)
    assert (v1.status(), v3.status()) == (200, 200)


APIS = """
apiVersion: config.istio.io/v1alpha2
kind: HTTPAPISpec
metadata: {name: echo}
spec:
  attributes:
    attributes:
      api.service: {stringValue: echo.example}
  patterns:
  - httpMethod: GET
    uriTemplate: /items/{id}
    attributes: {attributes: {api.operation: {stringValue: getItem}}}
  - httpMethod: GET
    uriTemplate: /items/mine
    attributes: {attributes: {api.operation: {stringValue: getMine}}}
  - httpMethod: "*"
    regex: /items/[0-9]+
    attributes: {attributes: {api.protocol: {stringValue: by-number}}}
---
apiVersion: config.istio.io/v1alpha2
kind: HTTPAPISpecBinding
metadata: {name: echo}
spec:
  services: [{name: echo}]
  apiSpecs: [{name: echo}]
"""
OPERATIONS = """
---
apiVersion: config.istio.io/v1alpha2
kind: denier
metadata: {name: no}
spec: {status: {code: 7, message: no}}
---
apiVersion: config.istio.io/v1alpha2
kind: checknothing
metadata: {name: any}
spec:
""" + rule(
    "no.denier",
    "any.checknothing",
    'api.service == "echo.example" && (api.operation == "getItem" && (api.protocol | "") == "by-number")',
)


def keys(words: Words) -> str:
    return f"""
---
apiVersion: config.istio.io/v1alpha2
kind: listchecker
metadata: {{name: keys}}
spec: {{providerUrl: "{words.url}", entryType: STRINGS}}
---
apiVersion: config.istio.io/v1alpha2
kind: listentry
metadata: {{name: key}}
spec: {{value: request.api_key | "none"}}
""" + rule("keys.listchecker", "key.listentry")


def test_operations_and_keys_are_what_specs_say(callers: Callers) -> None:
    caller = callers.v1
    with callers.mesh.applied(APIS + OPERATIONS):
        paths = ("/items/7", "/items/7?a=b", "/items/mine", "/items/rex", "/items")
        for _ in range(2):  # again, by what is kept
            assert [caller.status(path) for path in paths] == [403, 403, 200, 200, 200]
        other = APIS.replace("getItem", "readItem")
        callers.mesh.apply(other)
        assert caller.status("/items/7") == 200, "another spec, other verdicts"
    with Words("one", "two") as words, callers.mesh.applied(APIS + keys(words)):
        for _ in range(2):
            assert [caller.status(path) for path in ("/?key=one", "/?api_key=two", "/?key=x")] == [
                200,
                200,
                404,
            ]
            assert [caller.status(x_api_key=key) for key in ("one", "x")] == [200, 404]
            assert caller.ask("/") == (404, "NOT_FOUND:keys.listchecker.default:none is not whitelisted")


def roles(method: str) -> str:
    return f"""
apiVersion: rbac.istio.io/v1alpha1
kind: ServiceRole
metadata: {{name: viewer}}
spec:
  rules:
  - services: [echo.default.svc.cluster.local]
    methods: [{method}]
    constraints: [{{key: "destination.labels[app]", values: [echo]}}]
---
apiVersion: rbac.istio.io/v1alpha1
kind: ServiceRoleBinding
metadata: {{name: viewers}}
spec:
  subjects:
  - user: cluster.local/ns/default/sa/reviews
  roleRef: {{kind: ServiceRole, name: viewer}}
"""


AUTHORIZATION = """
---
apiVersion: config.istio.io/v1alpha2
kind: rbac
metadata: {name: handler}
spec:
  config_store_url: "k8s://"
---
apiVersion: config.istio.io/v1alpha2
kind: authorization
metadata: {name: requestcontext}
spec:
  subject:
    user: source.user | ""
    properties:
      namespace: source.namespace | ""
  action:
    namespace: destination.namespace | "default"
    service: destination.service | ""
    path: request.path | "/"
    method: request.method | "post"
    properties:
      destination.labels[app]: destination.labels["app"] | ""
""" + rule("handler.rbac", "requestcontext.authorization")


def test_roles_are_asked_and_followed(callers: Callers) -> None:
    v1, v3 = callers.v1, callers.v3
    refused = (403, "PERMISSION_DENIED:handler.rbac.default:RBAC: permission denied.")
    with callers.mesh.applied(roles("GET") + AUTHORIZATION):
        for _ in range(2):
            assert (v1.ask(), v3.status()) == (refused, 200)
        callers.mesh.apply(roles("PUT"))
        assert v3.ask() == refused, "at once, though its verdict is good for a minute"
        callers.mesh.apply(roles('"*"'))
        assert v3.status() == 200
    assert v1.status() == 200


NOOP = """
apiVersion: config.istio.io/v1alpha2
kind: noop
metadata: {name: all}
spec:
---
apiVersion: config.istio.io/v1alpha2
kind: checknothing
metadata: {name: any}
spec:
""" + rule("all.noop", "any.checknothing")


def test_noop_lets_everything_pass_and_nobody_is_asked(callers: Callers) -> None:
    calls = r"ext_authz\.mixer_closed\.(ok|denied|error)$"
    with callers.mesh.applied(NOOP):
        before = callers.mesh.stats("echo", calls)
        assert callers.v1.status() == 200
        assert callers.mesh.stats("echo", calls) == before
