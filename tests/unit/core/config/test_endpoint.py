import pytest
from immutables import Map

from proa.core.config.endpoint import WorkloadEntry, check_endpoint, is_unix


def paths(entry: WorkloadEntry) -> list[tuple[str | int, ...]]:
    return [finding.path for finding in check_endpoint(entry, ())]


@pytest.mark.parametrize("address", ["10.0.0.1", "::1", "a.example.com", "unix:///a/b", "unix://@a"])
def test_good_addresses(address: str) -> None:
    assert paths(WorkloadEntry(address=address)) == []


@pytest.mark.parametrize("address", ["", "10.0.0.300", "*.example.com", "unix://", "unix://a", "unix:///a/"])
def test_bad_addresses(address: str) -> None:
    assert paths(WorkloadEntry(address=address)) == [("address",)]


def test_a_network_makes_up_for_an_address() -> None:
    assert paths(WorkloadEntry(network="n")) == []


def test_sockets_have_no_ports() -> None:
    entry = WorkloadEntry(address="unix:///a", ports=Map({"http": 80}))
    assert is_unix(entry)
    assert paths(entry) == [("ports",)]


def test_names_of_ports_and_labels() -> None:
    entry = WorkloadEntry(
        address="10.0.0.1", ports=Map({"@": 80, "grpc-web.1": 81}), labels=Map({"a": "b c"})
    )
    assert paths(entry) == [("labels", "a"), ("ports",)]


@pytest.mark.parametrize("account", ["a", "A-b.c_1", "1"])
def test_accounts_that_an_identity_may_have(account: str) -> None:
    assert paths(WorkloadEntry(address="10.0.0.1", service_account=account)) == []


@pytest.mark.parametrize("account", ["::", "a/b", ".", "..", "a b", "é", "a" * 254])
def test_accounts_that_no_identity_can_have(account: str) -> None:
    assert paths(WorkloadEntry(address="10.0.0.1", service_account=account)) == [("serviceAccount",)]
