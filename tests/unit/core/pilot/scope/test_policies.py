"""Which rules for a destination hold, and what a service's owner adds; the look-up itself is in `test_views`."""

from proa.core.config.kinds.destination_rule.schema import ClientTls
from proa.core.pilot.scope.policies import Policy, candidates, is_visible, policy_of
from proa.core.pilot.scope.scope import Scope
from proa.core.pilot.translate.traffic_policy import policy_for
from proa.testing.builders import Mesh, simple

A = "a.default.svc.cluster.local"
ELSEWHERE = Scope("elsewhere")


def owner_says(name: str, section: str = "") -> str:
    return f"""
---
apiVersion: gateway.networking.k8s.io/v1
kind: BackendTLSPolicy
metadata: {{name: {name}}}
spec:
  targetRefs: [{{group: "", kind: Service, name: a, sectionName: {section or "''"}}}]
  validation: {{hostname: {name}.org, wellKnownCACertificates: System}}
"""


def rule(tls: str = "") -> str:
    return f"""
---
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: {{name: a}}
spec: {{host: a, trafficPolicy: {{loadBalancer: {{simple: RANDOM}}{tls}}}, subsets: [{{name: v1}}]}}
"""


def policy(made: Mesh) -> Policy:
    found = policy_of(made.world.snapshot, made.world.index, ELSEWHERE, made.world.snapshot.services[A])
    assert found is not None
    return found


def test_owners_say_how_tls_begins_and_nothing_else() -> None:
    made = Mesh(simple("a", number=80))
    made.apply(owner_says("all") + owner_says("gone", "nothing") + rule())
    found = policy(made)
    assert [ref.name for ref in found.refs] == ["a", "all-a-gateway-api"]
    traffic = policy_for(found, "v1", 80)
    assert traffic.tls == ClientTls(
        mode="SIMPLE", sni="all.org", subject_alt_names=("all.org",), ca_certificates="system"
    )
    assert traffic.load_balancer is not None


def test_a_rule_that_says_tls_comes_first() -> None:
    made = Mesh(simple("a", number=80))
    made.apply(owner_says("all") + rule(", tls: {mode: ISTIO_MUTUAL}"))
    assert policy_for(policy(made), "", 80).tls == ClientTls(mode="ISTIO_MUTUAL")


def test_a_port_has_a_policy_of_its_own() -> None:
    made = Mesh(simple("a", number=80))
    name = made.world.snapshot.services[A].ports[0].name
    made.apply(owner_says("all") + owner_says("port", name))
    found = policy(made)
    assert [tls.sni if tls else "" for tls in (found.tls_at(80), found.tls_at(81))] == ["port.org", "all.org"]


def test_names_that_rules_have_for_a_host() -> None:
    made = Mesh(simple("a", number=80))
    made.apply(rule())
    assert list(candidates(made.world.index.destination_rules, A)) == [A]
    assert is_visible((), "default", ELSEWHERE)
    assert not is_visible((".",), "default", ELSEWHERE)
