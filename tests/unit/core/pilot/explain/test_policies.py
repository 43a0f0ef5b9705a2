"""What is told of authorization: who refuses, by which rule, where it stands; and what is left open."""

import msgspec
import pytest

from proa.core.auth.authorization.values import Policy, Rule, Term, Value, rule_name
from proa.core.model.names import ObjectRef
from proa.core.pilot.explain.policies import NOBODY, PolicyAsker
from proa.core.pilot.explain.story import Explanation, Step
from proa.core.pilot.scope.authorization import AuthorizationView
from proa.core.pilot.simulate import Gateway, Request
from proa.core.pilot.simulate.filters import PolicyPlace
from tests.unit.core.pilot.explain.conftest import Explain
from tests.unit.core.pilot.explain.test_asking import EDGE as EDGE_ID
from tests.unit.core.pilot.explain.test_asking import KNOWN

EDGE = """
apiVersion: networking.istio.io/v1
kind: Gateway
metadata: {name: edge}
spec:
  selector: {istio: ingressgateway}
  servers: [{port: {number: 80, name: http, protocol: HTTP}, hosts: [shop.example.com]}]
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: shop}
spec:
  hosts: [shop.example.com]
  gateways: [edge]
  http: [{match: [{uri: {prefix: /there}}], route: [{destination: {host: reviews, port: {number: 9080}, subset: v1}}]}]
---
"""
TO_V1 = """
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: reviews}
spec:
  hosts: [reviews]
  http: [{route: [{destination: {host: reviews, subset: v1}}]}]
  tcp: [{match: [{port: 9081}], route: [{destination: {host: reviews, subset: v1}}]}]
---
"""


def policy(name: str, spec: str, *, labels: str = "app: reviews") -> str:
    return f"""
apiVersion: security.istio.io/v1
kind: AuthorizationPolicy
metadata: {{name: {name}}}
spec:
  selector: {{matchLabels: {{{labels}}}}}
{spec}
---
"""


DENY = policy(
    "never",
    """
  action: DENY
  rules:
  - to: [{operation: {methods: [DELETE]}}]
  - from: [{source: {principals: [cluster.local/ns/default/sa/page]}}]
    to: [{operation: {paths: [/secret]}}]
""",
)
ALLOW = policy(
    "some",
    """
  rules:
  - from: [{source: {namespaces: [default]}}]
    to: [{operation: {paths: ["/open*"], ports: ["9080"]}}]
  - from: [{source: {namespaces: [shop]}}]
    to: [{operation: {paths: [/other]}}]
""",
)


def check_of(told: Explanation) -> Step:
    (step,) = [step for hop in told.hops for step in hop.steps if step.kind == "check"]
    return step


def test_a_refusal_names_rule_object_and_line(explain: Explain) -> None:
    told = explain("http://reviews:9080/secret?x", TO_V1 + DENY)
    (verdict,) = told.verdicts
    assert (verdict.status, verdict.end, told.arrives) == (403, "answered", False)
    assert verdict.text == "403: denied by ns[default]-policy[never]-rule[1]"
    check = check_of(told)
    assert check.tone == "bad"
    assert check.text.startswith("proa.authz.9080: denied by")
    (cause,) = check.causes
    assert (cause.object, cause.rule) == ("AuthorizationPolicy/default/never", "rules[1]")
    assert (TO_V1 + DENY).splitlines()[cause.line - 1].startswith("  - from:")
    assert [step.kind for step in told.hops[1].steps] == ["listener", "check"], "nothing comes behind it"


def test_what_wanted_to_be_allowed_and_was_not(explain: Explain) -> None:
    told = explain("http://reviews:9080/closed", TO_V1 + ALLOW)
    assert told.verdicts[0].text == "403: denied (none): none of 2 rules that allow lets it in"
    check = check_of(told)
    assert [each.object for each in check.causes] == ["AuthorizationPolicy/default/some"]
    assert [detail.rpartition(": ")[2] for detail in check.details] == [
        "its `to` does not hold",
        "its `from` and `to` do not hold",
    ]
    assert "some rules[0] (rules.yaml:" in check.details[0]
    nothing = explain("http://reviews:9080/", TO_V1 + policy("none", "  {}").replace("\n  {}", ""))
    assert nothing.verdicts[0].text == "403: denied (none): nobody is allowed anything"


def test_what_is_let_in(explain: Explain) -> None:
    told = explain("http://reviews:9080/open/1", TO_V1 + ALLOW + DENY)
    assert told.arrives
    check = check_of(told)
    assert (check.tone, check.text) == (
        "good",
        "proa.authz.9080: allowed by ns[default]-policy[some]-rule[0]",
    )
    assert explain("http://reviews:9080/x", TO_V1 + DENY).arrives
    other = policy("elsewhere", "  rules: []", labels="app: other")
    unasked = explain("http://reviews:9080/x", TO_V1 + other)
    assert unasked.arrives
    assert not [step for hop in unasked.hops for step in hop.steps if step.kind == "check"]


def test_a_caller_in_plain_text_is_nobody(explain: Explain) -> None:
    plain = """
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: {name: a-plain}
spec: {host: reviews, subsets: [{name: v1, labels: {version: v1}}], trafficPolicy: {tls: {mode: DISABLE}}}
---
apiVersion: security.istio.io/v1
kind: PeerAuthentication
metadata: {name: default}
spec: {mtls: {mode: PERMISSIVE}}
---
"""
    told = explain("http://reviews:9080/open", TO_V1 + plain + ALLOW)
    refused = next(each for each in told.verdicts if each.status == 403)
    assert "none" in refused.text
    assert check_of(told).text.startswith("proa.authz.9080.plain: denied")


def test_at_a_gateway_before_a_route_is_missed(explain: Explain) -> None:
    rules = EDGE + policy(
        "edge",
        '  action: DENY\n  rules: [{to: [{operation: {paths: ["/admin*"], ports: ["80"]}}]}]',
        labels="istio: ingressgateway",
    )
    assert explain("http://shop.example.com/there", rules, via="edge").arrives
    for path in ("/admin", "/./admin/x"):
        told = explain(f"http://shop.example.com{path}", rules, via="edge")
        assert told.verdicts[0].text == "403: denied by ns[default]-policy[edge]-rule[0]"
        assert told.hops[0].role == "gateway"
    assert explain("http://shop.example.com/not", rules, via="edge").verdicts[0].status == 404


@pytest.mark.parametrize(
    ("spec", "said"),
    [
        ("ipBlocks: [192.0.2.0/24]", "decided by the caller's address, which is not foretold"),
        (
            "remoteIpBlocks: [192.0.2.0/24]",
            "decided by the address that a request comes from first, which is not foretold",
        ),
    ],
)
def test_what_is_not_known_is_left_open(explain: Explain, spec: str, said: str) -> None:
    rules = EDGE + policy(
        "edge", f"  rules: [{{from: [{{source: {{{spec}}}}}]}}]", labels="istio: ingressgateway"
    )
    told = explain("http://shop.example.com/there", rules, via="edge")
    assert told.arrives
    assert check_of(told).tone == "warn"
    assert check_of(told).text.endswith(said)
    decided = rules + policy("no", "  action: DENY\n  rules: [{}]", labels="istio: ingressgateway")
    assert explain("http://shop.example.com/there", decided, via="edge").verdicts[0].status == 403


def test_the_address_of_a_known_caller_counts(explain: Explain) -> None:
    near = policy("near", "  rules: [{from: [{source: {ipBlocks: [10.0.0.9]}}]}]")
    assert explain("http://reviews:9080/", TO_V1 + near).arrives
    far = policy("far", "  rules: [{from: [{source: {ipBlocks: [10.0.0.8]}}]}]")
    assert explain("http://reviews:9080/", TO_V1 + far).verdicts[0].status == 403


def test_dry_runs_are_told_and_not_done(explain: Explain) -> None:
    dry = DENY.replace("{name: never}", '{name: never, annotations: {"istio.io/dry-run": "true"}}')
    told = explain("http://reviews:9080/secret", TO_V1 + dry)
    assert told.arrives
    assert check_of(told).text.endswith("a dry run would refuse it (ns[default]-policy[never]-rule[1])")


def test_streams(explain: Explain) -> None:
    only = policy("only", "  rules: [{from: [{source: {principals: ['*/sa/PAGE']}}]}]")
    told = explain("", TO_V1 + only.replace("PAGE", "other"), tcp="reviews:9081")
    denied = next(each for each in told.verdicts if each.end == "denied")
    assert (denied.status, told.arrives) == (0, False)
    assert denied.text == (
        "the connection is closed: denied (none): the only rule that allows does not let it in"
    )
    let_in = explain("", TO_V1 + only.replace("PAGE", "page"), tcp="reviews:9081")
    assert let_in.arrives
    assert check_of(let_in).text == "proa.authz.rules: allowed by ns[default]-policy[only]-rule[0]"


def test_what_a_token_says_counts() -> None:
    ref = ObjectRef("AuthorizationPolicy", "default", "mine")
    wanted = Term(attribute="claim", key=("groups",), values=(Value("exact", "admin"),))
    mine = Policy(ref=ref, action="ALLOW", rules=(Rule(name=rule_name(ref, 0), conditions=(wanted,)),))
    known = msgspec.structs.replace(KNOWN, policies=lambda workload: AuthorizationView(everywhere=(mine,)))
    asker = PolicyAsker(known, EDGE_ID, Gateway(port=80), NOBODY)
    place = PolicyPlace(filter="proa.authz.80")

    def passed(claims: str) -> bool | None:
        ruling = asker.ask(place, Request(authority="a", claims=claims))
        assert ruling is not None
        assert ruling.check is not None
        return ruling.check.passed

    assert passed('{"groups": ["admin", "user"]}') is True
    assert passed('{"groups": "user"}') is False
    assert passed("") is False
    assert asker.ask(PolicyPlace(filter="proa.authn.80"), Request(authority="a")) is None


PROVIDER = """
apiVersion: mesh.istio.io/v1alpha1
kind: MeshConfig
metadata: {name: istio, namespace: istio-system}
spec:
  extensionProviders:
  - name: opa
    envoyExtAuthzGrpc: {service: opa.default.svc.cluster.local, port: 9191}
---
"""


def test_whom_is_asked(explain: Explain) -> None:
    ask = policy("ask", "  action: CUSTOM\n  provider: {name: opa}\n  rules: [{}]")
    told = explain("http://reviews:9080/", TO_V1 + PROVIDER + ask)
    assert told.arrives
    assert "opa decides, asked by ns[default]-policy[ask]-rule[0]" in check_of(told).text
    unknown = explain("http://reviews:9080/", TO_V1 + ask)
    assert unknown.verdicts[0].text == "403: denied by ns[default]-policy[ask]-rule[provider]"


ROLES = """
apiVersion: rbac.istio.io/v1alpha1
kind: ServiceRole
metadata: {name: reader, namespace: default}
spec:
  rules:
  - {services: ["reviews.default.svc.cluster.local"], methods: [GET]}
---
apiVersion: rbac.istio.io/v1alpha1
kind: ServiceRoleBinding
metadata: {name: readers, namespace: default}
spec:
  roleRef: {kind: ServiceRole, name: reader}
  subjects: [{user: cluster.local/ns/default/sa/page}]
---
apiVersion: rbac.istio.io/v1alpha1
kind: RbacConfig
metadata: {name: default, namespace: istio-system}
spec: {mode: ON}
---
"""


def test_roles_of_2018_name_binding_and_role(explain: Explain) -> None:
    told = explain("http://reviews:9080/", TO_V1 + ROLES)
    assert told.arrives
    assert [(each.object, each.rule) for each in check_of(told).causes] == [
        ("ServiceRoleBinding/default/readers", ""),
        ("ServiceRole/default/reader", "rules[0]"),
    ]
    refused = explain("http://reviews:9080/", TO_V1 + ROLES.replace("sa/page", "sa/other"))
    assert refused.verdicts[0].status == 403
