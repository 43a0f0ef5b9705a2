"""The load that a scene is judged by: 50 requests a second, open loop, on four connections, from one workload."""

import asyncio
import threading
from collections.abc import Callable
from typing import Final

from proa.testing.load import LoadPlan, LoadResult, Shot, acceptance_plan, offer_load
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


class Load:
    """Fifty requests a second of one workload in a thread of its own, on kept connections."""

    def __init__(self, mesh: Mesh, workload: str, url: str) -> None:
        self._plan = LoadPlan(shots=(Shot(url=url),), seconds=120, proxy=mesh.proxy(workload))
        self._loop = asyncio.new_event_loop()
        self._stop = asyncio.Event()
        self.result: LoadResult | None = None
        self._thread = threading.Thread(target=self._run, name=f"load of {workload}")

    def _run(self) -> None:
        self.result = self._loop.run_until_complete(offer_load(self._plan, stop=self._stop))

    def __enter__(self) -> "Load":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join()
        self._loop.close()
