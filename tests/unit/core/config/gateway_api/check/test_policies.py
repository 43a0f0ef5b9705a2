from proa.core.config.gateway_api.check.policies import check_backend_tls
from proa.core.config.gateway_api.policy_schema import (
    BackendTlsPolicy,
    CaRef,
    SubjectAltName,
    TargetRef,
    Validation,
)
from proa.core.config.meta import Meta

META = Meta(name="a", namespace="default")


def codes(validation: Validation) -> list[str]:
    spec = BackendTlsPolicy(target_refs=(TargetRef(name="s"),), validation=validation)
    return [each.code for each in check_backend_tls(spec, META)]


def test_whom_to_trust_is_said_once() -> None:
    roots = (CaRef(name="roots"),)
    assert codes(Validation(hostname="a.org", ca_certificate_refs=roots)) == []
    assert codes(Validation(hostname="a.org", well_known_ca_certificates="System")) == []
    assert codes(Validation(hostname="a.org")) == ["required"]
    both = Validation(hostname="a.org", ca_certificate_refs=roots, well_known_ca_certificates="System")
    assert codes(both) == ["conflict"]


def test_a_name_is_of_its_type() -> None:
    wrong = SubjectAltName(type="URI", hostname="a.org")
    validation = Validation(hostname="a.org", well_known_ca_certificates="System", subject_alt_names=(wrong,))
    assert codes(validation) == ["conflict", "required"]
