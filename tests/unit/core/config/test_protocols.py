from proa.core.config.protocols import KNOWN_PROTOCOLS, is_http, is_known, is_tls


def test_case_does_not_count() -> None:
    assert is_known("grpc-web")
    assert is_http("Http2")
    assert is_tls("https")
    assert not is_known("QUIC")


def test_what_we_name_is_known_and_of_one_family() -> None:
    assert all(map(is_known, KNOWN_PROTOCOLS))
    assert not any(is_http(name) and is_tls(name) for name in KNOWN_PROTOCOLS)
