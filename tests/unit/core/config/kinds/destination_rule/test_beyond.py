import pytest

from proa.core.config import Json
from tests.unit.core.config.judged import judge


def judged(**tunnel: Json) -> list[str]:
    spec: Json = {"host": "a", "trafficPolicy": {"tunnel": tunnel}}
    return [place.removeprefix("spec.trafficPolicy.tunnel.") for place in judge("dr", spec)]


@pytest.mark.parametrize("host", ["far.example", "192.0.2.1", "2001:db8::1"])
@pytest.mark.parametrize("protocol", ["", "CONNECT", "post"])
def test_ways_that_lead_somewhere(host: str, protocol: str) -> None:
    assert judged(targetHost=host, targetPort=443, protocol=protocol) == []


def test_ways_that_do_not() -> None:
    assert judged(targetHost="", targetPort=443) == ["targetHost required"]
    assert judged(targetHost="*.example", targetPort=443) == ["targetHost bad-value"]
    assert judged(targetHost="a b", targetPort=443) == ["targetHost bad-value"]
    assert judged(targetHost="a", targetPort=443, protocol="GET") == ["protocol bad-value"]
    assert judged(targetHost="a", targetPort=0) == ["targetPort out-of-range"]
