import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from proa.core.auth.grants import BROAD, Grant, Placement, accepted_accounts, parse_placement, refusals
from proa.core.model.names import WorkloadId

NAMES = ("reviews", "ratings", "details")
names = st.sampled_from(NAMES)
patterns = st.sampled_from((*NAMES, "*"))
nodes = st.sampled_from(("a", "b"))
placements = st.builds(Placement, namespace=patterns, service=patterns, account=patterns)
grants = st.builds(Grant, node=nodes, placements=st.lists(placements, max_size=4).map(tuple))


class Asked(msgspec.Struct, frozen=True, kw_only=True):
    """A registration as far as rights go."""

    id: WorkloadId
    node: str = "a"
    account: str = "reviews"
    services: tuple[str, ...] = ("reviews",)


claims = st.builds(
    Asked,
    id=st.builds(WorkloadId, names, st.just("w")),
    node=nodes,
    account=names,
    services=st.lists(names, unique=True, max_size=2).map(tuple),
)
REVIEWS = Asked(id=WorkloadId("default", "reviews-v1"))


def grant(*texts: str, node: str = "a") -> Grant:
    return Grant(node=node, placements=tuple(map(parse_placement, texts)))


def test_what_is_placed_may_be_registered() -> None:
    assert refusals(grant("default/reviews/reviews"), REVIEWS) == ()
    assert refusals(Grant(node="a", placements=BROAD), REVIEWS) == ()


def test_refusals_say_what_is_missing() -> None:
    assert refusals(grant(), REVIEWS) == ("node a may not place workloads in namespace default",)
    assert refusals(grant("default/ratings"), REVIEWS) == (
        "node a may not place service reviews in namespace default",
    )
    assert refusals(grant("default/reviews/ratings"), REVIEWS) == (
        "node a may not place service reviews in namespace default under account reviews",
    )
    assert refusals(grant("*", node="b"), REVIEWS) == ("node b may not speak for node a",)


def test_each_service_of_a_workload_is_asked_for() -> None:
    both = msgspec.structs.replace(REVIEWS, services=("details", "ratings", "reviews"))
    assert refusals(grant("default/reviews", "default/ratings/other"), both) == (
        "node a may not place service details in namespace default",
        "node a may not place service ratings in namespace default under account reviews",
    )


def test_service_and_account_must_stand_in_one_placement() -> None:
    assert refusals(grant("default/reviews/ratings", "default/ratings/reviews"), REVIEWS)


def test_a_client_needs_its_account() -> None:
    client = msgspec.structs.replace(REVIEWS, services=())
    assert refusals(grant("default/reviews/reviews"), client) == ()
    assert refusals(grant("default/reviews/ratings"), client) == (
        "node a may not place workload reviews-v1 in namespace default under account reviews",
    )


@pytest.mark.parametrize(
    "claim",
    [
        Asked(id=WorkloadId("default/../x", "w")),
        Asked(id=WorkloadId("default", "a b")),
        Asked(id=WorkloadId("default", "w"), account="../../proa/node/b"),
        Asked(id=WorkloadId("default", "w"), services=("*",)),
        Asked(id=WorkloadId("default", "w"), services=("reviews.other",)),
        Asked(id=WorkloadId("istio-system", "w"), account="proa"),
    ],
)
def test_no_grant_covers_names_that_are_none_or_the_control_planes(claim: Asked) -> None:
    assert refusals(Grant(node="a", placements=BROAD), claim)


@given(grants, placements, claims)
def test_more_placements_refuse_no_more(given_grant: Grant, more: Placement, claim: Asked) -> None:
    wider = msgspec.structs.replace(given_grant, placements=(*given_grant.placements, more))
    assert set(refusals(wider, claim)) == set() or refusals(given_grant, claim)


@given(grants, claims)
def test_a_workload_serving_less_is_refused_no_more(given_grant: Grant, claim: Asked) -> None:
    for service in claim.services:
        less = msgspec.structs.replace(claim, services=(service,))
        assert not refusals(given_grant, less) or refusals(given_grant, claim)


@given(st.lists(grants, max_size=2), st.lists(claims, max_size=4), names, names)
def test_accepted_accounts_are_of_grants(
    some: list[Grant], asked: list[Asked], namespace: str, service: str
) -> None:
    by_node = {each.node: each for each in some}
    accounts = accepted_accounts(by_node, namespace, service, asked)
    for account in accounts:
        whoever = [
            Asked(id=WorkloadId(namespace, "w"), node=node, account=account, services=(service,))
            for node in by_node
        ]
        assert any(not refusals(by_node[claim.node], claim) for claim in whoever)
    for claim in asked:
        of_it = claim.id.namespace == namespace and service in claim.services and claim.node in by_node
        if of_it and not refusals(by_node[claim.node], claim):
            assert claim.account in accounts


@given(st.lists(grants, max_size=2), placements, st.lists(claims, max_size=4), names, names)
def test_more_placements_accept_no_less(
    some: list[Grant], more: Placement, asked: list[Asked], namespace: str, service: str
) -> None:
    by_node = {each.node: each for each in some}
    wider = {
        node: msgspec.structs.replace(each, placements=(*each.placements, more))
        for node, each in by_node.items()
    }
    before = accepted_accounts(by_node, namespace, service, asked)
    assert set(before) <= set(accepted_accounts(wider, namespace, service, asked))


def test_accounts_come_from_grants_not_from_who_registered() -> None:
    named = {"a": grant("default/reviews/bookinfo-reviews"), "b": grant("other/*/*", node="b")}
    stranger = msgspec.structs.replace(REVIEWS, node="b", account="evil")
    unknown = msgspec.structs.replace(REVIEWS, node="c", account="evil")
    assert accepted_accounts(named, "default", "reviews", [stranger, unknown]) == ("bookinfo-reviews",)


def test_a_wildcard_account_counts_for_what_was_accepted_under_it() -> None:
    broad = {"a": Grant(node="a", placements=BROAD)}
    assert accepted_accounts(broad, "default", "reviews", []) == ()
    assert accepted_accounts(broad, "default", "reviews", [REVIEWS]) == ("reviews",)
    assert accepted_accounts(broad, "default", "ratings", [REVIEWS]) == ()


@given(placements)
def test_placements_read_back(placement: Placement) -> None:
    assert parse_placement(str(placement)) == placement


def test_what_is_left_out_is_anything() -> None:
    assert parse_placement("default") == Placement(namespace="default")
    assert parse_placement("default/reviews") == Placement(namespace="default", service="reviews")


@pytest.mark.parametrize("text", ["", "a/b/c/d", "a//c", "rev*", "A"])
def test_what_is_no_placement_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"placement|neither"):
        parse_placement(text)
