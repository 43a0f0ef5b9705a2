"""What every KeptKeys must do."""

import asyncio
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager

import pytest

from proa.core.auth.key_sets import NO_KEYS
from proa.core.model.token_keys import KeySource
from proa.ports.token_keys import KeptKeys, KeptSet

ONE, OTHER = KeySource("https://a/keys"), KeySource("", "https://b")
FIRST = KeptSet(keys=NO_KEYS, fetched=1000.5)
LATER = KeptSet(keys=NO_KEYS, fetched=2000.25)

Opened = AbstractAsyncContextManager[KeptKeys]


class KeptKeysContract:
    """Subclasses give `open_kept_keys`: each opening is of the same place, as after a restart."""

    @pytest.fixture
    def open_kept_keys(self) -> Callable[[], Opened]:
        raise NotImplementedError

    def test_what_is_kept_is_there_again(self, open_kept_keys: Callable[[], Opened]) -> None:
        async def body() -> None:
            async with asyncio.timeout(20), open_kept_keys() as keys:
                assert dict(await keys.load()) == {}
                await keys.keep(ONE, FIRST)
                await keys.keep(OTHER, FIRST)
                await keys.keep(OTHER, LATER)
            async with asyncio.timeout(20), open_kept_keys() as keys:
                assert dict(await keys.load()) == {ONE: FIRST, OTHER: LATER}
                await keys.forget(ONE)
                await keys.forget(ONE)
                assert dict(await keys.load()) == {OTHER: LATER}

        asyncio.run(body())
