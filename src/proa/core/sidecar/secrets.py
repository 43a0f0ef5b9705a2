"""A workload's certificate and the roots it trusts, as the two SDS secrets that its Envoy asks for.

`default` is the key and chain, `ROOTCA` the validation context: SPIFFE's own validator with one bundle per
trust domain, so that the root of a partner's domain can never vouch for an identity of ours. Partners' bundles have
names of their own (`model.secret_names`): servers ask for all whom they believe, clients for one partner at a time.
"""

from collections.abc import Mapping
from typing import Final

from envoy.config.core.v3.extension_pb2 import TypedExtensionConfig
from envoy.extensions.transport_sockets.tls.v3.secret_pb2 import Secret
from envoy.extensions.transport_sockets.tls.v3.tls_spiffe_validator_config_pb2 import (
    SPIFFECertValidatorConfig,
)
from google.protobuf.any_pb2 import Any as AnyMessage

from proa.core.model.digest import combine, digest_bytes
from proa.core.model.secret_names import PEER_ROOTS, partner_roots
from proa.core.pilot.resource import Resource, ResourceType

IDENTITY: Final = "default"
ROOTS: Final = "ROOTCA"


def build_identity(key_pem: str, chain_pem: str) -> Resource:
    """The version is of the chain alone: it is bound to the key, and versions show up in logs."""
    secret = Secret(name=IDENTITY)
    secret.tls_certificate.certificate_chain.inline_string = chain_pem
    secret.tls_certificate.private_key.inline_string = key_pem
    return _resource(secret, digest_bytes(chain_pem.encode()))


def build_roots(bundles: Mapping[str, str]) -> Resource:
    """`bundles`: trust domain -> PEM of its roots."""
    return _validation(ROOTS, bundles)


def build_peer_roots(bundles: Mapping[str, str], partners: Mapping[str, str]) -> Resource:
    """Whom servers believe. A partner without roots is left out, and nobody of it is believed."""
    known = {name: pem for name, pem in partners.items() if pem}
    return _validation(PEER_ROOTS, {**known, **bundles})


def build_partner_roots(trust_domain: str, roots_pem: str, bundles: Mapping[str, str]) -> Resource:
    """Whom clients believe of one partner. Without roots, the mesh's own, under which nobody has the partner's ids."""
    return _validation(partner_roots(trust_domain), {trust_domain: roots_pem} if roots_pem else bundles)


def _validation(secret_name: str, bundles: Mapping[str, str]) -> Resource:
    validator = SPIFFECertValidatorConfig()
    for name, pem in sorted(bundles.items()):
        domain = validator.trust_domains.add(name=name)
        domain.trust_bundle.inline_string = pem
    packed = AnyMessage()
    packed.Pack(validator)
    secret = Secret(name=secret_name)
    secret.validation_context.custom_validator_config.CopyFrom(
        TypedExtensionConfig(name="envoy.tls.cert_validator.spiffe", typed_config=packed)
    )
    return _resource(secret, combine(f"{name}\n{pem}" for name, pem in sorted(bundles.items())))


def _resource(secret: Secret, digest: str) -> Resource:
    packed = AnyMessage()
    packed.Pack(secret, deterministic=True)
    return Resource(
        type=ResourceType.SECRET,
        name=secret.name,
        body=packed.SerializeToString(deterministic=True),
        digest=digest,
    )


def build_certificate(name: str, chain_pem: str, key_pem: str) -> Resource:
    """An operator's certificate under the name it is asked for. The version is of the chain alone, as above."""
    secret = Secret(name=name)
    secret.tls_certificate.certificate_chain.inline_string = chain_pem
    secret.tls_certificate.private_key.inline_string = key_pem
    return _resource(secret, digest_bytes(chain_pem.encode()))


def build_trusted(name: str, roots_pem: str, crl_pem: str) -> Resource:
    """Whom an operator trusts to vouch for strangers, and what is revoked."""
    secret = Secret(name=name)
    secret.validation_context.trusted_ca.inline_string = roots_pem
    if crl_pem:
        secret.validation_context.crl.inline_string = crl_pem
    return _resource(secret, combine((roots_pem, crl_pem)))
