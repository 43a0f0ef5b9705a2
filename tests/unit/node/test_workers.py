"""When what an Envoy has accepted of listeners counts as there."""

import asyncio
from collections.abc import Iterable

from proa.core.sidecar.listener_counts import ListenerCounts
from proa.node.envoy_admin import AdminUnavailable
from proa.node.workers import Workers

PATIENCE_S = 30.0


class Envoy:
    """Says one count after the other, and the last one for ever; None is silence."""

    def __init__(self, says: Iterable[tuple[int, int] | None], warming: Iterable[int] = ()) -> None:
        self.says = list(says)
        self.warming = list(warming)
        self.asked = 0

    async def look(self) -> ListenerCounts:
        self.asked += 1
        said = self.says.pop(0) if len(self.says) > 1 else self.says[0]
        if said is None:
            raise AdminUnavailable("it ends")
        changes, judged = said
        warming = self.warming.pop(0) if self.warming else 0
        return ListenerCounts(changes=changes, judged=judged, warming=warming, has_workers=True)


def asked_until_there(workers: Workers, envoy: Envoy) -> int:
    async def body() -> int:
        before = envoy.asked
        async with asyncio.timeout(PATIENCE_S):
            await workers.have_listeners()
        return envoy.asked - before

    return asyncio.run(body())


def test_it_waits_for_each_worker() -> None:
    envoy = Envoy([(3, 2), (3, 3), (3, 5), (3, 6)])
    assert asked_until_there(Workers("default/a", 2, envoy.look), envoy) == 4


def test_what_is_there_is_not_waited_for() -> None:
    envoy = Envoy([(3, 3)])
    assert asked_until_there(Workers("default/a", 1, envoy.look), envoy) == 1


def test_a_listener_that_warms_is_on_its_way() -> None:
    """Its filters are asked for by name after it has been accepted."""
    envoy = Envoy([(3, 2), (3, 2), (3, 2), (3, 3)], warming=[1, 1])
    assert asked_until_there(Workers("default/a", 1, envoy.look), envoy) == 4


def test_a_change_that_no_worker_will_ever_have_is_waited_for_once() -> None:
    envoy = Envoy([(3, 2)])
    workers = Workers("default/a", 1, envoy.look)
    assert asked_until_there(workers, envoy) > 3
    assert asked_until_there(workers, envoy) == 1
    envoy.says = [(4, 2), (4, 3)]
    assert asked_until_there(workers, envoy) == 2, "the next one is waited for"
    workers.start_anew()
    envoy.says = [(2, 1), (2, 2)]
    assert asked_until_there(workers, envoy) == 2, "and so is the first one of another Envoy"


def test_an_envoy_that_does_not_answer_is_not_waited_for() -> None:
    envoy = Envoy([(3, 2), None])
    assert asked_until_there(Workers("default/a", 1, envoy.look), envoy) == 2
