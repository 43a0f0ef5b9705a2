import pytest

from proa.core.attributes.vocabulary import ATTRIBUTES, STANDARD, Producer
from proa.core.expression.envoy_attributes import IN_ENVOY, missing_reason


def test_what_is_known_at_the_end_is_what_only_reports_have() -> None:
    reports = {row.name for row in ATTRIBUTES if row.producers == (Producer.REPORT,)}
    assert {name for name, found in IN_ENVOY.items() if found.at_end} == reports & set(IN_ENVOY)
    assert set(IN_ENVOY) <= set(STANDARD.types)


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("source.labels", "Pilot knows it"),
        ("api.operation", "HTTPAPISpec"),
        ("origin.ip", "RBAC's own matcher"),
        ("source.metadata", "nothing produces it"),
        ("quota.cache_hit", "Envoy does not have it"),
        ("my.own", "nothing produces it"),
    ],
)
def test_reasons(name: str, reason: str) -> None:
    assert reason in missing_reason(name)
