"""An issuer that goes away and comes back, with its own web server; only the clock is the test's."""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any

import aiohttp
import pytest

from proa.adapters.token_reviewers.oidc import OidcIssuer, OidcReviewer
from proa.adapters.token_reviewers.oidc.reviewer import FRESH_S, HOLD_S, LEAST_S
from proa.ports.failures import StoreTemporary
from proa.ports.token_reviewer import Reviewed, TokenDenied
from tests.token_issuer import Issuer, SigningKey

OLD, NEW, STRANGE = SigningKey("old"), SigningKey("new"), SigningKey("strange")


class Scene:
    """`now` is hours into the future, so that no token ends meanwhile."""

    def __init__(self, issuer: Issuer, http: aiohttp.ClientSession) -> None:
        self.issuer = issuer
        self.now = 1_000_000_000.0
        told = OidcIssuer(issuer=issuer.url, audiences=("proa",))
        self._reviewer = OidcReviewer(told, http, lambda: self.now)

    def token(self, key: SigningKey) -> str:
        return key.sign(self.issuer.url, aud="proa", exp=4_000_000_000)

    async def review(self, key: SigningKey) -> Reviewed | TokenDenied | None:
        return await self._reviewer.review(self.token(key))

    async def is_good(self, key: SigningKey) -> bool:
        return isinstance(await self.review(key), Reviewed)

    @property
    def asked(self) -> int:
        return self.issuer.asked["/keys"]


Body = Callable[[Scene], Coroutine[Any, Any, None]]


@pytest.fixture
def run() -> Callable[[Body], None]:
    def run(body: Body) -> None:
        async def opened() -> None:
            async with asyncio.timeout(60), aiohttp.ClientSession(trust_env=False) as http:
                await body(Scene(issuer, http))

        with Issuer(OLD) as issuer:
            asyncio.run(opened())

    return run


async def told_to_come_again(call: Awaitable[object]) -> str:
    with pytest.raises(StoreTemporary) as caught:
        await call
    return str(caught.value)


def test_the_last_good_keys_serve_for_a_day_and_others_when_the_issuer_is_back(
    run: Callable[[Body], None],
) -> None:
    async def body(scene: Scene) -> None:
        assert await scene.is_good(OLD)
        scene.issuer.is_away = True
        scene.now += FRESH_S + 1
        assert await scene.is_good(OLD)
        assert scene.issuer.asked["/.well-known/openid-configuration"] == 2, "it was asked, in vain"
        scene.now += HOLD_S - FRESH_S - 2
        assert await scene.is_good(OLD), "one second before the end"
        scene.now += 1
        assert "503" in await told_to_come_again(scene.review(OLD))
        scene.issuer.keys, scene.issuer.is_away = (NEW,), False
        scene.now += LEAST_S
        assert await scene.is_good(NEW)
        assert not await scene.is_good(OLD), "withdrawn"

    run(body)


def test_without_any_keys_nobody_is_denied(run: Callable[[Body], None]) -> None:
    async def body(scene: Scene) -> None:
        scene.issuer.is_away = True
        for _ in range(3):  # also those who come too soon for another fetch
            assert "cannot be fetched" in await told_to_come_again(scene.review(OLD))
        assert scene.issuer.asked["/.well-known/openid-configuration"] == 1
        scene.issuer.is_away = False
        scene.now += LEAST_S
        assert await scene.is_good(OLD)

    run(body)


def test_an_unknown_key_id_is_asked_for_once_whoever_comes(run: Callable[[Body], None]) -> None:
    async def body(scene: Scene) -> None:
        assert await scene.is_good(OLD)
        scene.now += LEAST_S
        before = scene.asked
        async with asyncio.TaskGroup() as tasks:
            asked = [tasks.create_task(scene.review(STRANGE)) for _ in range(50)]
        assert all(isinstance(each.result(), TokenDenied) for each in asked)
        assert scene.asked == before + 1
        assert await scene.is_good(OLD)
        scene.issuer.keys = (OLD, NEW)
        scene.now += LEAST_S / 2
        assert not await scene.is_good(NEW), "strangers' key ids have used the fetch up"
        scene.now += LEAST_S / 2
        assert await scene.is_good(NEW)
        assert scene.asked == before + 2

    run(body)
