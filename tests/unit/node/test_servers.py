"""Where a node looks for a control plane, and in which order."""

import asyncio
from collections import Counter

import pytest

from proa.core.sidecar.session import SessionState
from proa.node.servers import in_order_of, learn_servers, target_of
from proa.runtime.cell import Cell

A, B, C = "10.0.0.1:15012", "10.0.0.2:15012", "10.0.0.3:15012"


def target(*servers: str) -> str:
    return asyncio.run(target_of(servers))


def test_all_addresses_are_tried() -> None:
    assert target(A, B) == f"ipv4:{A},{B}"
    assert target("[::1]:1", "[2001:db8::2]:2") == "ipv6:[::1]:1,[2001:db8::2]:2"


def test_a_single_name_is_left_to_grpc() -> None:
    assert target("plane.example:15012") == "dns:///plane.example:15012"
    assert target("999.1.1.1:1") == "dns:///999.1.1.1:1"


def test_of_several_names_every_address_is_tried() -> None:
    assert target("localhost:7", A) == f"ipv4:127.0.0.1:7,{A}"
    assert target(A, "no.such.name.invalid:7") == f"ipv4:{A}"


def test_nowhere() -> None:
    with pytest.raises(ValueError, match="no address"):
        target()


def test_every_node_has_its_own_order_and_keeps_it() -> None:
    orders = {f"node-{number}": in_order_of(f"node-{number}", (A, B)) for number in range(200)}
    firsts = Counter(order[0] for order in orders.values())
    assert min(firsts[A], firsts[B]) > 60, "nodes spread"
    for node, order in orders.items():
        assert in_order_of(node, (B, A, B)) == order
        assert [each for each in in_order_of(node, (A, B, C)) if each != C] == list(order)


def test_what_the_control_plane_says_is_learned() -> None:
    moves: list[tuple[str, ...]] = []
    enough = asyncio.Event()

    class Keeper:
        async def move_to(self, servers: tuple[str, ...]) -> None:
            moves.append(servers)
            enough.set()

    async def body() -> None:
        answers: Cell[SessionState | None] = Cell(None)
        async with asyncio.timeout(60), asyncio.TaskGroup() as tasks:
            learning = tasks.create_task(learn_servers(answers, Keeper()))
            answers.set(SessionState(version=1))  # an older control plane, which does not say
            await asyncio.sleep(0)
            answers.set(SessionState(version=2, servers=(B, A)))
            await enough.wait()
            learning.cancel()
        assert moves == [(A, B)]

    asyncio.run(body())
