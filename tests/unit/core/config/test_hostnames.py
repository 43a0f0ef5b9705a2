import pytest

from proa.core.config.hostnames import (
    gateway_host_fault,
    gateway_name_fault,
    host_or_ip_fault,
    hosts_overlap,
    is_dns_label,
    is_ip,
    name_fault,
    sidecar_host_fault,
    subnet_fault,
    wildcard_name_fault,
)


def test_labels_and_addresses() -> None:
    assert is_dns_label("v2-Mysql")
    assert not any(map(is_dns_label, ["", "-a", "a-", "a_b", "a.b", "a" * 64, "a\n"]))
    assert is_ip("10.0.0.1")
    assert is_ip("001:db8::")
    assert not is_ip("10.0.0.1/8")


@pytest.mark.parametrize("name", ["a", "reviews.default.svc.cluster.local", "example.com.", "a-1.B", "7.a"])
def test_good_names(name: str) -> None:
    assert name_fault(name) is None
    assert wildcard_name_fault(name) is None


@pytest.mark.parametrize(
    "name", ["", ".", "a..b", "-a.b", "a_b", "10.0.0.1", "a.7", "a" * 64, "a." * 128 + "a", "a\n", "ä.de"]
)
def test_bad_names(name: str) -> None:
    assert name_fault(name) is not None
    assert wildcard_name_fault(name) is not None


def test_wildcards_stand_in_front() -> None:
    for good in ("*", "*.example.com", "*x", "*-x.example.com"):
        assert wildcard_name_fault(good) is None
        assert name_fault(good) is not None
    for bad in ("foo*", "a.*", "*.*", "**", "*.", "f*o.com", "*.7"):
        assert wildcard_name_fault(bad) is not None


def test_a_bare_number_is_a_short_name_in_a_rule() -> None:
    assert wildcard_name_fault("123") is None
    assert host_or_ip_fault("::1") is None
    assert host_or_ip_fault("10.0.0.300") is not None


@pytest.mark.parametrize("text", ["10.0.0.1", "10.1.2.3/8", "::1", "2001:db8::/32", "1.1.1.1/32"])
def test_good_subnets(text: str) -> None:
    assert subnet_fault(text) is None


@pytest.mark.parametrize("text", ["", "a", "10.0.0.0/99", "10.0.0.0/", "10.0.0.0/255.0.0.0", "/8", "1.2.3/8"])
def test_bad_subnets(text: str) -> None:
    assert subnet_fault(text) is not None


@pytest.mark.parametrize(
    ("one", "other", "overlap"),
    [
        ("a.com", "a.com", True),
        ("a.com", "b.com", False),
        ("*.a.com", "x.a.com", True),
        ("*.com", "*.a.com", True),
        ("*.a.com", "*.b.com", False),
        ("*", "a", True),
        ("*.a.com", "a.com", False),
    ],
)
def test_overlap_goes_both_ways(one: str, other: str, overlap: bool) -> None:
    assert hosts_overlap(one, other) is hosts_overlap(other, one) is overlap


def test_hosts_of_gateways() -> None:
    for good in ("*", "*.a.com", "a.com", "ns/a.com", "./*", "*/a.com", "10.0.0.1"):
        assert gateway_host_fault(good) is None
    for bad in ("", "short", "/a.com", "ns/", "N S/a.com", "ns/short", "a.*.com"):
        assert gateway_host_fault(bad) is not None


def test_hosts_that_sidecars_import() -> None:
    for good in ("*/*", "./*", "~/*", "shop/*.a.com", "*/a.com", "~shop/*", "~*/a.com"):
        assert sidecar_host_fault(good) is None
    for bad in ("", "a.com", "/a.com", "shop/", "shop/a", "N S/a.com", "~/a.com", "./a.*.com", "~~a/*"):
        assert sidecar_host_fault(bad) is not None


def test_names_of_gateways() -> None:
    for good in ("mesh", "front", "edge/front", "front.edge"):
        assert gateway_name_fault(good) is None
    for bad in ("", "/a", "a/", "a/b/c", "a b", "*"):
        assert gateway_name_fault(bad) is not None
