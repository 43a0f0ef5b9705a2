"""How long the endurance tests last, and the tables of what they measured.

`scripts/test endurance` runs them, nothing else does. Options shorten them:

    scripts/test endurance -k killed --repetitions 2 --away 10
    scripts/test endurance -k kill_list --minutes 2 --seed 7
    scripts/test endurance -k "fuzz or acks" --law-minutes 1
"""

import statistics
from collections.abc import Callable, Iterator, Sequence
from typing import Final

import msgspec
import pytest

AROUND_S: Final = 10.0
TABLES: Final = pytest.StashKey[list[str]]()


class Scale(msgspec.Struct, frozen=True, kw_only=True):
    """`away_s` is how long a fault lasts, `around_s` the load before and after it; `seed` None takes a new one."""

    repetitions: int
    away_s: float
    around_s: float
    minutes: float
    law_minutes: float
    seed: int | None


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("endurance")
    group.addoption("--repetitions", type=int, default=5, help="runs of each outage, whose median counts")
    group.addoption("--away", type=float, default=30.0, help="seconds that an outage lasts")
    group.addoption("--around", type=float, default=AROUND_S, help="seconds of load before and after it")
    group.addoption("--minutes", type=float, default=20.0, help="length of the kill list")
    group.addoption(
        "--law-minutes", type=float, default=10.0, help="length of the fuzz, and of the law of ACKs"
    )
    group.addoption("--seed", type=int, help="repeats a kill list, or a fuzz")


@pytest.fixture(scope="session")
def scale(pytestconfig: pytest.Config) -> Scale:
    return Scale(
        repetitions=pytestconfig.getoption("--repetitions"),
        away_s=pytestconfig.getoption("--away"),
        around_s=pytestconfig.getoption("--around"),
        minutes=pytestconfig.getoption("--minutes"),
        law_minutes=pytestconfig.getoption("--law-minutes"),
        seed=pytestconfig.getoption("--seed"),
    )


class Table:
    """The raw values of one test, column by column, told at the end whether it passed or not."""

    def __init__(self, title: str) -> None:
        self._title = title
        self._columns: dict[str, list[float]] = {}

    def add(self, **values: float) -> None:
        for name, value in values.items():
            self._columns.setdefault(name, []).append(value)

    def median(self, name: str) -> float:
        return statistics.median(self._columns[name])

    def values(self, name: str) -> Sequence[float]:
        return self._columns[name]

    def __str__(self) -> str:
        lines = [self._title]
        for name, values in self._columns.items():
            raw = " ".join(f"{value:g}" if value == int(value) else f"{value:.2f}" for value in values)
            lines.append(f"  {name:18} median {statistics.median(values):8.2f}   raw {raw}")
        return "\n".join(lines)


@pytest.fixture
def table(request: pytest.FixtureRequest, pytestconfig: pytest.Config) -> Iterator[Table]:
    table = Table(request.node.name)
    yield table
    pytestconfig.stash.setdefault(TABLES, []).append(str(table))


@pytest.fixture
def tell(pytestconfig: pytest.Config) -> Callable[[str], None]:
    """Text for the end of the run."""
    return pytestconfig.stash.setdefault(TABLES, []).append


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    told = config.stash.get(TABLES, [])
    if told:
        terminalreporter.section("measured")
    for text in told:
        terminalreporter.write_line(text)
