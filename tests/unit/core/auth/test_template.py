import msgspec
import pytest

from proa.core.auth.spiffe import SpiffeId
from proa.core.auth.template import (
    BACKDATE,
    LEAF_TTL,
    MAX_SERIAL,
    CertificateTemplate,
    IssuanceError,
    Validity,
    control_plane_leaf,
    intermediate_ca,
    node_leaf,
    root_ca,
    serial_from,
    workload_leaf,
)
from proa.core.model.names import WorkloadId

NOW = 1_750_000_000.0
DAY = Validity(now=NOW, ttl=LEAF_TTL, signer_not_before=0, signer_not_after=int(NOW) + 10 * LEAF_TTL)


def test_a_workload_has_its_accounts_id_and_its_own_name() -> None:
    template = workload_leaf("cluster.local", WorkloadId("default", "reviews-v1"), "bookinfo-reviews", 5, DAY)
    assert str(template.uri) == "spiffe://cluster.local/ns/default/sa/bookinfo-reviews"
    assert template.dns_names == ("reviews-v1.default.workload.cluster.local",)
    assert not template.is_ca
    assert (template.common_name, template.serial) == ("", 5)


def test_a_node_has_no_dns_name_and_the_control_plane_istios_too() -> None:
    assert node_leaf("cluster.local", "laptop", 5, DAY).dns_names == ()
    assert control_plane_leaf("cluster.local", 5, DAY).dns_names == (
        "proa.istio-system.svc",
        "istiod.istio-system.svc",
    )


def test_cas_name_their_trust_domain() -> None:
    root, intermediate = root_ca("cluster.local", 5, NOW), intermediate_ca("cluster.local", 6, DAY)
    assert root.uri == intermediate.uri == SpiffeId("cluster.local")
    assert root.is_ca
    assert intermediate.is_ca
    assert (root.path_length, intermediate.path_length) == (None, 0)
    assert root_ca("cluster.local", 7, NOW).subject_serial != root.subject_serial


def test_validity_stays_within_the_signers() -> None:
    assert DAY.not_before == NOW - BACKDATE
    assert DAY.not_after == NOW + LEAF_TTL
    narrow = Validity(now=NOW, ttl=LEAF_TTL, signer_not_before=int(NOW) - 5, signer_not_after=int(NOW) + 7)
    assert (narrow.not_before, narrow.not_after) == (NOW - 5, NOW + 7)


@pytest.mark.parametrize(
    "wrong",
    [
        {"serial": 0},
        {"serial": MAX_SERIAL},
        {"not_after": int(NOW) - BACKDATE},
        {"uri": SpiffeId("cluster.local")},
        {"is_ca": True},
    ],
)
def test_a_template_that_must_not_be_signed_cannot_exist(wrong: dict[str, object]) -> None:
    template = node_leaf("cluster.local", "laptop", 5, DAY)
    fields = {**msgspec.structs.asdict(template), **wrong}
    with pytest.raises(IssuanceError):
        CertificateTemplate(**fields)


def test_an_expired_signer_signs_nothing() -> None:
    over = Validity(now=NOW, ttl=LEAF_TTL, signer_not_before=0, signer_not_after=int(NOW) - 100)
    with pytest.raises(IssuanceError, match="not valid for any time"):
        node_leaf("cluster.local", "laptop", 5, over)


def test_serials_are_positive_and_fit() -> None:
    assert serial_from(b"\xff" * 20) == MAX_SERIAL - 1
    assert serial_from(b"\0" * 20) == 1
    with pytest.raises(IssuanceError):
        serial_from(b"\xff" * 19)
