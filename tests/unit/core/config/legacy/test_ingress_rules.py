"""Rules of the door by host and port; whole files are golden cases."""

from immutables import Map

from proa.core.config.legacy.ingress_rules import convert_ingress_rules, port_of
from proa.core.config.legacy.schema import (
    IngressRule,
    IstioService,
    MatchCondition,
    MatchRequest,
    StringMatch,
)
from proa.core.model.names import ObjectRef

C = IstioService(name="c")


def test_ports() -> None:
    assert port_of(IngressRule(destination=C)) == 80
    assert port_of(IngressRule(destination=C, tls_secret="s")) == 443
    assert port_of(IngressRule(destination=C, tls_secret="s", port=8443)) == 8443


def test_rules_for_any_host_are_those_of_each() -> None:
    headers = Map({"authority": StringMatch(exact="a.com")})
    named = IngressRule(destination=C, match=MatchCondition(request=MatchRequest(headers=headers)))
    rules = [
        (ObjectRef("IngressRule", "default", "a"), named),
        (ObjectRef("IngressRule", "default", "b"), IngressRule(destination=C, tls_secret="s")),
    ]
    gateway, everywhere, one = convert_ingress_rules("default", rules)
    servers = gateway.spec["servers"]
    assert isinstance(servers, list)
    assert len(servers) == 2
    assert everywhere.spec["hosts"] == ["*"]
    assert (one.spec["hosts"], len(one.sources)) == (["a.com"], 2)
