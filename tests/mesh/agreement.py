"""What the simulation says of a request against what a real Envoy wrote into its access log about it.

A scene of many rules, three proxies (a sidecar that sees everything, one narrowed by a Sidecar, a gateway), and
requests drawn from the words that the rules use, so that most of them nearly match something. Each request bears its
number in its query, by which its line in the log is found. Used by the daily test and by the long one.
"""

import asyncio
import random
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import product
from typing import Final

import msgspec
import orjson
from google.protobuf import json_format
from google.protobuf.any_pb2 import Any as AnyMessage

import proa.control_plane.world  # noqa: F401 - with it every message type that resources are made of is known
from proa.core.model.names import WorkloadId
from proa.core.pilot.resource import Resource, ResourceType
from proa.core.pilot.simulate import (
    Answered,
    Connect,
    Explicit,
    Gateway,
    Outcome,
    Request,
    Simulation,
    Via,
)
from proa.testing.http1 import Connection, Response
from tests.mesh.harness import Mesh, until

CONNECTIONS: Final = 4
"""Per proxy, or per place in it. More would not be faster on two cores."""
ROLLS: Final = tuple(number / 20 + 0.025 for number in range(20))
"""Where chance decides, any of these may have happened: shares in the scenes are of at least a twentieth."""
LOOPBACK: Final = "127.0.0.1"

Seen = tuple[str, str, int, str]
"""Route, cluster, status, response flags."""
Got = tuple[str, str, str]
"""Where a client was redirected, or the path and host of the request as it reached the program."""


class Asked(msgspec.Struct, frozen=True, kw_only=True):
    """One request of one proxy."""

    number: int
    proxy: WorkloadId
    request: Request
    via: Via


class Door(msgspec.Struct, frozen=True, kw_only=True):
    """A way into a proxy: where to connect, what to ask for there. `hosts` are what a request may name."""

    proxy: WorkloadId
    port: int
    via: Via
    hosts: tuple[str, ...]


class Words(msgspec.Struct, frozen=True, kw_only=True):
    """What requests are made of."""

    paths: tuple[str, ...]
    queries: tuple[str, ...]
    headers: tuple[tuple[str, str], ...]
    methods: tuple[str, ...] = ("GET", "GET", "GET", "POST", "PUT", "DELETE", "HEAD", "OPTIONS", "PATCH")


def draw(seed: int, words: Words, doors: Sequence[Door], count: int) -> list[Asked]:
    """`count` requests, the same ones for the same seed."""
    dice = random.Random(seed)
    asked = []
    for number in range(count):
        door = dice.choice(doors)
        query = dice.choice(words.queries)
        path = dice.choice(words.paths) + f"?{query}{'&' if query else ''}n={number}"
        headers = tuple(dice.sample(words.headers, k=dice.choice((0, 0, 1, 1, 2, 3))))
        request = Request(
            method=dice.choice(words.methods), authority=dice.choice(door.hosts), path=path, headers=headers
        )
        asked.append(Asked(number=number, proxy=door.proxy, request=request, via=door.via))
    return asked


# What was foretold


def simulation_of(mesh: Mesh, proxy: WorkloadId) -> Simulation:
    """Over the resources that the control plane offers a proxy, by its admin API."""
    held: dict[tuple[ResourceType, str], Resource] = {}
    for each in mesh.admin.proxy_config(proxy).resources:
        assert each.state == "synced", f"{each.name} is {each.state} at {proxy}: {each.error}"
        body = json_format.ParseDict(orjson.loads(bytes(each.body)), AnyMessage())
        kind = ResourceType[each.type]
        held[kind, each.name] = Resource(
            type=kind,
            name=each.name,
            body=body.SerializeToString(),
            digest=each.version,
            objects=each.objects,
        )
    return Simulation(lambda kind, name: held.get((kind, name)))


def foretold(simulation: Simulation, asked: Asked, roll: float, fault_roll: float) -> tuple[Seen, Got]:
    request = msgspec.structs.replace(asked.request, roll=roll, fault_roll=fault_roll)
    outcome = simulation.run(request, asked.via)
    return _as_logged(outcome), _as_got(outcome)


def _as_got(outcome: Outcome) -> Got:
    if isinstance(outcome.end, Answered):
        return outcome.end.location, "", ""
    return ("", outcome.route.path, outcome.route.authority) if outcome.route else ("", "", "")


def _as_logged(outcome: Outcome) -> Seen:
    """The programs of a scene answer everything with 200. What becomes of a name outside the mesh is DNS's to say."""
    route = outcome.route.name if outcome.route else ""
    if any(check.passed is None for check in outcome.checks):
        return route, outcome.cluster, 0, ""
    return route, outcome.cluster, outcome.status or 200, ",".join(outcome.flags)


def _agree(real: tuple[Seen, Got], told: tuple[Seen, Got]) -> bool:
    """Of a program's answer that has no body (to HEAD) nobody knows what the program got."""
    (seen, got), (meant, given) = real, told
    if meant[2] == 0:
        return seen[:2] == meant[:2] and seen[2] in (403, 503)
    return seen == meant and got in (given, ("", "", ""))


def disagreements(
    simulations: Mapping[WorkloadId, Simulation],
    asked: Iterable[Asked],
    seen: Mapping[int, Seen],
    got: Mapping[int, Got],
) -> Iterator[str]:
    for each in asked:
        real = seen[each.number], got[each.number]
        simulation = simulations[each.proxy]
        if _agree(real, foretold(simulation, each, 0, 0)):
            continue
        possible = dict.fromkeys(foretold(simulation, each, *rolls) for rolls in product(ROLLS, ROLLS))
        if not any(_agree(real, told) for told in possible):
            why = simulation.run(each.request, each.via).why
            yield f"{each}\n  Envoy    {real}\n  foretold {list(possible)}\n  why      {why}"


# What happened


async def send_all(doors: Mapping[tuple[WorkloadId, Via], Door], asked: Sequence[Asked]) -> dict[int, Got]:
    """Every request once, over kept connections, with what came of it."""
    got: dict[int, Got] = {}
    queues: dict[tuple[WorkloadId, Via], list[Asked]] = {}
    for each in asked:
        queues.setdefault((each.proxy, each.via), []).append(each)
    async with asyncio.TaskGroup() as group:
        for place, queue in queues.items():
            for number in range(CONNECTIONS):
                group.create_task(_send(doors[place], queue[number::CONNECTIONS], got))
    return got


async def _send(door: Door, asked: Sequence[Asked], got: dict[int, Got]) -> None:
    connection: Connection | None = None
    try:
        for each in asked:
            if connection is None or not connection.is_reusable:
                if connection is not None:
                    await connection.close()
                connection = await _connect(door)
            async with asyncio.timeout(60):
                answer = await connection.exchange(
                    _wire(door, each.request), is_head=each.request.method == "HEAD"
                )
            got[each.number] = _got(answer)
    finally:
        if connection is not None:
            await connection.close()


def _got(answer: Response) -> Got:
    if "location" in answer.headers:
        return answer.headers["location"], "", ""
    if answer.status == 200 and answer.body.startswith(b"{"):
        told = orjson.loads(answer.body)
        return "", str(told["raw_path"]), str(told["headers"]["host"])
    return "", "", ""


async def _connect(door: Door) -> Connection:
    connection = Connection(*await asyncio.open_connection(LOOPBACK, door.port))
    if isinstance(door.via, Connect):
        name = door.via.authority
        # An answer to CONNECT has no body, as one to HEAD has none.
        answer = await connection.exchange(
            f"CONNECT {name} HTTP/1.1\r\nHost: {name}\r\n\r\n".encode(), is_head=True
        )
        assert answer.status == 200, f"CONNECT {name}: {answer.status}"
    return connection


def _wire(door: Door, request: Request) -> bytes:
    target = f"http://{request.authority}{request.path}" if isinstance(door.via, Explicit) else request.path
    lines = [f"{request.method} {target} HTTP/1.1", f"Host: {request.authority}"]
    lines += [f"{name}: {value}" for name, value in request.headers]
    if request.method in ("POST", "PUT", "PATCH"):
        lines.append("Content-Length: 0")
    return "\r\n".join((*lines, "", "")).encode()


def logged(mesh: Mesh, proxy: WorkloadId, numbers: set[int]) -> dict[int, Seen]:
    """What the proxy wrote of these requests; waits until it has written of all."""

    seen: dict[int, Seen] = {}

    def is_full() -> bool:
        lines = mesh.access_log(proxy.name, proxy.namespace)
        seen.update({_number(line): _seen(line) for line in lines if line.get("direction") != "inbound"})
        return numbers <= seen.keys()

    try:
        until(is_full, f"the access log of {proxy} has all {len(numbers)} requests")
    except AssertionError as error:
        raise AssertionError(f"{error}, not {sorted(numbers - seen.keys())[:10]}") from None
    return seen


def _number(line: Mapping[str, object]) -> int:
    _, marked, number = str(line.get("path", "")).rpartition("n=")
    return int(number) if marked and number.isdigit() else -1


def _seen(line: Mapping[str, object]) -> Seen:
    flags = str(line.get("flags", "-")).replace("-", "")
    return str(line.get("route", "")), str(line.get("cluster", "")), int(str(line.get("status", 0))), flags


def compare(
    mesh: Mesh,
    doors: Sequence[Door],
    words: Words,
    *,
    seed: int,
    count: int,
    tell: Callable[[str], None] = print,
) -> None:
    """Draws, sends, and looks that everything went as foretold. Fails with what did not."""
    asked = draw(seed, words, doors, count)
    simulations = {proxy: simulation_of(mesh, proxy) for proxy in {door.proxy for door in doors}}
    got = asyncio.run(send_all({(door.proxy, door.via): door for door in doors}, asked))
    seen: dict[int, Seen] = {}
    for proxy in simulations:
        mine = {each.number for each in asked if each.proxy == proxy}
        seen |= {number: line for number, line in logged(mesh, proxy, mine).items() if number in mine}
    wrong = list(disagreements(simulations, asked, seen, got))
    tell(
        f"{count} requests of seed {seed}: {len(wrong)} disagreements, {len(set(seen.values()))} different ways"
    )
    assert not wrong, f"{len(wrong)} of {count} requests of seed {seed}:\n" + "\n".join(wrong[:10])


__all__ = ["Asked", "Door", "Gateway", "Words", "compare", "draw"]
