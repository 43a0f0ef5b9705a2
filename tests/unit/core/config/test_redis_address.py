import pytest

from proa.core.config.redis_address import RedisAddress, parse_redis_address


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("", RedisAddress(host="localhost")),
        ("redis.default", RedisAddress(host="redis.default")),
        ("10.0.0.1:7000", RedisAddress(host="10.0.0.1", port=7000)),
        ("redis://[::1]:7000", RedisAddress(host="::1", port=7000)),
        ("redis://:a%40b@r/3", RedisAddress(host="r", password="a@b", database=3)),
        ("rediss://who:s@r", RedisAddress(host="r", user="who", password="s", tls=True)),
    ],
)
def test_addresses(text: str, address: RedisAddress) -> None:
    assert parse_redis_address(text) == address


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("http://r", "no scheme"),
        ("r:port", "a port is a number"),
        ("r:99999", "a port is a number"),
        ("redis://", "host:port"),
        ("redis://r?a=b", "host:port"),
        ("redis://r/a", "no database"),
    ],
)
def test_what_is_no_address_is_told(text: str, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        parse_redis_address(text)


def test_no_password_is_printed() -> None:
    address = parse_redis_address("redis://who:s3cret@r:1/2")
    assert "s3cret" not in f"{address} {address!r}"
    assert str(address) == "r:1"
