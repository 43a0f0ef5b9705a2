"""Names that several parts must spell alike."""

import pytest

from proa.core.model.names import (
    ObjectRef,
    WorkloadId,
    cluster_name,
    expand_host,
    mesh_sni,
    parse_object_ref,
    parse_workload_id,
    service_hostname,
    short_names,
    virtual_host_name,
)


def test_object_refs_and_workload_ids_can_be_read_back() -> None:
    ref = ObjectRef("Gateway", "default", "edge")
    assert parse_object_ref(str(ref)) == ref
    workload = WorkloadId("shop", "a-1")
    assert parse_workload_id(str(workload)) == workload
    assert parse_workload_id("a-1") == WorkloadId("default", "a-1")
    with pytest.raises(ValueError, match="unpack"):
        parse_object_ref("edge")


def test_istios_spellings() -> None:
    host = service_hostname("reviews", "default")
    assert host == "reviews.default.svc.cluster.local"
    assert cluster_name("outbound", 9080, "v1", host) == f"outbound|9080|v1|{host}"
    assert mesh_sni(9080, "v1", host) == f"outbound_.9080_.v1_.{host}"
    assert virtual_host_name(host, 9080) == f"{host}:9080"


@pytest.mark.parametrize(
    ("host", "full"),
    [
        ("reviews", "reviews.shop.svc.cluster.local"),
        ("reviews.default", "reviews.default"),
        ("*", "*"),
        ("*.Example.com", "*.example.com"),
        ("Reviews", "reviews.shop.svc.cluster.local"),
    ],
)
def test_a_short_host_is_of_the_rules_own_namespace(host: str, full: str) -> None:
    assert expand_host(host, "shop") == full


def test_short_names() -> None:
    host = "a.default.svc.cluster.local"
    assert short_names(host, "default") == (host, "a", "a.default", "a.default.svc")
    assert short_names(host, "shop") == (host, "a.default", "a.default.svc")
    for other in (
        "x.example.com",
        "*.default.svc.cluster.local",
        "a.b.c.svc.cluster.local",
        "a.svc.cluster.local",
    ):
        assert short_names(other, "default") == (other,)
