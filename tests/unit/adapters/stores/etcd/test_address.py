import pytest

from proa.adapters.stores.etcd.address import BadStoreAddress, parse_store_address


def test_addresses() -> None:
    access = parse_store_address("etcd://10.0.0.1:2379,db/meshes/shop/")
    assert access.endpoints == ("http://10.0.0.1:2379", "http://db:2379")
    assert access.prefix == "/meshes/shop/"
    assert access.label == "etcd at 10.0.0.1:2379, db:2379"
    assert not access.is_tls
    assert parse_store_address("etcds://[::1]:1").endpoints == ("https://[::1]:1",)
    assert parse_store_address("etcd://h").prefix == "/proa/"


@pytest.mark.parametrize(
    "text",
    [
        "",
        "db:2379",
        "http://db",
        "etcd://",
        "etcd://h:0",
        "etcd://h:99999",
        "etcd://h,,g",
        "etcd://h/a/../b",
        "etcd://h/ä",
    ],
)
def test_what_is_no_address(text: str) -> None:
    with pytest.raises(BadStoreAddress):
        parse_store_address(text)


def test_a_password_in_it_is_refused_and_not_repeated() -> None:
    with pytest.raises(BadStoreAddress) as refused:
        parse_store_address("etcd://root:hunter2@h/p")
    assert "hunter2" not in str(refused.value)
