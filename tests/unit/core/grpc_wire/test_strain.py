"""What is borne at once, and over time."""

from proa.core.grpc_wire.strain import Strain


def test_a_burst_is_borne_up_to_the_capacity() -> None:
    strain = Strain(capacity=3, per_second=1)
    assert [strain.add(1, 0.0) for _ in range(4)] == [True, True, True, False]


def test_time_heals() -> None:
    strain = Strain(capacity=3, per_second=1)
    assert not strain.add(5, 0.0)
    assert strain.add(1, 3.0)


def test_rest_is_not_saved_up() -> None:
    strain = Strain(capacity=3, per_second=1)
    assert strain.add(3, 1_000.0)
    assert not strain.add(1, 1_000.0)
