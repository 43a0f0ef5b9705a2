import pytest

from proa.core.config.kinds.sidecar.schema import CaptureMode, EgressListener, SidecarPort


@pytest.mark.parametrize(
    ("mode", "has_own", "captures"),
    [("DEFAULT", True, True), ("NONE", True, False), ("IPTABLES", False, True)],
)
def test_how_requests_come_to_a_listener(mode: CaptureMode, has_own: bool, captures: bool) -> None:
    port = SidecarPort(number=80, protocol="HTTP")
    listener = EgressListener(hosts=("*/*",), port=port, capture_mode=mode)
    assert (listener.has_own, listener.captures) == (has_own, captures)
    assert not EgressListener(hosts=("*/*",), capture_mode=mode).has_own
