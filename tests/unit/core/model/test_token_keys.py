from proa.core.model.token_keys import KeySource, key_source


def test_keys_of_one_address_are_one_source_whoever_signs_with_them() -> None:
    assert key_source("a", "https://x/keys") == key_source("b", "https://x/keys")
    assert key_source("a", "") != key_source("b", "")
    assert str(key_source("https://a", "")) == "https://a (by discovery)"
    assert str(KeySource("https://x/keys")) == "https://x/keys"
