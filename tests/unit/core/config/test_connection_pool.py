import pytest

from proa.core.config import Json
from tests.unit.core.config.judged import judge


@pytest.mark.parametrize(
    ("policy", "told"),
    [
        ({"connectionPool": {}}, ["connectionPool required"]),
        (
            {"connectionPool": {"http": {"useClientProtocol": True, "h2UpgradePolicy": "UPGRADE"}}},
            ["connectionPool.http conflict"],
        ),
        (
            {"connectionPool": {"tcp": {"tcpKeepalive": {"time": "1.5s"}}}},
            ["connectionPool.tcp.tcpKeepalive.time no-effect"],
        ),
    ],
)
def test_policies(policy: Json, told: list[str]) -> None:
    found = judge("dr", {"host": "a", "trafficPolicy": policy})
    assert found == [f"spec.trafficPolicy.{each}" for each in told]
