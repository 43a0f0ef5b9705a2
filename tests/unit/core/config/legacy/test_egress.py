"""Hosts and blocks of addresses outside; whole files are golden cases."""

from proa.core.config.legacy.egress import service_entry
from proa.core.config.legacy.schema import EgressPort, EgressRule, IstioService
from proa.core.model.names import ObjectRef

REF = ObjectRef("EgressRule", "shop", "out")


def rule(service: str) -> EgressRule:
    return EgressRule(
        destination=IstioService(service=service), ports=(EgressPort(port=443, protocol="tcp"),)
    )


def test_a_host_is_itself() -> None:
    made = service_entry(REF, rule("*.example.com"))
    assert made.spec["hosts"] == ["*.example.com"]
    assert made.spec["ports"] == [{"name": "tcp-443", "number": 443, "protocol": "tcp"}]
    assert made.origin(("spec", "ports", 0, "number")) == (REF, ("spec", "ports", 0, "port"))


def test_a_block_gets_a_name() -> None:
    made = service_entry(REF, rule("2001:db8::/32"))
    assert (made.spec["hosts"], made.spec["addresses"]) == (["out.shop.svc.cluster.local"], ["2001:db8::/32"])
