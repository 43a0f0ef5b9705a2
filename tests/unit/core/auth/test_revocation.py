"""What may be revoked, what holds when, and who is refused by it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proa.core.auth.revocation import (
    InvalidTarget,
    Revocation,
    Target,
    in_force,
    parse_target,
    refusal,
)
from proa.core.model.revoked import Revoked

TD = "cluster.local"


@pytest.mark.parametrize(
    ("text", "target"),
    [
        ("0A:1b:2C", Target("serial", "a1b2c")),
        ("0x00ff", Target("serial", "ff")),
        ("spiffe://partner.example/tills/7", Target("identity", "spiffe://partner.example/tills/7")),
        ("spiffe://cluster.local/ns/a/sa/b", Target("identity", "spiffe://cluster.local/ns/a/sa/b")),
        ("spiffe://other/proa/node/n", Target("identity", "spiffe://other/proa/node/n")),
        (
            "spiffe://td/proa/operator/admin/ann",
            Target("identity", "spiffe://td/proa/operator/admin/ann"),
        ),
        ("default/reviews-v1", Target("workload", "default/reviews-v1")),
    ],
)
def test_what_can_be_revoked(text: str, target: Target) -> None:
    assert parse_target(f" {text}\n", TD) == target


@pytest.mark.parametrize(
    "text",
    [
        "",
        "0",
        "reviews",
        "f" * 41,
        "Default/x",
        "a/b/c",
        "spiffe://cluster.local",
        "spiffe://cluster.local/x",
        "spiffe://cluster.local/proa/operator/king/ann",
        "spiffe://cluster.local/ns/istio-system/sa/proa",
        "spiffe://UPPER/ns/a/sa/b",
    ],
)
def test_what_cannot(text: str) -> None:
    with pytest.raises(InvalidTarget):
        parse_target(text, TD)


def record(value: str, *, time: float = 1.0, ends: float = 0.0, lifted: float = 0.0) -> Revocation:
    target = parse_target(value, TD)
    return Revocation(target=target, reason="", author="a", time=time, ends=ends, lifted=lifted)


def test_what_ended_or_was_lifted_does_not_hold_and_still_counts_for_the_time() -> None:
    records = (
        record("a1", ends=10.0, time=3.0),
        record("spiffe://cluster.local/ns/a/sa/b", lifted=4.0, time=2.0),
        record("default/x"),
    )
    name = "x.default.workload.cluster.local"
    assert in_force(records, TD, 9.9) == Revoked(serials=("a1",), names=(name,), since=3000)
    assert in_force(records, TD, 10.0) == Revoked(names=(name,), since=3000)
    assert in_force((), TD, 5.0) == Revoked()


def test_each_of_the_three_refuses() -> None:
    revoked = Revoked(serials=("a1",), identities=("spiffe://x/ns/a/sa/b",), names=("w.n.workload.x",))
    assert refusal(revoked, serial="a1") == "certificate a1 is revoked"
    assert refusal(revoked, identity="spiffe://x/ns/a/sa/b").startswith("identity ")
    assert refusal(revoked, names=("other", "w.n.workload.x")).startswith("workload ")
    assert refusal(revoked, serial="a2", identity="spiffe://x/ns/a/sa/c", names=("y",)) == ""
    assert refusal(Revoked(), serial="", identity="") == ""


@given(st.integers(min_value=1, max_value=2**159 - 1))
def test_every_serial_is_read_back(serial: int) -> None:
    assert parse_target(f"{serial:x}", TD) == Target("serial", f"{serial:x}")
    assert parse_target(f"{serial:040X}", TD) == Target("serial", f"{serial:x}")
