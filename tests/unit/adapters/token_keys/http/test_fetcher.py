"""Keys over HTTP, from a real server."""

import asyncio
from collections.abc import Awaitable, Callable

import aiohttp
import pytest
from aiohttp import web

from proa.adapters.token_keys.http import HttpKeyFetcher
from proa.core.auth.key_sets import MAX_BYTES, read_key_set
from proa.core.model.token_keys import KeySource
from proa.ports.token_keys import FetchedKeys, KeysUnavailable
from tests.token_issuer import Issuer, SigningKey

KEY = SigningKey("one")


def fetched(source: KeySource, patience_s: float = 60) -> FetchedKeys:
    async def fetch() -> FetchedKeys:
        async with aiohttp.ClientSession() as http:
            return await HttpKeyFetcher(http).fetch(source, patience_s)

    return asyncio.run(fetch())


def test_keys_by_address_and_by_discovery() -> None:
    with Issuer(KEY) as issuer:
        direct = fetched(KeySource(f"{issuer.url}/keys"))
        assert direct.max_age_s == 1
        assert '"kid":"one"' in direct.keys
        assert read_key_set(direct.keys.encode()) == direct.keys
        assert fetched(KeySource("", issuer.url)) == direct
        with pytest.raises(KeysUnavailable, match="404"):
            fetched(KeySource(f"{issuer.url}/nothing"))
        with pytest.raises(KeysUnavailable, match="is of 'http"):
            fetched(KeySource("", f"{issuer.url}/"))
        issuer.is_away = True
        with pytest.raises(KeysUnavailable, match="503"):
            fetched(KeySource(f"{issuer.url}/keys"))
    with pytest.raises(KeysUnavailable, match="onnect"):
        fetched(KeySource(f"{issuer.url}/keys"))


Answer = Callable[[web.Request], Awaitable[web.StreamResponse]]


def refusal(answer: Answer, patience_s: float = 60) -> str:
    """Why what a server of one answer gives is not taken."""

    async def ask() -> str:
        app = web.Application()
        app.router.add_get("/{tail:.*}", answer)
        runner = web.AppRunner(app, shutdown_timeout=1)
        await runner.setup()
        try:
            site = web.TCPSite(runner, "127.0.0.1", 0)
            await site.start()
            port = runner.addresses[0][1]
            async with aiohttp.ClientSession() as http:
                await HttpKeyFetcher(http).fetch(KeySource(f"http://127.0.0.1:{port}/keys"), patience_s)
        except KeysUnavailable as error:
            return str(error)
        finally:
            await runner.cleanup()
        return ""

    return asyncio.run(ask())


def test_bad_answers_are_named() -> None:
    async def endless(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        for _ in range(MAX_BYTES // 1024 + 64):
            await response.write(b" " * 1024)
        return response

    async def elsewhere(request: web.Request) -> web.StreamResponse:
        raise web.HTTPFound("/other")

    async def page(request: web.Request) -> web.StreamResponse:
        return web.Response(text="<html>")

    async def never(request: web.Request) -> web.StreamResponse:
        await asyncio.Event().wait()
        raise AssertionError

    assert "longer than" in refusal(endless)
    assert "answers 302" in refusal(elsewhere)
    assert "not JSON" in refusal(page)
    assert "no answer within" in refusal(never, 0.05)
