"""Where a peer comes from, as gRPC tells it."""

import pytest

from proa.servers.grpc_edge import is_loopback


@pytest.mark.parametrize("peer", ["ipv4:127.0.0.1:5000", "ipv6:%5B::1%5D:5000", "ipv6:[::1]:5000"])
def test_loopback_is_known_in_every_spelling(peer: str) -> None:
    assert is_loopback(peer)


@pytest.mark.parametrize(
    "peer", ["ipv4:10.0.0.1:5000", "ipv6:%5B2001:db8::1%5D:5000", "unix:/run/x:1", "ipv4:localhost:1", ""]
)
def test_everything_else_is_elsewhere(peer: str) -> None:
    assert not is_loopback(peer)
