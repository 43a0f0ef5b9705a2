"""Where a peer comes from, and whose key is whose."""

import ssl

import pytest

from proa.servers.grpc_edge.credentials import Credentials, is_loopback
from tests.unit.servers.grpc_edge.edges import authority


@pytest.mark.parametrize("address", ["127.0.0.1", "127.1.2.3", "::1", "::ffff:127.0.0.1"])
def test_loopback_is_known_in_every_spelling(address: str) -> None:
    assert is_loopback((address, 5000))


@pytest.mark.parametrize(
    "peername", [("10.0.0.1", 5000), ("fe80::1%eth0", 5000, 0, 2), ("localhost", 1), "", None]
)
def test_everything_else_is_elsewhere(peername: object) -> None:
    assert not is_loopback(peername)


def test_new_credentials_are_a_new_context() -> None:
    """Connections that shake hands keep the one they began with."""
    ours = authority()
    credentials = ours.server()
    before = credentials.context
    key, chain = ours.node()
    credentials.set(key, chain, ours.root.pem)
    assert credentials.context is not before
    assert credentials.context.verify_mode is ssl.CERT_REQUIRED


def test_a_key_of_another_certificate_is_refused_and_the_old_one_stays() -> None:
    ours = authority()
    credentials = ours.server()
    before = credentials.context
    key, _ = ours.node()
    _, chain = ours.node()
    with pytest.raises(ssl.SSLError):
        credentials.set(key, chain, ours.root.pem)
    assert credentials.context is before


def test_nonsense_is_no_root() -> None:
    key, chain = authority().node()
    with pytest.raises(ssl.SSLError):
        Credentials(key, chain, "no certificate")
