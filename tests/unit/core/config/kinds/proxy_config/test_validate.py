import pytest

from proa.core.config import Json
from tests.unit.core.config.judged import judge


@pytest.mark.parametrize(
    ("kind", "spec", "found"),
    [
        ("ProxyConfig", {"concurrency": 0}, []),
        ("ProxyConfig", {"concurrency": -1}, ["spec.concurrency out-of-range"]),
        (
            "ProxyConfig",
            {"selector": {"matchLabels": {"": "a"}}},
            ['spec.selector.matchLabels[""] bad-value'],
        ),
        ("ProxyConfig", {"image": {"imageType": "debug"}}, ["spec.image no-effect"]),
        (
            "ProxyConfig",
            {"environmentVariables": {"A": "b", "": "c", "a=b": "d"}},
            ['spec.environmentVariables[""] required', "spec.environmentVariables[a=b] bad-value"],
        ),
    ],
)
def test_what_makes_sense(kind: str, spec: Json, found: list[str]) -> None:
    assert judge(kind, spec) == found
