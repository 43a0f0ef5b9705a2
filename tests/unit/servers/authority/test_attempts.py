"""Who may try to join how often."""

import pytest

from proa.runtime.bucket import Rate
from proa.servers.authority.attempts import Attempts, place_of


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def test_an_address_that_fails_again_and_again_waits_and_another_does_not() -> None:
    clock = Clock()
    told: list[str] = []
    attempts = Attempts(clock, rate=Rate(per_s=2, burst=3), refused=told.append)
    assert [attempts.wait_s("192.0.2.1") for _ in range(4)] == [0.0, 0.0, 0.0, 0.5]
    assert attempts.wait_s("192.0.2.2") == 0.0
    assert told == ["joins of address"]
    clock.now = 0.5
    assert attempts.wait_s("192.0.2.1") == 0.0


def test_a_thousand_nodes_that_join_from_one_address_are_not_too_many() -> None:
    attempts = Attempts(Clock(), rate=Rate(per_s=2, burst=3))
    for _ in range(1000):
        assert attempts.wait_s("192.0.2.1") == 0.0
        attempts.succeeded("192.0.2.1")


def test_the_addresses_remembered_are_bounded() -> None:
    attempts = Attempts(Clock(), rate=Rate(per_s=1, burst=1), addresses=10)
    assert attempts.wait_s("192.0.2.1") == 0.0
    for each in range(9):
        attempts.wait_s(f"198.51.100.{each}")
    assert attempts.wait_s("192.0.2.1") > 0  # asked again: it is among the newest
    for each in range(100, 200):
        attempts.wait_s(f"198.51.100.{each}")
    assert attempts.remembered == 10


@pytest.mark.parametrize(
    ("address", "place"),
    [
        ("192.0.2.1", "192.0.2.1"),
        ("::ffff:192.0.2.1", "192.0.2.1"),
        ("2001:db8::1", "2001:db8::/64"),
        ("2001:db8::ffff:1", "2001:db8::/64"),
        ("", ""),
        ("testclient", ""),
    ],
)
def test_what_shares_a_bucket(address: str, place: str) -> None:
    assert place_of(address) == place
