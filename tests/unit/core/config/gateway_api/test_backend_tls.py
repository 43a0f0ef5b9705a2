from proa.core.config.gateway_api.backend_tls import derive_backend
from proa.core.config.gateway_api.bound import Member
from proa.core.config.gateway_api.policy_schema import BackendTlsPolicy, TargetRef, Validation
from proa.core.model.names import ObjectRef


def policy(name: str, created: float, section: str = "", target: str = "s") -> Member:
    spec = BackendTlsPolicy(
        target_refs=(TargetRef(name=target, section_name=section),),
        validation=Validation(hostname=f"{name}.org", well_known_ca_certificates="System"),
    )
    return Member(ref=ObjectRef("BackendTLSPolicy", "default", name), spec=spec, created=created)


def test_the_oldest_of_a_target_counts() -> None:
    found = derive_backend("s", "default", [policy("a", 2.0), policy("b", 1.0), policy("c", 3.0, "https")])
    assert [each.derived.name for each in found.made] == ["b-s-gateway-api", "c-s-https-gateway-api"]
    assert [each.port_name for each in found.made] == ["", "https"]
    verdicts = {each.ref.name: each.conditions[0].reason for each in found.standings}
    assert verdicts == {"b": "Accepted", "a": "Conflicted", "c": "Accepted"}


def test_targets_of_other_services_are_not_its_business() -> None:
    found = derive_backend("s", "default", [policy("a", 1.0, target="t")])
    assert (found.made, found.standings) == ((), ())
