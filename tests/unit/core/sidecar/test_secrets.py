"""The two secrets of a workload."""

from envoy.extensions.transport_sockets.tls.v3.secret_pb2 import Secret
from envoy.extensions.transport_sockets.tls.v3.tls_spiffe_validator_config_pb2 import (
    SPIFFECertValidatorConfig,
)
from google.protobuf.any_pb2 import Any as AnyMessage

from proa.core.pilot.resource import Resource, ResourceType
from proa.core.sidecar.secrets import build_identity, build_partner_roots, build_peer_roots, build_roots


def opened(resource: Resource) -> Secret:
    packed, secret = AnyMessage.FromString(resource.body), Secret()
    assert packed.type_url == resource.type.url
    assert packed.Unpack(secret)
    return secret


def test_the_identity_is_key_and_chain_under_one_name() -> None:
    resource = build_identity("KEY", "CHAIN")
    assert (resource.type, resource.name) == (ResourceType.SECRET, "default")
    certificate = opened(resource).tls_certificate
    assert certificate.private_key.inline_string == "KEY"
    assert certificate.certificate_chain.inline_string == "CHAIN"
    assert build_identity("KEY", "OTHER").digest != resource.digest


def test_each_trust_domain_has_its_own_roots() -> None:
    secret = opened(build_roots({"b.example": "B", "a.example": "A"}))
    validator = SPIFFECertValidatorConfig()
    custom = secret.validation_context.custom_validator_config
    assert custom.name == "envoy.tls.cert_validator.spiffe"
    assert custom.typed_config.Unpack(validator)
    found = [(domain.name, domain.trust_bundle.inline_string) for domain in validator.trust_domains]
    assert found == [("a.example", "A"), ("b.example", "B")]


def test_order_makes_no_difference_and_content_does() -> None:
    assert build_roots({"a": "1", "b": "2"}) == build_roots({"b": "2", "a": "1"})
    assert build_roots({"a": "1", "b": "2"}).digest != build_roots({"a": "2", "b": "1"}).digest


def domains(resource: Resource) -> dict[str, str]:
    validator = SPIFFECertValidatorConfig()
    assert opened(resource).validation_context.custom_validator_config.typed_config.Unpack(validator)
    return {domain.name: domain.trust_bundle.inline_string for domain in validator.trust_domains}


OWN = {"own": "ROOTS"}


def test_servers_believe_partners_and_nobody_speaks_for_our_own_domain() -> None:
    resource = build_peer_roots(OWN, {"partner": "THEIRS", "silent": "", "own": "FORGED"})
    assert resource.name == "proa:peers"
    assert domains(resource) == {"own": "ROOTS", "partner": "THEIRS"}


def test_clients_believe_one_partner_at_a_time_and_without_roots_none_of_its_ids() -> None:
    resource = build_partner_roots("partner", "THEIRS", OWN)
    assert resource.name == "proa:partner:partner"
    assert domains(resource) == {"partner": "THEIRS"}
    assert domains(build_partner_roots("partner", "", OWN)) == OWN
