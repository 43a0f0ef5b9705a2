import json

from proa.core.model.names import WorkloadId
from proa.servers.admin.operations import CertificateStatus
from proa.testing.admin_operations import FixedOperations
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

    assert [line.split("  ")[0] for line in table.splitlines()[1:]] == ["default/reviews-v1", "node local"]
    assert tree["certificates"][0]["workload"] == {"namespace": "default", "name": "reviews-v1"}


def test_a_workload_without_a_certificate(proa: Proa, serve: Serve) -> None:
    with serve(FixedOperations()):
        result = proa("certificate", "show", "reviews")

    assert (result.exit_code, "there is no workload reviews" in result.stderr) == (1, True)
