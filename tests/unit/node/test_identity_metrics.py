"""What the page says of identities, as Prometheus reads it."""

import time

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from prometheus_client.parser import text_string_to_metric_families

from proa.core.auth.ca import make_root
from proa.core.auth.roots import root_sha256
from proa.core.model.names import WorkloadId
from proa.node.denials import TOLD, Denials
from proa.node.identity_metrics import Identities, identity_metrics

A, B = WorkloadId("default", "a"), WorkloadId("shop", "b")


def test_each_family_is_read_back() -> None:
    now = time.time()
    root = make_root("td", ec.generate_private_key(ec.SECP256R1()), 1, now)
    denials = Denials()
    denials.count("another process", A, 7)
    found = Identities(
        node_ends=int(now) + 60,
        ends={B: int(now) + 30, A: int(now) - 10},
        roots_pem=root.pem,
        renewals={"renewed": 3, "failed": 1},
        denied=denials.counts,
    )
    page = {each.name: each for each in text_string_to_metric_families(identity_metrics(found, int(now)))}
    values = {
        name: {tuple(sorted(each.labels.items())): each.value for each in family.samples}
        for name, family in page.items()
    }
    assert values["proa_node_certificate_expiry_seconds"] == {(): 60}
    assert values["proa_workload_certificate_expiry_seconds"] == {
        (("namespace", "default"), ("workload", "a")): -10,
        (("namespace", "shop"), ("workload", "b")): 30,
    }
    (ends,) = values["proa_node_root_expiry_seconds"].items()
    assert ends == ((("root", root_sha256(root.pem)[:12]),), root.not_after - int(now))
    assert values["proa_node_certificate_renewals"] == {
        (("result", "failed"),): 1,
        (("result", "renewed"),): 3,
    }
    assert values["proa_node_denied"] == {
        (("namespace", "default"), ("reason", "another process"), ("workload", "a")): 1
    }
    assert all(each.documentation for each in page.values())


def test_a_process_that_knocks_for_ever_fills_no_log(caplog: pytest.LogCaptureFixture) -> None:
    denials = Denials()
    for _ in range(2000):
        denials.count("another user", A, 1)
    denials.count("another user", B, 1)
    assert len(caplog.messages) == TOLD + 2 + 1
    assert denials.counts["another user", A] == 2000
    denials.forget(A)
    assert dict(denials.counts) == {("another user", B): 1}
