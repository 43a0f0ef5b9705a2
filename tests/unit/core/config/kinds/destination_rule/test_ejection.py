import pytest

from proa.core.config import Json
from tests.unit.core.config.judged import judge


@pytest.mark.parametrize(
    ("policy", "told"),
    [
        ({"outlierDetection": {"consecutiveErrors": 1}}, ["outlierDetection.consecutiveErrors deprecated"]),
        (
            {"outlierDetection": {"consecutiveLocalOriginFailures": 1}},
            ["outlierDetection.consecutiveLocalOriginFailures conflict"],
        ),
    ],
)
def test_policies(policy: Json, told: list[str]) -> None:
    found = judge("dr", {"host": "a", "trafficPolicy": policy})
    assert found == [f"spec.trafficPolicy.{each}" for each in told]
