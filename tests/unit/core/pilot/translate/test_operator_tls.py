"""Which TLS a server's settings become; that Envoy takes and follows it is shown in tests/mesh/test_gateways.py."""

import msgspec
from envoy.config.core.v3.base_pb2 import TransportSocket
from envoy.extensions.transport_sockets.tls.v3.common_pb2 import SubjectAltNameMatcher, TlsParameters
from envoy.extensions.transport_sockets.tls.v3.tls_pb2 import DownstreamTlsContext, UpstreamTlsContext

from proa.core.config.kinds.destination_rule.schema import ClientTls
from proa.core.config.server_tls import ServerTls, TlsCertificate
from proa.core.model.service import Service
from proa.core.pilot.translate.operator_tls import (
    Checked,
    OriginatedTls,
    ServedTls,
    begin_tls,
    end_tls,
    named,
    originated_tls,
    served_tls,
)
from proa.core.pilot.translate.tls import SYSTEM_ROOTS


def context(socket: TransportSocket) -> DownstreamTlsContext:
    return DownstreamTlsContext.FromString(socket.typed_config.value)


def test_only_some_modes_end_tls() -> None:
    assert served_tls(ServerTls(mode="PASSTHROUGH")) is None
    assert served_tls(ServerTls(mode="AUTO_PASSTHROUGH")) is None
    assert served_tls(ServerTls(mode="ISTIO_MUTUAL", subject_alt_names=("a",))) == ServedTls(
        mesh_names=("a",)
    )


def test_where_certificates_and_roots_are() -> None:
    pairs = (TlsCertificate(server_certificate="/c", private_key="/k"),)
    assert served_tls(ServerTls(mode="SIMPLE", tls_certificates=pairs)) == ServedTls(
        certificates=("file-cert:/c~/k",)
    )
    mutual = served_tls(ServerTls(mode="MUTUAL", credential_name="a"))
    assert mutual == ServedTls(
        certificates=("credential:a",), clients=Checked(roots="credential-roots:a", is_required=True)
    )
    spec = ServerTls(mode="OPTIONAL_MUTUAL", credential_names=("a", "b"), ca_cert_credential_name="c")
    assert served_tls(spec) == ServedTls(
        certificates=("credential:a", "credential:b"),
        clients=Checked(roots="credential-roots:c", is_required=False),
    )
    files = ServerTls(mode="MUTUAL", credential_name="a", ca_certificates="/r", ca_crl="/l")
    checked = served_tls(files)
    assert checked is not None
    assert checked.clients == Checked(roots="file-root:/r~/l", is_required=True)


def test_versions_are_at_least_of_2008() -> None:
    plain = context(end_tls(ServedTls(certificates=("a",)), ("h2",))).common_tls_context
    assert plain.tls_params.tls_minimum_protocol_version == TlsParameters.TLSv1_2
    assert plain.tls_params.tls_maximum_protocol_version == TlsParameters.TLS_AUTO
    spec = ServerTls(mode="SIMPLE", credential_name="a", min_protocol_version="TLSV1_0")
    old = served_tls(spec)
    assert old is not None
    assert old.lowest == "TLSv1_0"


def test_a_missing_secret_does_not_hold_a_listener_for_long() -> None:
    (secret,) = context(
        end_tls(ServedTls(certificates=("a",)), ())
    ).common_tls_context.tls_certificate_sds_secret_configs
    assert 0 < secret.sds_config.initial_fetch_timeout.ToMilliseconds() <= 5_000


def test_pins_have_one_spelling() -> None:
    spec = ServerTls(mode="MUTUAL", credential_name="a", verify_certificate_hash=("AB:CD",))
    served = served_tls(spec)
    assert served is not None
    assert served.clients is not None
    assert served.clients.hash_pins == ("abcd",)


def test_a_names_form_says_which_kind_it_is() -> None:
    kinds = {
        "a.example": SubjectAltNameMatcher.DNS,
        "10.0.0.1": SubjectAltNameMatcher.IP_ADDRESS,
        "spiffe://a/b": SubjectAltNameMatcher.URI,
        "ann@a.example": SubjectAltNameMatcher.EMAIL,
    }
    assert {name: named(name)[0].san_type for name in kinds} == kinds


A = Service(hostname="a.example", namespace="n", ports=(), mesh_external=True)


def upstream(spec: ClientTls) -> UpstreamTlsContext:
    return UpstreamTlsContext.FromString(begin_tls(originated_tls(spec, A)).typed_config.value)


def test_tls_to_the_outside_is_checked_against_the_system() -> None:
    for spec in (ClientTls(mode="SIMPLE"), ClientTls(mode="SIMPLE", ca_certificates="system")):
        context = upstream(spec)
        assert context.sni == "a.example"
        validation = context.common_tls_context.validation_context
        assert validation.trusted_ca == SYSTEM_ROOTS
        assert [each.matcher.exact for each in validation.match_typed_subject_alt_names] == ["a.example"]


def test_tls_to_the_outside_with_what_an_operator_gave() -> None:
    files = ClientTls(
        mode="MUTUAL",
        client_certificate="/c",
        private_key="/k",
        ca_certificates="/r",
        ca_crl="/l",
        sni="b.example",
    )
    assert originated_tls(files, A) == OriginatedTls(
        sni="b.example", names=("a.example",), certificate="file-cert:/c~/k", roots="file-root:/r~/l"
    )
    secret = originated_tls(ClientTls(mode="MUTUAL", credential_name="s", subject_alt_names=("c",)), A)
    assert (secret.certificate, secret.roots, secret.names) == ("credential:s", "credential-roots:s", ("c",))
    assert originated_tls(ClientTls(mode="SIMPLE", credential_name="s"), A).certificate == ""
    common = upstream(files).common_tls_context
    assert common.combined_validation_context.validation_context_sds_secret_config.name == "file-root:/r~/l"


def test_whoever_trusts_anybody_checks_nothing() -> None:
    common = upstream(ClientTls(mode="SIMPLE", insecure_skip_verify=True)).common_tls_context
    assert common.WhichOneof("validation_context_type") is None


def test_names_that_the_service_gives_and_names_that_requests_ask_for() -> None:
    simple = ClientTls(mode="SIMPLE")
    known = msgspec.structs.replace(A, accounts=("b.example",))
    assert originated_tls(simple, known) == OriginatedTls(sni="a.example", names=("b.example",))
    assert originated_tls(simple, msgspec.structs.replace(known, mesh_external=False)).names == ("a.example",)
    assert originated_tls(simple, msgspec.structs.replace(A, hostname="*.a.example")) == OriginatedTls(sni="")
