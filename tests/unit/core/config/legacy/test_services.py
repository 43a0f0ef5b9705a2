"""Hosts, clients and subsets by the words of 2018."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from immutables import Map

from proa.core.config.hostnames import is_dns_label
from proa.core.config.labels import is_object_name
from proa.core.config.legacy.schema import IstioService
from proa.core.config.legacy.services import (
    full_host,
    home_of,
    object_name,
    source_labels,
    source_service,
    spelled_host,
    subset_name,
)


@pytest.mark.parametrize(
    ("service", "spelled", "full"),
    [
        (IstioService(name="c"), "c", "c.shop.svc.cluster.local"),
        (IstioService(name="c", namespace="shop"), "c", "c.shop.svc.cluster.local"),
        (IstioService(name="c", namespace="other"), "c.other.svc.cluster.local", "c.other.svc.cluster.local"),
        (IstioService(name="c", domain="example.com"), "c.shop.example.com", "c.shop.example.com"),
        (IstioService(name="c", service="httpbin.org"), "httpbin.org", "httpbin.org"),
        (IstioService(service="c"), "c", "c.shop.svc.cluster.local"),
        (IstioService(namespace="shop"), "", "." + "shop.svc.cluster.local"),
    ],
)
def test_which_host_a_service_is(service: IstioService, spelled: str, full: str) -> None:
    assert spelled_host(service, "shop") == spelled
    assert full_host(service, "shop") == full


def test_where_a_destination_rule_holds_for_all() -> None:
    assert home_of("c.other.svc.cluster.local", "shop") == "other"
    assert home_of("httpbin.org", "shop") == "shop"
    assert home_of("a.b.c.svc.cluster.local", "shop") == "shop"


def test_who_a_source_is() -> None:
    assert source_service(IstioService(name="a"), "shop") == ("a", "shop")
    assert source_service(IstioService(service="a.other.svc.cluster.local"), "shop") == ("a", "other")
    assert source_service(IstioService(service="*"), "shop") == ("", "")
    assert source_service(IstioService(service="example.com"), "shop") is None
    labels = Map({"version": "v1"})
    assert source_labels(IstioService(name="a", labels=labels), "shop") == {"app": "a", "version": "v1"}
    assert source_labels(IstioService(labels=Map({"app": "b"}), name="a"), "shop") == {"app": "b"}


def test_names_of_subsets() -> None:
    assert subset_name({"version": "1.0"}) == "version-1-0"
    assert (
        subset_name({"version": "v1", "app.kubernetes.io/name": "x"}) == "app-kubernetes-io-name-x-version-v1"
    )
    assert subset_name({}) == ""
    long = {"version": "v" * 63}
    assert subset_name(long) != subset_name({"version": "v" * 62})
    assert len(subset_name(long)) <= 63


LABEL = st.from_regex(r"[A-Za-z0-9]([-A-Za-z0-9_.]{0,60}[A-Za-z0-9])?", fullmatch=True)


@given(st.dictionaries(LABEL, LABEL, min_size=1, max_size=4))
def test_every_label_set_has_a_usable_name(labels: dict[str, str]) -> None:
    assert is_dns_label(subset_name(labels))
    assert subset_name(labels) == subset_name(dict(reversed(labels.items())))


def test_names_of_objects() -> None:
    assert object_name("*.httpbin.org") == "wildcard.httpbin.org"
    assert object_name("C.example.com") == "c.example.com"
    assert is_object_name(object_name("*google.com"))
