"""A program that applies transactions to a store until it is killed, for test_killed.py.

Each line on standard input starts a child; it is forked from this process, which has imported everything, because
a hundred interpreters would take longer than what is tested. Standard output has `pid N` of the child, `applied N`
for each version whose apply has returned, and `gone` when the child is dead and reaped.
"""

import asyncio
import os
import random
import sys
from pathlib import Path

from proa.adapters.config_sources.sqlite import open_stores
from proa.core.model.names import ObjectRef
from proa.ports.config_store import Applied, Delete, Put, Transaction

OBJECTS = [ObjectRef("Gateway", "n", f"g{number}") for number in range(8)]


def transaction(number: int) -> Transaction:
    """The one that makes this version: some objects replaced and one deleted, over several pages of the file."""
    chance = random.Random(number)
    *put, deleted = chance.sample(OBJECTS, 4)
    puts = [
        Put(ref=ref, api_version="v1", manifest=f'{{"n":{number},"pad":"{"x" * chance.randrange(6000)}"}}')
        for ref in put
    ]
    return Transaction(
        changes=(*puts, Delete(ref=deleted)), author=f"{number}", time=float(number), note=f"as {number}"
    )


async def apply_for_ever(path: Path) -> None:
    async with open_stores(path) as stores:
        number = (await stores.config.state()).version
        while True:
            number += 1
            applied = await stores.config.apply(transaction(number))
            assert applied == Applied(version=number, results=getattr(applied, "results", ()))
            say(f"applied {number}")


def say(line: str) -> None:
    os.write(1, f"{line}\n".encode())


def main() -> None:
    for line in sys.stdin:
        pid = os.fork()
        if pid == 0:
            asyncio.run(apply_for_ever(Path(line.strip())))
        say(f"pid {pid}")
        os.waitpid(pid, 0)
        say("gone")


if __name__ == "__main__":
    main()
