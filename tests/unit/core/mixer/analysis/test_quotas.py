from proa.testing.mixer import rule
from tests.unit.core.mixer.analysis.telling import LIMITS, OTHER, REQUESTS, told


def test_what_is_said_by_the_tasks_of_2018_is_fine_but_for_its_slips() -> None:
    assert told(LIMITS, REQUESTS, rule("quota", "handler.memquota", "requestcount.quota")) == [
        "handler spec.quotas[0].overrides[1].dimensions.sourse mixer-dimension-missing",
        "handler spec.quotas[1].name mixer-limit-unused",
    ]


def test_a_quota_without_a_limit_is_told_where_it_should_stand() -> None:
    found = told(LIMITS, REQUESTS, OTHER, rule("quota", "handler", "other", "requestcount"))
    assert "handler spec.quotas mixer-quota-unlimited" in found
    assert "other spec.dimensions.size mixer-attribute-late" in found
