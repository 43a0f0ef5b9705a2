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
        (
            {
                "connectionPool": {
                    "tcp": {"tcpKeepalive": {"time": "32767s", "interval": "75s", "probes": 127}}
                }
            },
            [],
        ),
        (
            {
                "connectionPool": {
                    "tcp": {"tcpKeepalive": {"time": "32768s", "interval": "24h", "probes": 128}}
                }
            },
            [
                "connectionPool.tcp.tcpKeepalive.interval out-of-range",
                "connectionPool.tcp.tcpKeepalive.probes out-of-range",
                "connectionPool.tcp.tcpKeepalive.time out-of-range",
            ],
        ),
    ],
)
def test_policies(policy: Json, told: list[str]) -> None:
    found = judge("dr", {"host": "a", "trafficPolicy": policy})
    assert found == [f"spec.trafficPolicy.{each}" for each in told]
