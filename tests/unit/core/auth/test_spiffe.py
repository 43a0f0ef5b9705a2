import pytest
from hypothesis import given
from hypothesis import strategies as st

from proa.core.auth.spiffe import (
    InvalidSpiffeId,
    SpiffeId,
    account_of,
    control_plane_id,
    is_dns_label,
    is_dns_name,
    node_id,
    node_of,
    parse_spiffe_id,
    path_problem,
    trust_domain_problem,
    workload_dns_name,
    workload_id,
)
from proa.core.model.names import WorkloadId

domains = st.from_regex(r"[a-z0-9._-]{1,60}", fullmatch=True)
segments = st.from_regex(r"[A-Za-z0-9._-]{1,20}", fullmatch=True).filter(lambda text: text not in (".", ".."))
paths = st.lists(segments, max_size=5).map(lambda each: "".join("/" + segment for segment in each))
labels = st.from_regex(r"[a-z0-9]([a-z0-9-]{0,20}[a-z0-9])?", fullmatch=True)


@given(domains, paths)
def test_every_id_reads_back(domain: str, path: str) -> None:
    identity = SpiffeId(domain, path)
    assert parse_spiffe_id(str(identity)) == identity


@given(st.text(max_size=60).map(lambda text: "spiffe://" + text))
def test_what_parses_has_one_spelling(text: str) -> None:
    try:
        identity = parse_spiffe_id(text)
    except InvalidSpiffeId:
        return
    assert str(identity) == text


@pytest.mark.parametrize(
    "text",
    [
        "",
        "https://cluster.local/ns/a/sa/b",
        "SPIFFE://cluster.local/ns/a/sa/b",
        "spiffe://",
        "spiffe:///ns/a/sa/b",
        "spiffe://Cluster.local/ns/a/sa/b",
        "spiffe://cluster.local:8443/ns/a/sa/b",
        "spiffe://user@cluster.local/ns/a/sa/b",
        "spiffe://cluster.local/",
        "spiffe://cluster.local/ns/a/sa/b/",
        "spiffe://cluster.local/ns//sa/b",
        "spiffe://cluster.local/ns/./sa/b",
        "spiffe://cluster.local/ns/../sa/b",
        "spiffe://cluster.local/ns/a%2Fb/sa/b",
        "spiffe://cluster.local/ns/a/sa/b?x=1",
        "spiffe://cluster.local/ns/a/sa/b#x",
        "spiffe://cluster.local/ns/ä/sa/b",
        "spiffe://clüster.local/ns/a/sa/b",
        "spiffe://cluster.local/ns/a/sa/b\n",
        "spiffe://cluster.local\n/ns/a/sa/b",
        "spiffe://" + "a" * 256,
        "spiffe://cluster.local/" + "a" * 2048,
    ],
)
def test_what_the_specification_forbids_is_refused(text: str) -> None:
    with pytest.raises(InvalidSpiffeId):
        parse_spiffe_id(text)


def test_problems_say_which_rule_is_broken() -> None:
    assert trust_domain_problem("cluster.local") is None
    assert trust_domain_problem("") == "the trust domain is empty"
    assert path_problem("") is None
    assert path_problem("ns") == "a path starts with a slash"
    assert path_problem("/a/../b") == "a path has no dot segments"


@given(domains, labels, labels)
def test_a_workloads_id_tells_its_account_and_is_no_nodes(domain: str, namespace: str, account: str) -> None:
    identity = workload_id(domain, namespace, account)
    assert account_of(identity) == (namespace, account)
    assert node_of(identity) is None


@given(domains, labels)
def test_a_nodes_id_is_useless_as_a_workloads(domain: str, node: str) -> None:
    identity = node_id(domain, node)
    assert node_of(identity) == node
    assert account_of(identity) is None


def test_the_spellings_are_istios() -> None:
    assert str(workload_id("cluster.local", "default", "bookinfo-reviews")) == (
        "spiffe://cluster.local/ns/default/sa/bookinfo-reviews"
    )
    assert str(node_id("cluster.local", "laptop")) == "spiffe://cluster.local/proa/node/laptop"
    assert str(control_plane_id("cluster.local")) == "spiffe://cluster.local/ns/istio-system/sa/proa"


@pytest.mark.parametrize("name", ["a/b", "", ".."])
def test_a_name_cannot_become_structure(name: str) -> None:
    with pytest.raises(InvalidSpiffeId):
        workload_id("cluster.local", "default", name)
    with pytest.raises(InvalidSpiffeId):
        node_id("cluster.local", name)


@given(st.lists(labels, min_size=1, max_size=3).map(".".join), labels)
def test_a_dns_name_tells_one_workload(name: str, namespace: str) -> None:
    dns_name = workload_dns_name(WorkloadId(namespace, name), "cluster.local")
    stem = dns_name.removesuffix(".workload.cluster.local")
    assert stem.rpartition(".")[::2] == (name, namespace)


@pytest.mark.parametrize(
    "workload",
    [
        WorkloadId("default", "Reviews"),
        WorkloadId("default", "*"),
        WorkloadId("default", ""),
        WorkloadId("a.b", "reviews"),
        WorkloadId("default", ".".join(["a" * 60] * 4)),
    ],
)
def test_a_workload_without_a_dns_name_is_refused(workload: WorkloadId) -> None:
    with pytest.raises(ValueError, match="has no DNS name"):
        workload_dns_name(workload, "cluster.local")


def test_labels_and_names() -> None:
    assert is_dns_label("reviews-v1")
    assert not is_dns_label("reviews.v1")
    assert not is_dns_label("-reviews")
    assert not is_dns_label("a" * 64)
    assert not is_dns_label("reviews\n")
    assert is_dns_name("reviews.v1")
    assert not is_dns_name("reviews..v1")
