"""Where the control plane is dialled."""

import pytest

from proa.node.uplink import target_of


def test_all_ipv4_addresses_are_tried() -> None:
    assert target_of(("10.0.0.1:15012", "10.0.0.2:15012")) == "ipv4:10.0.0.1:15012,10.0.0.2:15012"


def test_names_are_resolved() -> None:
    assert target_of(("plane.example:15012", "10.0.0.2:15012")) == "dns:///plane.example:15012"
    assert target_of(("999.1.1.1:1",)) == "dns:///999.1.1.1:1"


def test_nowhere() -> None:
    with pytest.raises(ValueError, match="no address"):
        target_of(())
