"""kill -9 at any moment of `apply`: every transaction is there in whole or not at all, and none that had returned
is lost. (A power cut is more: for that the file is synchronous FULL, which no test here can show.)"""

import asyncio
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import IO

import pytest

from proa.adapters.config_sources.sqlite import open_stores
from proa.ports.config_plan import plan
from proa.ports.config_store import StoreState
from tests.properties.store import applying

KILLS = 100
KILLS_WHILE_MADE = 15
SEED = 20261122


class Victims:
    """The program whose children are killed."""

    def __init__(self, stdin: IO[str], stdout: IO[str]) -> None:
        self._stdin = stdin
        self._stdout = stdout

    def kill_one(self, store: Path, after_s: float, *, applied: int = 0) -> int:
        """Kills a child so long after it has applied that many. The last version that its apply has said to be there;
        0 for none."""
        self._stdin.write(f"{store}\n")
        self._stdin.flush()
        said = [self._stdout.readline().split()]
        while sum(words[0] == "applied" for words in said) < applied:
            said.append(self._stdout.readline().split())
        # Not a wait for something: the moment of the kill is what the test varies.
        time.sleep(after_s)
        while not any(
            words[0] == "pid" for words in said
        ):  # the child may be faster than its parent's word about it
            said.append(self._stdout.readline().split())
        os.kill(next(int(words[1]) for words in said if words[0] == "pid"), signal.SIGKILL)
        while said[-1] != ["gone"]:
            said.append(self._stdout.readline().split())
        return max((int(words[1]) for words in said if words[0] == "applied"), default=0)


@pytest.fixture
def victims() -> Iterator[Victims]:
    with subprocess.Popen(
        [sys.executable, applying.__file__],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd=Path.cwd(),
    ) as program:
        assert program.stdin is not None
        assert program.stdout is not None
        yield Victims(program.stdin, program.stdout)


def expected(version: int, known: list[StoreState]) -> StoreState:
    """What the store must hold at a version; `known` grows with each call."""
    while len(known) <= version:
        known.append(plan(known[-1], applying.transaction(len(known))).state)
    return known[version]


async def check(path: Path, acknowledged: int, known: list[StoreState]) -> int:
    """The version found."""
    async with open_stores(path) as stores:
        state = await stores.config.state()
        assert acknowledged <= state.version <= acknowledged + 1
        assert state == expected(state.version, known)
        entries = await stores.config.history(limit=max(1, state.version))
        assert sorted({each.version for each in entries}) == list(range(1, state.version + 1))
        assert await stores.config.state_at(state.version // 2) == expected(state.version // 2, known)
        return state.version


def test_a_hundred_kills_while_applying(tmp_path: Path, victims: Victims) -> None:
    chance = random.Random(SEED)
    known = [StoreState(version=0)]
    path = tmp_path / "store.db"
    version = 0
    for number in range(KILLS):
        # Every fourth is killed wherever it is, also before it has opened the store; the others are at work.
        applied = 0 if number % 4 == 0 else chance.choice((1, 1, 2, 5))
        acknowledged = max(version, victims.kill_one(path, chance.uniform(0, 0.03), applied=applied))
        found = asyncio.run(check(path, acknowledged, known))
        assert found >= version, f"kill {number} of seed {SEED}"
        version = found
    assert version > KILLS


def test_kills_while_a_store_is_made(tmp_path: Path, victims: Victims) -> None:
    chance = random.Random(SEED)
    for number in range(KILLS_WHILE_MADE):
        home = tmp_path / f"{number}"
        home.mkdir()
        acknowledged = victims.kill_one(home / "store.db", chance.uniform(0, 0.012))
        asyncio.run(check(home / "store.db", acknowledged, [StoreState(version=0)]))
