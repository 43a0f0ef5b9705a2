"""B5: what a thousand authorization rules cost Envoy beyond no policy: ours, beside one policy for each rule.

One Envoy on a core of its own holds the three at once, on three routes. Callers with certificates of their own, each on
one connection, ask by a schedule; callers and paths are uniform, and every second pair of them has a rule. Each round
measures the CPU time of all three one after the other; a figure is the difference to the round's own run without
policies.
"""

import asyncio
import ssl
import time
from collections.abc import Sequence
from random import Random
from typing import Final

from envoy.config.core.v3.extension_pb2 import TypedExtensionConfig
from envoy.config.rbac.v3.rbac_pb2 import RBAC as Rules
from envoy.config.rbac.v3.rbac_pb2 import Permission, Policy, Principal
from envoy.extensions.filters.http.rbac.v3.rbac_pb2 import RBAC
from envoy.type.matcher.v3.path_pb2 import PathMatcher
from envoy.type.matcher.v3.string_pb2 import StringMatcher

from benchmarks.cpu import Cores, CpuMeter
from benchmarks.figures import Figure, Goal, Skipped, rounds
from benchmarks.workshop import Workshop
from proa.core.model.names import WorkloadId
from proa.core.pilot.translate.encode import pack
from proa.home import Home
from proa.node.options import NodeOptions, NodeUnusable
from proa.node.run import find_envoy
from proa.testing.authorization.arena import Arena
from proa.testing.authorization.sets import policy

CALLERS: Final = 40
PATHS: Final = 50
RULES: Final = CALLERS * PATHS // 2
RATE: Final = 800.0
SECONDS: Final = 2.5
PAIRS: Final = 7
SYSTEMS: Final = ("none", "ours", "peer")
HIT, MISS = 200, 403


def caller(number: int) -> str:
    return f"cluster.local/ns/shop/sa/a{number}"


def path(number: int) -> str:
    return f"/api/v{number % 7}/items/{number}"


def is_let_in(who: int, what: int) -> bool:
    return (who + what) % 2 == 0


def written() -> list[tuple[str, str]]:
    """Caller and path of each rule, as no order would have them."""
    pairs = [
        (caller(who), path(what)) for who in range(CALLERS) for what in range(PATHS) if is_let_in(who, what)
    ]
    Random(5).shuffle(pairs)
    return pairs


def one_by_one() -> TypedExtensionConfig:
    """One policy for each rule, tried in turn: as Istio lays them out."""
    rules = Rules(action=Rules.ALLOW)
    for number, (who, what) in enumerate(written()):
        exact = PathMatcher(path=StringMatcher(exact=what))
        name = StringMatcher(exact=f"spiffe://{who}")
        rules.policies[f"ns[shop]-policy[many]-rule[{number}]"].CopyFrom(
            Policy(
                permissions=[Permission(url_path=exact)],
                principals=[Principal(authenticated=Principal.Authenticated(principal_name=name))],
            )
        )
    return TypedExtensionConfig(name="rules", typed_config=pack(RBAC(rules=rules)))


async def measure_authorization(workshop: Workshop, full: bool) -> Sequence[Figure]:
    try:
        find_envoy(NodeOptions(home=Home("/nonexistent")))
    except NodeUnusable as error:
        raise Skipped(str(error)) from None
    rules = [
        {"from": [{"source": {"principals": [who]}}], "to": [{"operation": {"paths": [what]}}]}
        for who, what in written()
    ]
    callers = [("cluster.local", WorkloadId("shop", f"a{number}"), f"a{number}") for number in range(CALLERS)]
    arena = Arena(
        workshop.directory,
        [(), (policy("many", {"rules": rules}),)],
        others=[[one_by_one()]],
        callers=callers,
        before=Cores.pinned(workshop.cores.measured, []),
    )
    seconds = SECONDS * (4 if full else 1)
    costs: dict[str, list[float]] = {name: [] for name in SYSTEMS}
    shares: dict[str, list[float]] = {name: [] for name in SYSTEMS}
    with arena.running():
        clients = [await _Client.open(arena, who) for who in range(CALLERS)]
        meter = CpuMeter(arena.pid)
        for name in SYSTEMS:
            await _lap(clients, SYSTEMS.index(name), name, 0.5)
        for pair, name in rounds(SYSTEMS, PAIRS):
            meter.lap()
            answered = await _lap(clients, SYSTEMS.index(name), name, seconds)
            costs[name].append(meter.lap() * 1e6 / max(answered, 1))
            shares[name].append(answered / (RATE * seconds))
            workshop.tell(f"{pair + 1} of {PAIRS}, {name}: {costs[name][-1]:.1f} us a request")
        for client in clients:
            client.close()
    return [_figure(costs, shares, workshop, seconds)]


def _figure(
    costs: dict[str, list[float]], shares: dict[str, list[float]], workshop: Workshop, seconds: float
) -> Figure:
    flaws = () if workshop.cores.are_apart else ("one core for all",)
    return Figure(
        benchmark="B5",
        figure=f"{RULES} rules, extra CPU per request",
        unit="us",
        ours=tuple(ours - none for ours, none in zip(costs["ours"], costs["none"], strict=True)),
        peer=tuple(peer - none for peer, none in zip(costs["peer"], costs["none"], strict=True)),
        peer_name="one policy per rule",
        goal=Goal(ratio=0.5),
        achieved=tuple(min(each) for each in zip(*shares.values(), strict=True)),
        conditions={
            "rules": float(RULES),
            "callers": float(CALLERS),
            "paths": float(PATHS),
            "rate": RATE,
            "seconds": seconds,
            "hits": 0.5,
            "no policy, us a request": costs["none"],
        },
        flaws=flaws,
    )


async def _lap(clients: Sequence["_Client"], number: int, name: str, seconds: float) -> int:
    """Answers that came in time, of all callers together."""
    start = time.monotonic() + 0.05
    interval = len(clients) / RATE
    laps = [
        client.ask(number, name, start + interval * turn / len(clients), interval, start + seconds)
        for turn, client in enumerate(clients)
    ]
    async with asyncio.TaskGroup() as tasks:
        running = [tasks.create_task(each) for each in laps]
    return sum(each.result() for each in running)


class _Client:
    """One caller on its connection, with a seed of its own."""

    def __init__(self, who: int, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._who = who
        self._rng = Random(who)
        self._reader, self._writer = reader, writer

    @classmethod
    async def open(cls, arena: Arena, who: int) -> "_Client":
        context: ssl.SSLContext = arena.context(who)
        reader, writer = await asyncio.wait_for(
            asyncio.open_connection("127.0.0.1", arena.mesh_port, ssl=context, server_hostname="a"), 20
        )
        return cls(who, reader, writer)

    def close(self) -> None:
        self._writer.transport.abort()

    async def ask(self, number: int, name: str, first: float, interval: float, end: float) -> int:
        """By the schedule, until the end; what is late is asked at once. Raises RuntimeError for an answer that the
        policies do not give."""
        answered, due = 0, first
        while due < end:
            wait = due - time.monotonic()
            if wait > 0:
                await asyncio.sleep(wait)
            what = self._rng.randrange(PATHS)
            request = f"GET {path(what)} HTTP/1.1\r\nhost: web.shop\r\nx-set: {number}\r\n\r\n"
            self._writer.write(request.encode())
            status = await asyncio.wait_for(self._answer(), 20)
            wanted = HIT if name == "none" or is_let_in(self._who, what) else MISS
            if status != wanted:
                raise RuntimeError(f"{name} answers {status} to {path(what)}, not {wanted}")
            answered += time.monotonic() <= end + interval
            due += interval
        return answered

    async def _answer(self) -> int:
        head = (await self._reader.readuntil(b"\r\n\r\n")).decode("latin-1").lower()
        length = head.partition("content-length:")[2].partition("\r\n")[0].strip()
        await self._reader.readexactly(int(length or 0))
        return int(head.split(" ", 2)[1])
