from typing import get_args

import pytest

from proa.core.auth.hop import (
    ClientKind,
    ClientRule,
    Refusal,
    Result,
    ServerMode,
    Wire,
    client_speaks,
    hop,
    partner_hop,
    refused_at,
    server_reads,
    takes,
)
from proa.core.model.endpoint import TlsFact


@pytest.mark.parametrize(
    ("client", "rule", "fact", "wire"),
    [
        ("sidecar", "auto", "mutual", "mesh TLS"),
        ("gateway", "auto", "disabled", "plaintext"),
        ("sidecar", "mutual", "disabled", "mesh TLS"),
        ("sidecar", "plain", "mutual", "plaintext"),
        ("gateway", "outside", "mutual", "TLS"),
        ("proxyless", "auto", "mutual", "gRPC's mesh TLS"),
        ("proxyless", "outside", "mutual", None),
        ("plain", "mutual", "mutual", "plaintext"),
        ("foreign", "plain", "disabled", "foreign mesh TLS"),
    ],
)
def test_what_is_sent(client: ClientKind, rule: ClientRule, fact: TlsFact, wire: Wire | None) -> None:
    assert client_speaks(client, rule, fact) == wire


@pytest.mark.parametrize(
    ("wire", "mode", "result"),
    [
        ("plaintext", "STRICT", "refused"),
        ("TLS", "STRICT", "refused"),
        ("mesh TLS", "STRICT", "mutual TLS"),
        ("gRPC's mesh TLS", "STRICT", "mutual TLS"),
        ("gRPC's mesh TLS", "PERMISSIVE", "refused"),
        ("mesh TLS", "PERMISSIVE", "mutual TLS"),
        ("TLS", "PERMISSIVE", "program's TLS"),
        ("mesh TLS", "DISABLE", "refused"),
        ("plaintext", "DISABLE", "plaintext"),
        ("mesh TLS", "NONE", "refused"),
        ("foreign mesh TLS", "STRICT", "refused"),
        ("foreign mesh TLS", "PERMISSIVE", "refused"),
        ("foreign mesh TLS", "DISABLE", "program's TLS"),
    ],
)
def test_what_is_made_of_it(wire: Wire, mode: ServerMode, result: Result) -> None:
    assert server_reads(wire, mode) == result
    assert mode == "NONE" or takes(wire, mode) == (result != "refused")
    assert (wire in refused_at(mode)) == (result == "refused" and wire != "foreign mesh TLS")


@pytest.mark.parametrize("mode", get_args(ServerMode))
def test_a_partner_is_as_one_of_ours_where_it_is_believed(mode: ServerMode) -> None:
    ours = hop("sidecar", "mutual", "mutual", mode)
    assert partner_hop(mode, is_believed=True) == ours
    assert partner_hop(mode, is_believed=False).result == "refused"


@pytest.mark.parametrize(
    ("client", "rule", "mode", "why"),
    [
        ("proxyless", "outside", "NONE", "no way"),
        ("plain", "auto", "STRICT", "no certificate of the mesh"),
        ("sidecar", "outside", "STRICT", "no certificate of the mesh"),
        ("gateway", "mutual", "DISABLE", "nobody ends it"),
        ("proxyless", "auto", "PERMISSIVE", "nobody ends it"),
        ("foreign", "auto", "STRICT", "certificate untrusted"),
        ("sidecar", "auto", "STRICT", None),
    ],
)
def test_a_refusal_has_a_reason(
    client: ClientKind, rule: ClientRule, mode: ServerMode, why: Refusal | None
) -> None:
    found = hop(client, rule, "mutual", mode)
    assert (found.why, found.result == "refused") == (why, why is not None)
