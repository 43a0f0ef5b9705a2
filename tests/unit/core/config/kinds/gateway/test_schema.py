import pytest

from proa.core.config.kinds.gateway.schema import Server, ServerPort
from proa.core.config.server_tls import ServerTls, TlsMode


def server(protocol: str, mode: TlsMode | None = None) -> Server:
    port = ServerPort(number=1, name="a", protocol=protocol)
    return Server(port=port, hosts=("*",), tls=ServerTls(mode=mode) if mode else None)


@pytest.mark.parametrize("protocol", ["http", "HTTP2", "GRPC", "grpc-web"])
def test_plain_requests(protocol: str) -> None:
    assert (server(protocol).is_http, server(protocol).is_tls) == (True, False)


@pytest.mark.parametrize("protocol", ["TCP", "MONGO"])
def test_plain_streams(protocol: str) -> None:
    assert (server(protocol).is_http, server(protocol).is_tls) == (False, False)


def test_tls_that_ends_here_is_read_if_it_is_https() -> None:
    assert server("HTTPS", "SIMPLE").is_http
    assert not server("TLS", "SIMPLE").is_http
    for mode in ("PASSTHROUGH", "AUTO_PASSTHROUGH"):
        assert not server("https", mode).is_http
    assert all(server(protocol, "SIMPLE").is_tls for protocol in ("HTTPS", "tls"))
