from immutables import Map

from proa.core.mixer.quota.limits import (
    Charge,
    Chosen,
    Override,
    QuotaLimit,
    cell_of_instance,
    cell_of_limit,
    choose,
    find_limit,
)

PRODUCT_PAGE = Override(dimensions=Map(destination="productpage"), max_amount=2, window_ms=5000)
FROM_ONE_ADDRESS = Override(
    dimensions=Map(destination="productpage", source="10.28.11.20"), max_amount=500, window_ms=1000
)
LIMIT = QuotaLimit(
    quota="requestcount.quota.istio-system",
    max_amount=500,
    window_ms=1000,
    overrides=(FROM_ONE_ADDRESS, PRODUCT_PAGE),
)


def test_the_first_override_that_fits_counts() -> None:
    page = Map(destination="productpage", source="10.0.0.1", version="v1")
    assert choose(LIMIT, page) == Chosen(rule=1, max_amount=2, window_ms=5000)
    assert choose(LIMIT, page.set("source", "10.28.11.20")).rule == 0
    assert choose(LIMIT, Map(destination="reviews")) == Chosen(rule=None, max_amount=500, window_ms=1000)
    assert choose(LIMIT, Map(source="10.28.11.20")).rule is None


def test_an_override_without_dimensions_is_for_all() -> None:
    limit = QuotaLimit(quota="a", max_amount=5, overrides=(Override(max_amount=1), Override(max_amount=2)))
    assert choose(limit, Map()).max_amount == 1


def test_of_two_limits_of_a_name_the_first_counts() -> None:
    other = QuotaLimit(quota=LIMIT.quota, max_amount=1)
    assert find_limit((LIMIT, other), LIMIT.quota) is LIMIT
    assert find_limit((LIMIT, other), "a") is None


def test_instances_are_told_apart_by_all_dimensions() -> None:
    charge = Charge(quota="a", dimensions=Map(x="1", y="2"))
    assert cell_of_instance(charge) == cell_of_instance(
        Charge(quota="a", dimensions=Map(y="2", x="1"), amount=5)
    )
    others = {
        cell_of_instance(Charge(quota="a", dimensions=Map(x="1", y="3"))),
        cell_of_instance(Charge(quota="a", dimensions=Map(x="1"))),
        cell_of_instance(Charge(quota="b", dimensions=Map(x="1", y="2"))),
        cell_of_instance(Charge(quota="a", dimensions=Map(x="1;y=2"))),
    }
    assert len(others) == 4
    assert cell_of_instance(charge) not in others


def test_limits_are_told_apart_by_what_they_ask_for() -> None:
    own = cell_of_limit(LIMIT, choose(LIMIT, Map()))
    page = cell_of_limit(LIMIT, choose(LIMIT, Map(destination="productpage")))
    assert own != page
    alone = QuotaLimit(quota=LIMIT.quota, max_amount=500, overrides=(PRODUCT_PAGE,))
    assert cell_of_limit(alone, choose(alone, Map(destination="productpage"))) == page
