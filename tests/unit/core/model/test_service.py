"""Protocols folded, ports found, instances selected."""

import pytest
from immutables import Map

from proa.core.model.service import Selector, normal_protocol
from proa.testing.builders import port, service


@pytest.mark.parametrize(
    ("spelling", "protocol"),
    [
        ("", "AUTO"),
        ("http", "HTTP"),
        ("grpc-web", "HTTP"),
        ("HTTP_PROXY", "HTTP"),
        ("https", "TLS"),
        ("mongo", "TCP"),
        ("x", "TCP"),
    ],
)
def test_protocols(spelling: str, protocol: str) -> None:
    assert normal_protocol(spelling) == protocol


def test_ports() -> None:
    found = service("a", port(80), port(81, "db", "TCP"))
    assert found.port(80) == port(80)
    assert found.port(1) is None
    assert [each.is_http for each in found.ports] == [True, False]


def test_a_selector_wants_all_its_labels_in_its_namespace() -> None:
    selector = Selector(namespace="default", labels=Map(a="1"))
    assert selector.matches("default", Map(a="1", b="2"))
    assert not selector.matches("default", Map(b="2"))
    assert not selector.matches("shop", Map(a="1"))
