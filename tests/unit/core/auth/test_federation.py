"""Whom a namespace believes besides the mesh, and who of them is let on."""

from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from proa.core.auth.authorization.reading import TrustDomains, read_policy
from proa.core.auth.authorization.values import Policy
from proa.core.auth.federation import (
    Named,
    accepted,
    faults,
    federations,
    judge,
    named,
    notes,
    partner_of,
    refusal,
)
from proa.core.config import Config
from proa.testing.builders import configs
from tests.certificates import Authority

OWN = ("cluster.local", "old.example")


def domain(name: str, bundle: str, *namespaces: str, trust_domain: str = "partner.example") -> Config:
    indented = "\n".join(f"    {line}" for line in bundle.splitlines())
    (made,) = configs(
        f"""
apiVersion: proa.dev/v1alpha1
kind: FederatedTrustDomain
metadata: {{name: {name}, namespace: istio-system}}
spec:
  trustDomain: {trust_domain}
  namespaces: [{", ".join(namespaces or ("shop",))}]
  trustDomainBundle: |
{indented}
"""
    )
    return made


@pytest.fixture(scope="module")
def pem(tmp_path_factory: pytest.TempPathFactory) -> str:
    folder: Path = tmp_path_factory.mktemp("partner")
    return Authority(folder, "partner", "partner.example").roots.read_text()


def test_the_older_of_two_counts_and_never_one_of_our_own_names(pem: str) -> None:
    old = msgspec.structs.replace(domain("b", pem, "shop"), created=1.0)
    young = msgspec.structs.replace(domain("a", pem, "elsewhere"), created=2.0)
    ours = domain("c", pem, trust_domain="old.example")
    found = federations([young, ours, old], OWN)
    assert [(each.ref.name, each.namespaces) for each in found] == [("b", ("shop",))]
    assert accepted(found, "shop") == ("partner.example",)
    assert accepted(found, "elsewhere") == ()
    told = {(note.about.name, note.code) for note in notes([young, ours, old], OWN)}
    assert told == {("a", "federation-fault"), ("c", "federation-fault")}


def test_every_namespace(pem: str) -> None:
    assert accepted(federations([domain("a", pem, '"*"')], OWN), "any") == ("partner.example",)


def test_faults_have_their_places(pem: str) -> None:
    def codes(config: Config, *others: Config) -> list[tuple[str, str]]:
        return [(str(each.path[-1]), each.code) for each in faults(config, others, OWN)]

    fine = domain("a", pem)
    assert codes(fine, fine) == []
    assert codes(fine, domain("b", pem)) == [("trustDomain", "duplicate")]
    assert codes(domain("a", pem, trust_domain="cluster.local")) == [("trustDomain", "conflict")]
    assert codes(domain("a", pem, trust_domain="other")) == [("trustDomainBundle", "bad-value")]


def policies(*sources: str, action: str = "ALLOW", more: str = "") -> list[Policy]:
    written = "".join(f"\n  - from: [{{source: {source}}}]" for source in sources)
    text = f"""
apiVersion: security.istio.io/v1
kind: AuthorizationPolicy
metadata: {{name: a, namespace: shop{more}}}
spec:
  action: {action}
  rules:{written}
"""
    return [read_policy(config, TrustDomains(own=OWN[0], aliases=OWN[1:])) for config in configs(text)]


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("{trustDomains: [p]}", Named(trust_domain="p", whole=True)),
        ('{principals: ["p/*"]}', Named(trust_domain="p", whole=True)),
        ("{principals: [p/x, q/x]}", Named(trust_domain="p", exact=("p/x",))),
        ('{principals: ["p/ns/a/*"]}', Named(trust_domain="p", prefixes=("p/ns/a/",))),
        *(
            (source, Named(trust_domain="p"))
            for source in (
                '{principals: ["*"]}',
                '{principals: ["*/x"]}',
                '{principals: ["p*"]}',
                '{trustDomains: ["*"]}',
                '{trustDomains: ["p*"]}',
                "{notTrustDomains: [cluster.local]}",
                "{notPrincipals: [p/x]}",
                "{namespaces: [p]}",
            )
        ),
    ],
)
def test_who_is_named(source: str, expected: Named) -> None:
    assert named(policies(source), ["p"]) == (expected,)


def test_who_is_named_elsewhere_than_in_a_rule_that_lets_in() -> None:
    assert named(policies("{trustDomains: [p]}", action="DENY"), ["p"]) == (Named(trust_domain="p"),)
    dry = ', annotations: {istio.io/dry-run: "true"}'
    assert named(policies("{trustDomains: [p]}", more=dry), ["p"]) == (Named(trust_domain="p"),)


PARTNERS = (
    Named(trust_domain="all", whole=True),
    Named(trust_domain="some", exact=("some/x",), prefixes=("some/ns/a/",)),
)


@pytest.mark.parametrize(
    ("principal", "expected"),
    [
        ("cluster.local/ns/a/sa/b", "own"),
        ("old.example/ns/a/sa/b", "own"),
        ("all/anything", "named"),
        ("some/x", "named"),
        ("some/ns/a/sa/b", "named"),
        ("some/y", "unnamed"),
        ("else/x", "stranger"),
        ("cluster.local/proa/node/n", "stranger"),
        ("all/x,spiffe://cluster.local/ns/a/sa/b", "stranger"),
        ("some/x,spiffe://some/y", "stranger"),
        ("", "stranger"),
    ],
)
def test_who_is_let_on(principal: str, expected: str) -> None:
    found = judge(principal, OWN, PARTNERS)
    assert found == expected
    assert bool(refusal(found)) == (expected in ("unnamed", "stranger"))


@given(st.text("abx./,:-", max_size=12), st.lists(st.text("abx.", min_size=1, max_size=4), max_size=3))
def test_nobody_is_let_on_whose_domain_is_not_accepted(principal: str, domains: list[str]) -> None:
    partners = tuple(Named(trust_domain=each, whole=True) for each in domains)
    if judge(principal, OWN, partners) == "named":
        assert principal.partition("/")[0] in domains
        assert "," not in principal


def test_a_service_is_a_partners_if_all_of_its_servers_are() -> None:
    ours, theirs, others = ("spiffe://cluster.local/ns/a/sa/b", "spiffe://p/x", "spiffe://q/x")
    assert partner_of([theirs, "spiffe://p/y"], ["p", "q"]) == "p"
    assert partner_of([theirs], []) == ""
    assert partner_of([theirs, ours], ["p"]) == ""
    assert partner_of([theirs, others], ["p", "q"]) == ""
    assert partner_of([], ["p"]) == ""
