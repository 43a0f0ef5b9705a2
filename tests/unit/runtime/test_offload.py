"""Work in processes of our own: bounded, in time, and replaced when one dies."""

import asyncio
import os
import signal
import time

import pytest

from proa.runtime.offload import Overloaded, Workers


def double(number: int) -> int:
    return 2 * number


def pid_of_worker(_: int) -> int:
    return os.getpid()


def linger(seconds: float) -> float:
    time.sleep(seconds)
    return seconds


def fail(text: str) -> str:
    raise ValueError(text)


def die(_: int) -> int:
    os.kill(os.getpid(), signal.SIGKILL)
    return 0


def test_work_is_done_elsewhere_and_failures_come_back() -> None:
    async def body() -> None:
        workers = Workers(1, waiting=8, patience_s=60)
        try:
            assert await workers.run(double, 21) == 42
            assert await workers.run(pid_of_worker, 0) != os.getpid()
            with pytest.raises(ValueError, match="why"):
                await workers.run(fail, "why")
        finally:
            workers.close()

    asyncio.run(body())


def test_a_process_that_died_is_replaced() -> None:
    async def body() -> None:
        workers = Workers(1, waiting=8, patience_s=60)
        try:
            with pytest.raises(Overloaded, match="died"):
                await workers.run(die, 0)
            assert await workers.run(double, 1) == 2
            assert workers.under_way == 0
        finally:
            workers.close()

    asyncio.run(body())


def test_waiting_is_bounded_in_number_and_time() -> None:
    async def body() -> None:
        workers = Workers(1, waiting=1, patience_s=0.01)
        try:
            async with asyncio.TaskGroup() as tasks:
                first = tasks.create_task(outcome(workers, 0.2))
                second = tasks.create_task(outcome(workers, 0.0))
            assert "not done within" in first.result()
            assert "wait already" in second.result()
        finally:
            workers.close()

    asyncio.run(body())


async def outcome(workers: Workers, seconds: float) -> str:
    try:
        return str(await workers.run(linger, seconds))
    except Overloaded as error:
        return str(error)
