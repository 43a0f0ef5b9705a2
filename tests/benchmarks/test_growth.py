from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.growth.fit import exponent, exponents
from benchmarks.growth.operations import OPERATIONS, Costs
from benchmarks.growth.run import ROUNDS, figures

GRID = tuple(product((50, 150), (50, 150, 500), (1, 10)))


@given(st.tuples(*(st.floats(-1, 2) for _ in range(3))), st.floats(0.01, 100))
def test_the_exponents_of_a_power_law_are_found(powers: tuple[float, float, float], factor: float) -> None:
    costs = {
        cell: factor * cell[0] ** powers[0] * cell[1] ** powers[1] * cell[2] ** powers[2] for cell in GRID
    }
    assert exponents(costs) == pytest.approx(powers, abs=1e-6)


def test_a_constant_beside_a_slope_lowers_the_exponent() -> None:
    assert exponent({10: 10.0, 100: 100.0}) == pytest.approx(1.0)
    assert 0 < exponent({10: 1010.0, 100: 1100.0}) < 0.1


@pytest.mark.parametrize(
    ("costs", "complaint"),
    [
        ({(1, 2): 1.0, (2, 2): 2.0}, "two values of each axis"),
        ({(1, 1): 1.0, (2, 2): 2.0}, "no full grid"),
        ({(1,): 1.0, (2,): 0.0}, "above zero"),
        ({}, "two values of each axis"),
    ],
)
def test_what_cannot_be_fitted_is_refused(costs: dict[tuple[float, ...], float], complaint: str) -> None:
    with pytest.raises(ValueError, match=complaint):
        exponents(costs)


def test_each_operation_has_a_row_per_axis_and_memory_one() -> None:
    cells = tuple(product((50, 150), (50, 150), (1, 10)))

    def side(power: float) -> dict[tuple[int, int, int], Costs]:
        return {
            cell: Costs(
                operations={name: [float(cell[1]) ** power] * ROUNDS for name in OPERATIONS},
                memory=[float(cell[0] * cell[2] + cell[0] + cell[1])] * ROUNDS,
            )
            for cell in cells
        }

    found = {each.figure: each for each in figures(side(0.0), side(1.0))}
    assert len(found) == 3 * len(OPERATIONS) + 1
    scoped = found[f"{OPERATIONS[1]}: exponent in proxies"]
    assert scoped.ours == pytest.approx((0.0,) * ROUNDS)
    assert scoped.peer == pytest.approx((1.0,) * ROUNDS)
    assert scoped.met
    assert found["memory: exponent in endpoints + services + proxies"].ours == pytest.approx((1.0,) * ROUNDS)
