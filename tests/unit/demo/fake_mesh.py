"""The bookstore with a mesh made of nothing: one handler per service that obeys the VirtualServices applied
to it.

It understands the few fields that the demo's own files use. A delay is a wait without end, so that no test
depends on the length of one: the caller's patience decides.
"""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from itertools import count
from pathlib import Path
from typing import Any

import aiohttp
import yaml
from aiohttp import web

from proa.core.model.names import ObjectRef, WorkloadId
from proa.demo.apps import details, productpage, ratings, reviews
from proa.demo.apps.options import Options
from tests.unit.demo.apps.neighbours import listening

Rules = list[dict[str, Any]]


class FakeMesh:
    """A CheckContext. `inbound` is the address every sidecar is said to have."""

    def __init__(self, page_url: str, rules: dict[str, Rules], inbound: tuple[str, int]) -> None:
        self.page_url = page_url
        self.applied: list[str] = []
        self._rules = rules
        self._inbound = inbound

    async def apply(self, files: Sequence[str]) -> None:
        self.applied += [Path(file).name for file in files]
        for file in files:
            self._rules.update(_read_rules(file))

    async def delete(self, refs: Sequence[ObjectRef]) -> None:
        for ref in refs:
            del self._rules[ref.name]

    async def inbound_address(self, workload: WorkloadId) -> tuple[str, int]:
        return self._inbound

    async def exec(self, workload: WorkloadId, argv: Sequence[str]) -> tuple[int, str, str]:
        return 0, '{"podname": "ratings-v1"}', ""


def _read_rules(file: str) -> dict[str, Rules]:
    documents = yaml.safe_load_all(Path(file).read_text(encoding="utf-8"))
    return {d["metadata"]["name"]: d["spec"]["http"] for d in documents if d["kind"] == "VirtualService"}


@asynccontextmanager
async def fake_mesh(kind: type[FakeMesh] = FakeMesh, reviews_timeout: float = 1.5) -> AsyncIterator[FakeMesh]:
    rules: dict[str, Rules] = {}
    async with AsyncExitStack() as stack:

        async def start(app: web.Application) -> str:
            return await stack.enter_async_context(listening(app))

        session = await stack.enter_async_context(aiohttp.ClientSession())
        ratings_url = await start(ratings.build_app(Options(service="ratings")))
        ratings_sidecar = await start(_router(session, rules, "ratings", {"v1": ratings_url}))
        versions = {
            version: await start(
                reviews.build_app(Options(service="reviews", version=version, ratings_url=ratings_sidecar))
            )
            for version in ("v1", "v2", "v3")
        }
        options = Options(
            service="productpage",
            details_url=await start(details.build_app(Options(service="details"))),
            reviews_url=await start(_router(session, rules, "reviews", versions)),
            ratings_url=ratings_sidecar,
            reviews_timeout=reviews_timeout,
        )
        page = await start(productpage.build_app(options))
        closed = await stack.enter_async_context(await asyncio.start_server(_hang_up, "127.0.0.1", 0))
        yield kind(f"{page}/productpage", rules, closed.sockets[0].getsockname())


async def _hang_up(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.close()


def _router(
    session: aiohttp.ClientSession, rules: dict[str, Rules], service: str, versions: dict[str, str]
) -> web.Application:
    """Forwards to the version that the rules of the service name; in turn, by weight, where there are
    several.
    """
    turns = count()

    async def route(request: web.Request) -> web.Response:
        weights = dict.fromkeys(versions, 1)
        for rule in rules.get(service, []):
            if not _is_met(rule, request):
                continue
            fault = rule.get("fault", {})
            if "delay" in fault:
                await asyncio.Event().wait()
            if "abort" in fault:
                return web.Response(status=fault["abort"]["httpStatus"], text="fault filter abort")
            weights = {r["destination"]["subset"]: r.get("weight", 100) for r in rule["route"]}
            break
        chosen = [version for version, weight in weights.items() if weight]
        url = versions[chosen[next(turns) % len(chosen)]] + request.path
        headers = {name: value for name, value in request.headers.items() if name.lower() == "end-user"}
        body = await request.read()
        async with session.request(request.method, url, headers=headers, data=body or None) as answer:
            return web.Response(
                status=answer.status, body=await answer.read(), content_type="application/json"
            )

    app = web.Application()
    app.router.add_route("*", "/{rest:.*}", route)
    return app


def _is_met(rule: dict[str, Any], request: web.Request) -> bool:
    matches = rule.get("match")
    if matches is None:
        return True
    return any(
        all(request.headers.get(name) == wanted["exact"] for name, wanted in match["headers"].items())
        for match in matches
    )
