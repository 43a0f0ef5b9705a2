"""Which of two Envoys at one socket is served: the one whose process began last, in whatever order they come."""

import asyncio
import os

import pytest

from proa.core.model.names import WorkloadId
from proa.core.pilot.xds.wire import decode_response, encode_request
from proa.core.sidecar.listener_counts import ListenerCounts
from proa.core.sidecar.relay import RelayTable
from proa.node.credentials import Credential
from proa.node.relay import Relay
from proa.node.session import Session
from proa.node.trust import TrustReport
from proa.node.uplink import Uplink
from proa.node.workers import Workers
from proa.runtime.cell import Cell
from proa.runtime.outlet import Outlet
from proa.testing.xds import CLUSTER, LISTENER, fake_resource
from tests.unit.node.test_admission import CREDENTIAL

ELDER, HEIR = 1, os.getpid()
"""The system's first process and this one."""


async def at_work() -> ListenerCounts:
    return ListenerCounts(changes=0, judged=0, warming=0, has_workers=True)


def relay(workers: Workers | None = None) -> Relay:
    """With a cluster from disk; the control plane is away."""
    uplink = Uplink(Cell[Credential](CREDENTIAL), ())
    session = Session(uplink, Cell(()), Cell(TrustReport()))
    table = RelayTable(stored=(fake_resource(CLUSTER, "c", "1"), fake_resource(LISTENER, "l", "1")))
    return Relay(
        WorkloadId("default", "hello"),
        table,
        uplink,
        session,
        lambda: None,
        workers or Workers("default/hello", 1, at_work),
    )


def is_served(here: Relay, outlet: Outlet) -> bool:
    """Asks for clusters, as an Envoy does first."""
    before = outlet.unwritten
    here.received(outlet, encode_request(CLUSTER))
    return outlet.unwritten > before


@pytest.mark.parametrize("order", [(ELDER, HEIR), (HEIR, ELDER)])
def test_the_heir_is_served_and_the_elder_left_alone(order: tuple[int, int]) -> None:
    here, outlets = relay(), {pid: Outlet() for pid in order}
    for pid in order:
        here.connected(outlets[pid], pid)
    assert not is_served(here, outlets[ELDER])
    assert is_served(here, outlets[HEIR])
    assert not outlets[ELDER].closed, "it keeps what it has and does not come back"
    here.lost(outlets[ELDER])
    assert here.down.value, "its end is no news for the heir"


def test_an_elder_that_is_left_alone_comes_back() -> None:
    here, elder, heir, again = relay(), Outlet(), Outlet(), Outlet()
    here.connected(elder, ELDER)
    here.connected(heir, HEIR)
    here.lost(heir)
    assert elder.closed
    assert not here.down.value
    here.lost(elder)
    here.connected(again, ELDER)
    assert is_served(here, again)


def test_an_envoy_that_comes_again_takes_its_own_place() -> None:
    here, first, second = relay(), Outlet(), Outlet()
    here.connected(first, HEIR)
    here.connected(second, HEIR)
    assert first.closed
    here.lost(first)
    assert here.down.value
    assert is_served(here, second)


def test_listeners_are_taken_when_the_workers_have_them() -> None:
    """Other types do not wait, and what follows about listeners keeps its place."""

    async def body() -> None:
        taken = asyncio.Event()
        asked = asyncio.Event()

        async def look() -> ListenerCounts:
            asked.set()
            await taken.wait()
            return ListenerCounts(changes=1, judged=1, warming=0, has_workers=True)

        here, outlet = relay(Workers("default/hello", 1, look)), Outlet()
        here.connected(outlet, HEIR)
        async with asyncio.timeout(60), asyncio.TaskGroup() as tasks:
            held = tasks.create_task(here.run_held())
            waiting = tasks.create_task(here.took(fake_resource(LISTENER, "l", "1")))
            sent = outlet.drain()
            here.received(outlet, encode_request(CLUSTER))
            here.received(outlet, encode_request(CLUSTER, nonce=decode_response(await anext(sent)).nonce))
            here.received(outlet, encode_request(LISTENER))
            here.received(outlet, encode_request(LISTENER, nonce=decode_response(await anext(sent)).nonce))
            await asked.wait()
            assert not waiting.done()
            assert is_served(here, Outlet()) is False, "another stream is nothing to it"
            taken.set()
            await waiting
            held.cancel()

    asyncio.run(body())
