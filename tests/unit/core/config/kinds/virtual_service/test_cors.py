import pytest

from proa.core.config import Json
from tests.unit.core.config.judged import judge_rule


@pytest.mark.parametrize(
    ("policy", "told"),
    [
        ({"allowOrigins": [{"exact": "a"}], "allowMethods": ["GET", "*"], "maxAge": "0s"}, []),
        ({"allowOrigin": ["a"]}, ["allowOrigin deprecated"]),
        ({"allowOrigin": ["a"], "allowOrigins": [{"exact": "a"}]}, ["allowOrigin conflict"]),
        ({"allowOrigins": [{}]}, ["allowOrigins[0] required"]),
        ({"allowMethods": ["FETCH"]}, ["allowMethods[0] bad-value"]),
        (
            {"allowHeaders": ["a b"], "exposeHeaders": [""]},
            ["allowHeaders[0] bad-value", "exposeHeaders[0] bad-value"],
        ),
        ({"maxAge": "10ms"}, ["maxAge no-effect"]),
    ],
)
def test_policies(policy: Json, told: list[str]) -> None:
    assert judge_rule(corsPolicy=policy) == [f"corsPolicy.{each}" for each in told]
