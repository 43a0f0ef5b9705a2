"""Streams that ask for less than a sidecar give their place back, too."""

import asyncio

from proa.control_plane.admission import Gate
from proa.control_plane.proxies import Proxies
from proa.control_plane.refusals import Refusals
from proa.core.model.names import WorkloadId
from proa.core.pilot.xds.admission import Bounds
from proa.core.pilot.xds.wire import decode_response, encode_request
from proa.testing.builders import Mesh, simple
from tests.unit.control_plane.storms import CLUSTER, LISTENER


def test_a_place_is_free_when_all_was_taken_or_nothing_more_is_asked() -> None:
    async def scene() -> None:
        proxies = Proxies(Mesh(simple("a")).world, lambda: 0.0)
        gate = Gate(proxies.push_age, lambda: 0.0, Refusals(lambda: 0.0), Bounds(at_once=2))
        place = await gate.enter("node")
        place.stream = stream = proxies.open(WorkloadId("default", "client"), "node")

        def settle() -> None:
            for body in stream.take():
                proxies.received(stream, encode_request(CLUSTER, nonce=decode_response(body).nonce))
                gate.heard(place)

        gate.turn(0.0)
        gate.turn(0.0)
        assert gate.filling == 1  # it has said nothing yet
        proxies.received(stream, encode_request(CLUSTER))
        gate.turn(0.0)
        gate.turn(0.0)
        assert gate.filling == 1  # its answer is on its way
        settle()
        gate.turn(0.0)
        assert gate.filling == 1  # it may ask for more
        proxies.received(stream, encode_request(CLUSTER, subscribe=["x"]))
        settle()
        gate.turn(0.0)
        assert gate.filling == 1
        gate.turn(0.0)
        assert gate.filling == 0

        place = await gate.enter("node")
        place.stream = stream = proxies.open(WorkloadId("default", "client"), "node")
        proxies.received(stream, encode_request(LISTENER))
        for body in stream.take():
            proxies.received(stream, encode_request(LISTENER, nonce=decode_response(body).nonce))
        gate.heard(place)
        assert gate.filling == 0
        assert gate.admitted == 2

    asyncio.run(scene())


def test_while_the_loop_is_late_one_begins_at_a_time() -> None:
    async def scene() -> None:
        gate = Gate(lambda: 0.0, lambda: 0.0, Refusals(lambda: 0.0), Bounds(at_once=8, lag_s=0.1))
        gate.turn(5.0)
        first = await gate.enter("a")
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(gate.enter("b"))
            await asyncio.sleep(0)
            assert (gate.filling, gate.waiting) == (1, 1)
            gate.leave(first)
        gate.turn(0.0)
        await gate.enter("b")
        assert (gate.filling, gate.waiting) == (2, 0)

    asyncio.run(scene())
