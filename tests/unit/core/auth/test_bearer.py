"""A subject has the identity that a rule gives it, and no other."""

import pytest

from proa.core.auth.bearer import Bearer, SubjectRules, bearer_of
from proa.core.auth.spiffe import workload_id

TD = "cluster.local"
RULES = SubjectRules(
    accounts={"repo:shop/reviews": "shop/reviews", "bad": "reviews", "root": "istio-system/proa"},
    namespaces=("shop",),
)


def test_what_rules_give() -> None:
    reviews = workload_id(TD, "shop", "reviews")
    assert bearer_of(RULES, "repo:shop/reviews", "", TD) == Bearer(identity=reviews)
    of_pod = bearer_of(RULES, "system:serviceaccount:shop:reviews", "reviews-7d", TD)
    assert of_pod == Bearer(identity=reviews, names=("reviews-7d.shop.workload.cluster.local",))
    anywhere = SubjectRules(namespaces=("*",))
    assert bearer_of(anywhere, "system:serviceaccount:x:y", "", TD) == Bearer(
        identity=workload_id(TD, "x", "y")
    )


@pytest.mark.parametrize(
    "subject",
    [
        "",
        "repo:shop/other",
        "bad",
        "root",
        "system:serviceaccount:other:reviews",
        "system:serviceaccount:shop",
        "system:serviceaccount:shop:a/b",
        "system:serviceaccount:shop:",
        "system:serviceaccount:*:x",
    ],
)
def test_who_has_none(subject: str) -> None:
    assert bearer_of(RULES, subject, "", TD) is None


def test_the_control_planes_account_is_given_to_nobody() -> None:
    rules = SubjectRules(namespaces=("*",))
    assert bearer_of(rules, "system:serviceaccount:istio-system:proa", "", TD) is None


def test_a_workload_that_is_no_dns_name_makes_no_certificate() -> None:
    assert bearer_of(RULES, "repo:shop/reviews", "a b", TD) is None
