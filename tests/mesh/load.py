"""The load that a scene is judged by: 50 requests a second, open loop, on four connections, from one workload."""

import asyncio
from collections.abc import Callable
from typing import Final

from proa.testing.load import LoadResult, acceptance_plan, offer_load
from tests.mesh.harness import Mesh

ECHO: Final = "http://echo:8080"
# No scene is as long; a load that ended before its scene would have proved nothing of the rest.
LONGEST_SCENE_S: Final = 600


def load_during(node: Mesh, fault: Callable[[], None], *, around_s: float) -> LoadResult:
    """The load from `node`'s caller to echo for the whole of `fault` and `around_s` before and after it."""
    url = f"{ECHO}/there"
    plan = acceptance_plan(url, url, b'{"stars": 5}', seconds=LONGEST_SCENE_S, proxy=node.proxy("caller"))

    async def scene() -> LoadResult:
        stop = asyncio.Event()
        async with asyncio.TaskGroup() as tasks:
            load = tasks.create_task(offer_load(plan, stop=stop))
            await asyncio.sleep(around_s)
            try:
                await asyncio.to_thread(fault)
                await asyncio.sleep(around_s)
            finally:
                stop.set()
        result = load.result()
        assert result.sent < plan.rate * plan.seconds, "the scene was longer than its load"
        return result

    return asyncio.run(scene())
