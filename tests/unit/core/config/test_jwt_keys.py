import pytest

from proa.core.config.jwt_keys import key_set_fault, web_address_fault


@pytest.mark.parametrize("uri", ["https://a.example/keys", "http://a:8080"])
def test_fine_addresses(uri: str) -> None:
    assert web_address_fault(uri) is None


@pytest.mark.parametrize("uri", ["", "a", "ftp://a", "https://", "https://a:99999", "https://[a"])
def test_bad_addresses(uri: str) -> None:
    assert web_address_fault(uri) is not None


def test_key_sets() -> None:
    assert key_set_fault('{"keys": [{"kty": "RSA", "n": "a"}]}') is None
    for text in ("", "[]", "{}", '{"keys": []}', '{"keys": [1]}', '{"keys": [{"n": "a"}]}'):
        assert key_set_fault(text) is not None
