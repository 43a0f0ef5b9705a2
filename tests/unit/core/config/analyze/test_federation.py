from proa.core.config import Config, Json
from proa.core.config.analyze.federation import check_federation
from proa.testing.strategies.recipes_own import ROOT
from tests.unit.core.config.analyze.finding import an_object, find, worker


def partner(name: str, *namespaces: str, domain: str = "partner.example") -> Config:
    spec: Json = {"trustDomain": domain, "namespaces": [*namespaces], "trustDomainBundle": ROOT}
    return an_object("ftd", f"istio-system/{name}", spec)


def test_two_objects_for_one_domain() -> None:
    objects = [partner("a", "shop"), partner("b", "pay"), partner("c", "pay", domain="other.example")]
    assert find(check_federation, objects) == ["trust-domain-twice b spec.trustDomain"]


def test_namespaces_in_which_nothing_runs() -> None:
    objects = [partner("a", "shop", "pay"), partner("b", "*", domain="other.example")]
    assert find(check_federation, objects) == []
    assert find(check_federation, objects, workers=(worker("pay"),)) == [
        "federation-namespace-empty a spec.namespaces[0]"
    ]
