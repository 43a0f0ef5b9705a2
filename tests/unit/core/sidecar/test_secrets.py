"""The two secrets of a workload."""

from envoy.extensions.transport_sockets.tls.v3.secret_pb2 import Secret
from envoy.extensions.transport_sockets.tls.v3.tls_spiffe_validator_config_pb2 import (
    SPIFFECertValidatorConfig,
)
from google.protobuf.any_pb2 import Any as AnyMessage

from proa.core.pilot.resource import Resource, ResourceType
from proa.core.sidecar.secrets import build_identity, build_roots


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
