"""Two hosts of namespaces, parted and joined again."""

import socket
from collections.abc import Iterator, Mapping

import pytest

from proa.testing.faults import FaultOverdue, FaultUnavailable, flaky_network, partition
from tests.mesh.namespaces import Host, network

pytestmark = pytest.mark.root
PORT = 7


@pytest.fixture(scope="module")
def hosts() -> Iterator[Mapping[str, Host]]:
    with network("a", "b", "c") as hosts:
        yield hosts


def reaches(caller: Host, called: Host, within_s: float = 30) -> bool:
    """Whether a new connection comes about."""

    def listen() -> socket.socket:
        return socket.create_server((called.address, PORT))

    def call() -> bool:
        try:
            socket.create_connection((called.address, PORT), timeout=within_s).close()
        except TimeoutError:
            return False
        return True

    with called.run(listen):
        return caller.run(call)


def is_cut_off(caller: Host, called: Host) -> bool:
    return not reaches(caller, called, within_s=0.4)


def test_a_partition_is_silent_both_ways_and_heals(hosts: Mapping[str, Host]) -> None:
    a, b = hosts["a"], hosts["b"]
    assert reaches(a, b)
    try:
        with partition(a.namespace):
            assert is_cut_off(a, b)
            assert is_cut_off(b, a)
            assert reaches(a, a), "not over loopback"
    except FaultUnavailable as missing:
        pytest.skip(str(missing))
    assert reaches(a, b)
    assert reaches(b, a)


def test_one_may_be_parted_from_one_other_only(hosts: Mapping[str, Host]) -> None:
    a, b, c = hosts["a"], hosts["b"], hosts["c"]
    try:
        with partition(a.namespace, peers=(b.address,)):
            assert is_cut_off(a, b)
            assert is_cut_off(b, a)
            assert reaches(a, c)
    except FaultUnavailable as missing:
        pytest.skip(str(missing))


def test_a_partition_ends_when_its_time_is_over(hosts: Mapping[str, Host]) -> None:
    a, b = hosts["a"], hosts["b"]
    try:
        with pytest.raises(FaultOverdue), partition(a.namespace, at_most_s=0.1):
            assert reaches(a, b)
    except FaultUnavailable as missing:
        pytest.skip(str(missing))


@pytest.mark.parametrize("loss_percent", [99.99, 100])
def test_all_is_lost_on_the_worst_of_networks(hosts: Mapping[str, Host], loss_percent: float) -> None:
    a, b = hosts["a"], hosts["b"]
    try:
        with flaky_network(a.namespace, loss_percent=loss_percent):
            assert is_cut_off(a, b)
    except FaultUnavailable as missing:
        pytest.skip(str(missing))
    assert reaches(a, b)


def test_what_is_delayed_arrives(hosts: Mapping[str, Host]) -> None:
    a, b = hosts["a"], hosts["b"]
    try:
        with flaky_network(a.namespace, loss_percent=0, delay_ms=20, jitter_ms=5):
            assert reaches(a, b)
    except FaultUnavailable as missing:
        pytest.skip(str(missing))


def test_what_is_no_namespace_is_left_alone() -> None:
    for name in ("", "../proc/1/ns/net"):
        with pytest.raises(ValueError, match="no network namespace"), partition(name):
            pytest.fail("parted")
    with pytest.raises(FaultUnavailable), partition("proa-no-such-namespace"):
        pytest.fail("parted")
