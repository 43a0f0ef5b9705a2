"""TLS with an operator's certificates: what a gateway's servers show to strangers and ask of them, and what a client's
proxy shows to servers outside.

Keys and roots come by SDS from the agent on the gateway's own host, under the names of `model.secret_names`: one that
is missing or unreadable leaves its chain without handshakes, and every other one as it is.
"""

import msgspec
from envoy.config.core.v3.base_pb2 import TransportSocket
from envoy.config.core.v3.config_source_pb2 import AggregatedConfigSource, ApiVersion, ConfigSource
from envoy.extensions.transport_sockets.tls.v3.common_pb2 import (
    CertificateValidationContext,
    SubjectAltNameMatcher,
    TlsParameters,
)
from envoy.extensions.transport_sockets.tls.v3.secret_pb2 import SdsSecretConfig
from envoy.extensions.transport_sockets.tls.v3.tls_pb2 import (
    CommonTlsContext,
    DownstreamTlsContext,
    UpstreamTlsContext,
)
from envoy.type.matcher.v3.string_pb2 import StringMatcher

from proa.core.config.hostnames import is_ip
from proa.core.config.kinds.destination_rule.schema import ClientTls
from proa.core.config.server_tls import ServerTls
from proa.core.model.secret_names import (
    credential_roots_secret,
    credential_secret,
    file_roots_secret,
    file_secret,
)
from proa.core.model.service import Service
from proa.core.pilot.translate import tls
from proa.core.pilot.translate.encode import boolean, millis, pack

SECRET_PATIENCE_MS = 2_000
"""How long a listener waits for a secret before it serves without: the agent is on the same host, and one that it has
comes at once."""


class Checked(msgspec.Struct, frozen=True, kw_only=True):
    """How clients' certificates are judged: by the SDS secret `roots`; with `names` one of them must be the client's,
    with pins its certificate must fit one. `is_required`: no handshake without; `is_lax`: anybody's passes."""

    roots: str
    is_required: bool
    is_lax: bool = False
    names: tuple[str, ...] = ()
    spki_pins: tuple[str, ...] = ()
    hash_pins: tuple[str, ...] = ()


class ServedTls(msgspec.Struct, frozen=True, kw_only=True):
    """`certificates` are SDS secrets; none: the mesh's own, which asks for one of the mesh's in return. Versions are
    Envoy's spellings, empty for its defaults."""

    certificates: tuple[str, ...] = ()
    clients: Checked | None = None
    mesh_names: tuple[str, ...] = ()
    knows_partners: bool = False
    lowest: str = ""
    highest: str = ""
    ciphers: tuple[str, ...] = ()
    curves: tuple[str, ...] = ()


def served_tls(spec: ServerTls, *, knows_partners: bool = False) -> ServedTls | None:
    """None where the gateway ends no TLS."""
    if spec.mode in ("PASSTHROUGH", "AUTO_PASSTHROUGH"):
        return None
    if spec.mode == "ISTIO_MUTUAL":
        return ServedTls(mesh_names=spec.subject_alt_names, knows_partners=knows_partners)
    files = tuple(file_secret(pair.server_certificate, pair.private_key) for pair in spec.pairs)
    return ServedTls(
        certificates=tuple(map(credential_secret, spec.all_credentials)) or files,
        clients=_checked(spec) if spec.mode != "SIMPLE" else None,
        lowest=_version(spec.min_protocol_version),
        highest=_version(spec.max_protocol_version),
        ciphers=spec.cipher_suites,
        curves=spec.ecdh_curves,
    )


def _version(written: str) -> str:
    return "" if written == "TLS_AUTO" else written.replace("TLSV", "TLSv")


def _checked(spec: ServerTls) -> Checked:
    if spec.ca_certificates:
        roots = file_roots_secret(spec.ca_certificates, spec.ca_crl)
    else:
        roots = credential_roots_secret(spec.ca_cert_credential_name or spec.all_credentials[0])
    return Checked(
        roots=roots,
        is_required=spec.mode == "MUTUAL",
        is_lax=spec.insecure_skip_verify,
        names=spec.subject_alt_names,
        spki_pins=spec.verify_certificate_spki,
        hash_pins=tuple(pin.replace(":", "").lower() for pin in spec.verify_certificate_hash),
    )


def end_tls(served: ServedTls, alpn: tuple[str, ...]) -> TransportSocket:
    """The transport of a filter chain whose connections begin with TLS."""
    if not served.certificates:
        return tls.server_mtls(alpn, served.mesh_names, knows_partners=served.knows_partners)
    common = CommonTlsContext(
        alpn_protocols=alpn,
        tls_params=TlsParameters(
            tls_minimum_protocol_version=TlsParameters.TlsProtocol.Value(served.lowest or "TLSv1_2"),
            tls_maximum_protocol_version=TlsParameters.TlsProtocol.Value(served.highest or "TLS_AUTO"),
            cipher_suites=served.ciphers,
            ecdh_curves=served.curves,
        ),
        tls_certificate_sds_secret_configs=[secret_config(name) for name in served.certificates],
    )
    context = DownstreamTlsContext(common_tls_context=common)
    if served.clients is not None:
        context.require_client_certificate.CopyFrom(boolean(served.clients.is_required))
        context.common_tls_context.combined_validation_context.CopyFrom(_validation(served.clients))
    return TransportSocket(name="envoy.transport_sockets.tls", typed_config=pack(context))


class OriginatedTls(msgspec.Struct, frozen=True, kw_only=True):
    """TLS that a client's proxy begins towards a server that is not the mesh's. `certificate` and `roots` are SDS
    secrets: without the one it shows nothing, without the other it trusts whom the system does; `is_lax`: anybody."""

    sni: str
    names: tuple[str, ...] = ()
    certificate: str = ""
    roots: str = ""
    is_lax: bool = False


def originated_tls(spec: ClientTls, service: Service) -> OriginatedTls:
    """As a DestinationRule says for this service. Without its word the server must have one of the names that the
    service's own object gives, or else its host. Below a wildcard each request asks for its own, in
    SNI too."""
    host = "" if service.hostname.startswith("*") else service.hostname
    known = service.accounts if service.mesh_external else ()
    if spec.mode != "MUTUAL":
        certificate = ""
    elif spec.credential_name:
        certificate = credential_secret(spec.credential_name)
    else:
        certificate = file_secret(spec.client_certificate, spec.private_key)
    if spec.credential_name:
        roots = credential_roots_secret(spec.credential_name)
    elif spec.ca_certificates in ("", "system"):
        roots = ""
    else:
        roots = file_roots_secret(spec.ca_certificates, spec.ca_crl)
    return OriginatedTls(
        sni=spec.sni or host,
        names=spec.subject_alt_names or known or ((host,) if host else ()),
        certificate=certificate,
        roots=roots,
        is_lax=spec.insecure_skip_verify,
    )


def begin_tls(originated: OriginatedTls) -> TransportSocket:
    """The transport of a cluster outside the mesh."""
    common = CommonTlsContext()
    if originated.certificate:
        common.tls_certificate_sds_secret_configs.append(secret_config(originated.certificate))
    if not originated.is_lax:
        own = CertificateValidationContext(
            match_typed_subject_alt_names=[matcher for name in originated.names for matcher in named(name)]
        )
        if originated.roots:
            common.combined_validation_context.default_validation_context.CopyFrom(own)
            secret = secret_config(originated.roots)
            common.combined_validation_context.validation_context_sds_secret_config.CopyFrom(secret)
        else:
            own.trusted_ca.CopyFrom(tls.SYSTEM_ROOTS)
            common.validation_context.CopyFrom(own)
    context = UpstreamTlsContext(sni=originated.sni, common_tls_context=common)
    return TransportSocket(name="envoy.transport_sockets.tls", typed_config=pack(context))


def _validation(clients: Checked) -> CommonTlsContext.CombinedCertificateValidationContext:
    own = CertificateValidationContext(
        match_typed_subject_alt_names=[matcher for name in clients.names for matcher in named(name)],
        verify_certificate_spki=clients.spki_pins,
        verify_certificate_hash=clients.hash_pins,
    )
    if clients.is_lax:
        own.trust_chain_verification = CertificateValidationContext.ACCEPT_UNTRUSTED
    return CommonTlsContext.CombinedCertificateValidationContext(
        default_validation_context=own, validation_context_sds_secret_config=secret_config(clients.roots)
    )


def named(name: str) -> list[SubjectAltNameMatcher]:
    """A name of a certificate as users write it: which kind of name it is shows in its form."""
    if is_ip(name):
        kinds = [SubjectAltNameMatcher.IP_ADDRESS]
    elif "://" in name:
        kinds = [SubjectAltNameMatcher.URI]
    elif "@" in name:
        kinds = [SubjectAltNameMatcher.EMAIL]
    else:
        kinds = [SubjectAltNameMatcher.DNS]
    return [SubjectAltNameMatcher(san_type=kind, matcher=StringMatcher(exact=name)) for kind in kinds]


def secret_config(name: str) -> SdsSecretConfig:
    source = ConfigSource(
        ads=AggregatedConfigSource(),
        resource_api_version=ApiVersion.V3,
        initial_fetch_timeout=millis(SECRET_PATIENCE_MS),
    )
    return SdsSecretConfig(name=name, sds_config=source)
