from collections.abc import Iterator

import pytest

from tests.redis_process import RedisProcess, why_no_redis


@pytest.fixture(scope="session")
def redis() -> Iterator[RedisProcess]:
    """One for all tests of the folder; each has names of its own."""
    if reason := why_no_redis():
        pytest.skip(reason)
    with RedisProcess() as process:
        yield process
