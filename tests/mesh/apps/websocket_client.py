"""`websocket_client.py URL WORD...`: says the words over a websocket, by the proxy of its environment."""

import asyncio
import os
import sys

import aiohttp


async def main(url: str, *words: str) -> None:
    async with (
        aiohttp.ClientSession() as session,
        session.ws_connect(url, proxy=os.environ["HTTP_PROXY"]) as socket,
    ):
        for word in words:
            await socket.send_str(word)
            print(await socket.receive_str(timeout=20))


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
