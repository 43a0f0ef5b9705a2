"""Mesh TLS: keys and bundles by SDS, peers by their URI."""

import re

from envoy.extensions.transport_sockets.tls.v3.tls_pb2 import DownstreamTlsContext, UpstreamTlsContext

from proa.core.auth.spiffe import node_id, workload_id
from proa.core.pilot.simulate.resources import unpack
from proa.core.pilot.translate import tls


def test_a_client_shows_its_certificate_and_expects_an_account() -> None:
    context = unpack(tls.client_mtls("sni", ["spiffe://t/a"], tls.ALPN_TCP).typed_config, UpstreamTlsContext)
    assert context is not None
    common = context.common_tls_context
    assert [each.name for each in common.tls_certificate_sds_secret_configs] == ["default"]
    combined = common.combined_validation_context
    assert combined.validation_context_sds_secret_config.name == "ROOTCA"
    (name,) = combined.default_validation_context.match_typed_subject_alt_names
    assert (name.san_type, name.matcher.exact) == (name.URI, "spiffe://t/a")


def test_without_an_account_nobody_will_do() -> None:
    context = unpack(tls.client_mtls("sni", [], ()).typed_config, UpstreamTlsContext)
    assert context is not None
    validation = context.common_tls_context.combined_validation_context.default_validation_context
    assert [each.matcher.exact for each in validation.match_typed_subject_alt_names] == [tls.NO_ACCOUNT]


def test_a_server_requires_a_certificate() -> None:
    context = unpack(tls.server_mtls(tls.SERVER_HTTP).typed_config, DownstreamTlsContext)
    assert context is not None
    assert context.require_client_certificate.value
    assert list(context.common_tls_context.alpn_protocols) == ["h2", "http/1.1"]


def test_a_server_takes_workloads_and_no_nodes() -> None:
    context = unpack(tls.server_mtls(tls.SERVER_HTTP).typed_config, DownstreamTlsContext)
    assert context is not None
    validation = context.common_tls_context.combined_validation_context.default_validation_context
    (name,) = validation.match_typed_subject_alt_names
    assert name.san_type == name.URI
    taken = re.compile(name.matcher.safe_regex.regex)  # Envoy matches the whole text, too
    assert taken.fullmatch(str(workload_id("cluster.local", "default", "a")))
    assert not taken.fullmatch(str(node_id("cluster.local", "a")))


def test_plaintext_is_said_and_not_left_out() -> None:
    assert tls.plaintext().typed_config.type_url.endswith("RawBuffer")
