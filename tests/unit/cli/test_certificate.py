import json
from pathlib import Path

import msgspec
import pytest

from proa.cli import root_changes
from proa.core.model.names import WorkloadId
from proa.ports.authority_store import AuthorityEvent, Issuance
from proa.servers.admin.authority import (
    Audit,
    FederatedRoot,
    FederationStatus,
    PlugRequest,
    RotateRequest,
)
from proa.servers.admin.operations import CertificateStatus
from proa.testing.admin_operations import ONE_ROOT, FixedOperations
from tests.unit.cli.conftest import Proa, Serve

REVIEWS = CertificateStatus(
    workload=WorkloadId("default", "reviews-v1"),
    identity="spiffe://cluster.local/ns/default/sa/reviews",
    dns_names=("reviews-v1.default.workload.cluster.local",),
    serial="0a0b",
    not_before=1_000_000_000,
    not_after=1_000_086_400,
)
NODE = CertificateStatus(
    node="local",
    identity="spiffe://cluster.local/proa/node/local",
    serial="0c",
    not_before=0,
    not_after=4_000_000_000,
)
CERTIFICATES = FixedOperations(certificate_statuses=(REVIEWS, NODE))


def test_show_tells_identity_names_and_validity(proa: Proa, serve: Serve) -> None:
    with serve(CERTIFICATES):
        result = proa("certificate", "show", "reviews")

    lines = result.stdout.splitlines()
    assert lines[:6] == [
        "workload     default/reviews-v1",
        "identity     spiffe://cluster.local/ns/default/sa/reviews",
        "DNS names    reviews-v1.default.workload.cluster.local",
        "serial       0a0b",
        "valid from   2001-09-09 01:46:40Z",
        "valid until  2001-09-10 01:46:40Z",
    ]
    assert lines[6].startswith("remaining    expired ")


def test_list_has_workloads_and_nodes(proa: Proa, serve: Serve) -> None:
    with serve(CERTIFICATES):
        table = proa("certificate", "list").stdout
        tree = json.loads(proa("certificate", "list", "-o", "json").stdout)

    lines = table.splitlines()
    assert lines[1].split()[:3] == ["a" * 16, "active", "CN=a"]
    assert lines[2].startswith("signing: CN=i, ")
    assert [line.split("  ")[0] for line in lines[5:]] == ["default/reviews-v1", "node local"]
    assert tree["authority"]["signer"]["serial"] == "1f"
    assert tree["certificates"][0]["workload"] == {"namespace": "default", "name": "reviews-v1"}


def test_a_workload_without_a_certificate(proa: Proa, serve: Serve) -> None:
    with serve(FixedOperations()):
        result = proa("certificate", "show", "reviews")

    assert (result.exit_code, "there is no workload reviews" in result.stderr) == (1, True)


NEW = msgspec.structs.replace(ONE_ROOT.roots[0], digest="b" * 64, phase="prepared")
PREPARED = msgspec.structs.replace(ONE_ROOT, roots=(*ONE_ROOT.roots, NEW))
WAITING = msgspec.structs.replace(PREPARED, waiting=("node x has not said",))
ACTIVE = msgspec.structs.replace(
    PREPARED,
    roots=(
        msgspec.structs.replace(ONE_ROOT.roots[0], phase="retiring"),
        msgspec.structs.replace(NEW, phase="active"),
    ),
)
OVER = msgspec.structs.replace(ACTIVE, roots=ACTIVE.roots[1:])


def test_a_rotation_is_waited_for_and_told(proa: Proa, serve: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(root_changes, "LOOK_S", 0.001)
    operations = FixedOperations(authority_statuses=[PREPARED, WAITING, ACTIVE, OVER])
    with serve(operations):
        result = proa("certificate", "rotate", "root", "--wait")
    short = "b" * 16
    assert result.stdout.splitlines() == [
        f"root {short} is prepared",
        f"root {short} is active",
        f"root {short} is the only one now",
    ]
    assert "waiting: node x has not said" in result.stderr
    (asked,) = operations.asked
    assert isinstance(asked, RotateRequest)
    assert asked.what == "root"
    assert asked.author


def test_a_rotation_that_takes_too_long_names_who_holds_it_back(proa: Proa, serve: Serve) -> None:
    with serve(FixedOperations(authority_statuses=[PREPARED, WAITING])):
        result = proa("certificate", "rotate", "root", "--wait", "--timeout", "1s")
    assert result.exit_code == 1
    assert "not over after 1 s: node x has not said" in result.stderr


def test_without_waiting_it_says_where_to_look(proa: Proa, serve: Serve) -> None:
    with serve(FixedOperations(authority_statuses=[PREPARED])):
        assert "proa certificate list" in proa("certificate", "rotate", "root").stdout
    with serve(FixedOperations()):
        assert proa("certificate", "rotate", "intermediate").stdout == "CN=i signs now\n"


@pytest.fixture
def pem_files(tmp_path: Path) -> list[str]:
    flags = []
    for name in ("cert", "key", "chain"):
        (tmp_path / name).write_text(f"the {name}\n")
        flags.append(f"--ca-{name}={tmp_path / name}")
    return flags


def test_a_ca_is_plugged_in_and_waited_for(
    proa: Proa, serve: Serve, monkeypatch: pytest.MonkeyPatch, pem_files: list[str]
) -> None:
    monkeypatch.setattr(root_changes, "LOOK_S", 0.001)
    operations = FixedOperations(authority_statuses=[ONE_ROOT, PREPARED, ACTIVE, OVER])
    with serve(operations):
        result = proa("certificate", "plug", *pem_files, "--wait")
    short = "b" * 16
    assert result.stdout.splitlines() == [
        f"root {short} is prepared",
        f"root {short} is active",
        f"root {short} is the only one now",
    ]
    (asked,) = operations.asked
    assert isinstance(asked, PlugRequest)
    assert (asked.cert, asked.key, asked.chain) == ("the cert\n", "the key\n", "the chain\n")
    assert "key" not in repr(asked), "keys are not for logs"


def test_a_ca_under_the_same_root_signs_at_once(proa: Proa, serve: Serve, pem_files: list[str]) -> None:
    with serve(FixedOperations()):
        result = proa("certificate", "plug", *pem_files[:2])
    assert result.stdout == "CN=i signs now, under the same root\n"


def test_the_audit_has_everything_in_order_of_time(proa: Proa, serve: Serve) -> None:
    signed = Issuance(
        serial="1", identity="spiffe://x/y", asked_by="token:t", not_before=0, not_after=9, time=5
    )
    refused = AuthorityEvent(time=7, kind="refused", subject="s", asked_by="spiffe://x/n", detail="no grant")
    with serve(FixedOperations(audited=Audit(issuances=(signed,), events=(refused,)))):
        table = proa("certificate", "audit").stdout.splitlines()
        tree = json.loads(proa("certificate", "audit", "-o", "json").stdout)
    assert [line.split()[2] for line in table[1:]] == ["refused", "signed"]
    assert tree["events"][0]["detail"] == "no grant"


FEDERATED = FederationStatus(
    trust_domain="partner.example",
    object="FederatedTrustDomain/istio-system/partner",
    namespaces=("default",),
    roots=(FederatedRoot(digest="c" * 64, not_after=2_000_000_000),),
    endpoint="https://partner.example/bundle",
    failing="no answer within 10 s",
)
UNKNOWN = msgspec.structs.replace(FEDERATED, trust_domain="silent.example", roots=(), endpoint="", failing="")


def test_partners_are_listed_and_shown_beside_whom_they_concern(proa: Proa, serve: Serve) -> None:
    known = FixedOperations(certificate_statuses=(REVIEWS,), federation_statuses=(FEDERATED, UNKNOWN))
    with serve(known):
        lines = [line.split() for line in proa("certificate", "list").stdout.splitlines()]
        shown = proa("certificate", "show", "reviews").stdout
    assert ["partner.example", "default", "c" * 16] in [line[:3] for line in lines]
    assert ["silent.example", "default", "none:"] in [line[:3] for line in lines]
    assert ["partner.example", "cannot", "be", "refreshed:"] in [line[:4] for line in lines]
    assert "believes     partner.example\n" in shown


def test_the_own_bundle_in_both_forms(proa: Proa, serve: Serve) -> None:
    with serve(FixedOperations()):
        pem = proa("certificate", "bundle")
        document = proa("certificate", "bundle", "--format", "spiffe")
    assert (pem.stdout, document.stdout) == ("PEM\n", '{"keys":[]}\n')
