"""Mesh TLS as Envoy spells it, for both ends of a hop.

Keys and trust bundles come by SDS from the node agent under fixed names. Peers are validated by Envoy's `spiffe`
validator, which looks a root up by the peer's trust domain, so that a partner's root can never vouch for ours.
ALPN tells mesh TLS from an application's own and, inside it, requests from raw streams; the spellings are
Istio's.
"""

from collections.abc import Iterable
from typing import Final, Literal

from envoy.config.core.v3.base_pb2 import DataSource, TransportSocket
from envoy.config.core.v3.proxy_protocol_pb2 import ProxyProtocolConfig
from envoy.extensions.transport_sockets.proxy_protocol.v3.upstream_proxy_protocol_pb2 import (
    ProxyProtocolUpstreamTransport,
)
from envoy.extensions.transport_sockets.raw_buffer.v3.raw_buffer_pb2 import RawBuffer
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
from envoy.type.matcher.v3.regex_pb2 import RegexMatcher
from envoy.type.matcher.v3.string_pb2 import StringMatcher

from proa.core.model.secret_names import PEER_ROOTS, partner_roots
from proa.core.pilot.translate.encode import ADS, boolean, pack

CERTIFICATE_SECRET: Final = "default"
BUNDLE_SECRET: Final = "ROOTCA"

ALPN_TCP: Final = ("istio",)
ALPN_HTTP1: Final = ("istio-http/1.1", "istio", "http/1.1")
ALPN_HTTP2: Final = ("istio-h2", "istio", "h2")
ALPN_GRPC: Final = ("h2",)
MESH_HTTP: Final = ("istio-http/1.0", "istio-http/1.1", "istio-h2")
SERVER_HTTP: Final = ("h2", "http/1.1")

SYSTEM_ROOTS: Final = DataSource(filename="/etc/ssl/certs/ca-certificates.crt")

ANY_WORKLOAD: Final = "spiffe://[^/]+/ns/[^/]+/sa/[^/]+"
"""The ids of workloads, of whatever domain (whose root vouches for it is the validator's business)."""

NO_NODE: Final = "spiffe://[^/]+/([^p/][^/]*|p([^r/][^/]*)?|pr([^o/][^/]*)?|pro([^a/][^/]*)?|proa[^/]+)(/.*)?"
"""All ids but those below `/proa/`, which nodes have: a partner's workloads may be called anything. That ours are of
the shape above is seen by the filter that judges trust domains (`filters.revocation`)."""

NO_ACCOUNT: Final = "proa:no-account-known"
"""Matches no identity: what a client expects of a service nobody told it the accounts of."""


def _common(
    alpn: Iterable[str], validation: CertificateValidationContext, bundles: str = BUNDLE_SECRET
) -> CommonTlsContext:
    return CommonTlsContext(
        alpn_protocols=list(alpn),
        tls_params=TlsParameters(
            tls_minimum_protocol_version=TlsParameters.TLSv1_3,
            tls_maximum_protocol_version=TlsParameters.TLSv1_3,
        ),
        tls_certificate_sds_secret_configs=[SdsSecretConfig(name=CERTIFICATE_SECRET, sds_config=ADS)],
        combined_validation_context=CommonTlsContext.CombinedCertificateValidationContext(
            default_validation_context=validation,
            validation_context_sds_secret_config=SdsSecretConfig(name=bundles, sds_config=ADS),
        ),
    )


def client_mtls(
    sni: str, accounts: Iterable[str], alpn: Iterable[str], *, partner: str = ""
) -> TransportSocket:
    """Our certificate to a server that must show one of `accounts` (SPIFFE ids). No account known: nobody will do. The
    mesh's own roots vouch for it, or those of a `partner` (a trust domain) alone."""
    expected = tuple(accounts) or (NO_ACCOUNT,)
    validation = CertificateValidationContext(
        match_typed_subject_alt_names=[
            SubjectAltNameMatcher(san_type=SubjectAltNameMatcher.URI, matcher=StringMatcher(exact=account))
            for account in expected
        ]
    )
    bundles = partner_roots(partner) if partner else BUNDLE_SECRET
    context = UpstreamTlsContext(sni=sni, common_tls_context=_common(alpn, validation, bundles))
    return TransportSocket(name="envoy.transport_sockets.tls", typed_config=pack(context))


def server_mtls(
    alpn: Iterable[str], accounts: Iterable[str] = (), *, knows_partners: bool = False
) -> TransportSocket:
    """A client certificate of a trusted domain is required, and it must be a workload's: a node's key opens no app.
    With `accounts` (SPIFFE ids), one of theirs. `knows_partners`: the agent says which domains are trusted by whom
    serves; one of before federation knows the mesh's own."""
    anybody = NO_NODE if knows_partners else ANY_WORKLOAD
    expected = [StringMatcher(exact=account) for account in accounts]
    validation = CertificateValidationContext(
        match_typed_subject_alt_names=[
            SubjectAltNameMatcher(san_type=SubjectAltNameMatcher.URI, matcher=matcher)
            for matcher in expected or [StringMatcher(safe_regex=RegexMatcher(regex=anybody))]
        ]
    )
    bundles = PEER_ROOTS if knows_partners else BUNDLE_SECRET
    context = DownstreamTlsContext(
        require_client_certificate=boolean(True), common_tls_context=_common(alpn, validation, bundles)
    )
    return TransportSocket(name="envoy.transport_sockets.tls", typed_config=pack(context))


def plaintext() -> TransportSocket:
    return TransportSocket(name="envoy.transport_sockets.raw_buffer", typed_config=pack(RawBuffer()))


def announced(inner: TransportSocket, version: Literal["V1", "V2"]) -> TransportSocket:
    """Connections that tell by the PROXY protocol whose they are, before anything else, TLS included."""
    transport = ProxyProtocolUpstreamTransport(
        config=ProxyProtocolConfig(version=ProxyProtocolConfig.Version.Value(version)), transport_socket=inner
    )
    return TransportSocket(
        name="envoy.transport_sockets.upstream_proxy_protocol", typed_config=pack(transport)
    )
