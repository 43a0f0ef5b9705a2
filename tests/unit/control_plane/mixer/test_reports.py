"""What proxies tell, to handlers that keep what they are given: a world of a server and its client."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import asynccontextmanager

import pytest
from immutables import Map

from proa.control_plane.mixer.handlers import Handlers
from proa.control_plane.mixer.reports import Reports
from proa.core.attributes.value_types import Value
from proa.core.config.config import Config
from proa.core.config.mixer.catalogue import BUILT_IN, AdapterKind
from proa.core.mixer.asked import Asked, Party, Place
from proa.core.mixer.plan.compiling import compile_plan
from proa.core.mixer.plan.values import DispatchPlan, HandlerPlan
from proa.core.mixer.reported import Called, Ended, Viewpoint
from proa.core.mixer.reporting.backlog import Counts
from proa.core.mixer.templates import Instance
from proa.core.model.names import WorkloadId
from proa.core.pilot.scope.mixer import service_attributes
from proa.ports.policy_adapter import PolicyHandler
from proa.servers.mixer.reports import Teller
from proa.testing.mixer import all_run, mixer_config, rule

CART, WEB = WorkloadId("shop", "cart"), WorkloadId("shop", "web")
HOST = "cart.shop.svc.cluster.local"
PARTIES = {
    CART: Party(name="cart", namespace="shop", labels=Map({"app": "cart"})),
    WEB: Party(name="web", namespace="shop", labels=Map({"app": "web"})),
}
MINE = "spiffe://cluster.local/ns/shop/sa/"
DNS = ".shop.workload.cluster.local"
AT_CART = Teller(workload=CART, identity=f"{MINE}cart", viewpoint=Viewpoint("tls", 80))
AT_WEB = Teller(workload=WEB, identity=f"{MINE}web", viewpoint=Viewpoint("client"))
WHO = (
    'context.reporter.kind + " " + (source.labels["app"] | source.name | "?") + ">"'
    ' + (destination.labels["app"] | destination.name | "?") + " " + (destination.service.name | "?")'
)


class Small:
    def __init__(self) -> None:
        self.generation = 1
        self.parties = dict(PARTIES)

    def place(self, workload: WorkloadId, port: int) -> Place | None:
        if (workload, port) != (CART, 80) or CART not in self.parties:
            return None
        facts: dict[str, Value] = PARTIES[CART].attributes("destination")
        facts["context.reporter.kind"] = "inbound"
        return Place(attributes=Map(facts).update(service_attributes(HOST, "shop")))

    def party(self, workload: WorkloadId) -> Party | None:
        return self.parties.get(workload)

    def called(self, host: str) -> Map[str, Value]:
        return service_attributes(host, "shop") if host == HOST else Map()


class Keeping:
    """An adapter. `told` by the name of the handler, in order; `gate` holds them all back."""

    kind: AdapterKind = BUILT_IN.adapters["stdio"]

    def __init__(self) -> None:
        self.told: dict[str, list[str]] = {}
        self.gate = asyncio.Event()
        self.gate.set()
        self._news = asyncio.Condition()

    async def until(self, number: int) -> None:
        """All together have been told so much."""
        async with self._news:
            await self._news.wait_for(lambda: sum(map(len, self.told.values())) >= number)

    @asynccontextmanager
    async def open(self, plan: HandlerPlan) -> AsyncIterator[PolicyHandler]:
        told = self.told.setdefault(plan.name, [])
        gate, news = self.gate, self._news

        class Handler(PolicyHandler):
            async def report(self, instances: tuple[Instance, ...]) -> None:
                await gate.wait()
                told.extend(str(each.fields["severity"]) for each in instances)
                async with news:
                    news.notify_all()

        yield Handler()


def plan_of(*configs: Config) -> DispatchPlan:
    found = compile_plan(
        [
            mixer_config("stdio", "out", {"outputAsJson": True}, "shop"),
            mixer_config("stdio", "other", {}, "shop"),
            mixer_config("logentry", "who", {"severity": WHO}, "shop"),
            mixer_config("logentry", "bytes", {"severity": "connection.event"}, "shop"),
            *configs,
        ],
        all_run(),
    )
    assert found.messages == ()
    return found.plan


LOGS = plan_of(rule("r", "out.stdio", "who.logentry", namespace="shop"))
Scene = Callable[[Reports, Handlers, Keeping, Small], Awaitable[None]]


def play(scene: Scene, plan: DispatchPlan = LOGS) -> Reports:
    async def body() -> Reports:
        keeping, small = Keeping(), Small()
        async with (
            Handlers({"stdio": keeping}) as handlers,
            Reports(small, handlers, "cluster.local") as reports,
        ):
            await handlers.swap(plan)
            await scene(reports, handlers, keeping, small)
        return reports

    return asyncio.run(body())


def asked(workload: str = "web", identity: str = f"{MINE}web", **headers: str) -> Asked:
    return Asked(headers=headers, identity=identity, workload=f"{workload}{DNS}" if workload else "")


def told(number: int = 1) -> list[tuple[Asked, Ended]]:
    return [(asked(), Ended(code=200))] * number


CALLED = Called(cluster=f"outbound|80||{HOST}", identity=f"{MINE}cart", workload=f"cart{DNS}")


@pytest.mark.parametrize(
    ("teller", "entry", "expected"),
    [
        (AT_CART, (asked(), Ended()), "inbound web>cart cart"),
        (AT_CART, (asked("job"), Ended()), "inbound job>cart cart"),
        (AT_CART, (asked("", ""), Ended()), "inbound ?>cart cart"),
        (AT_CART, (asked("web", "spiffe://partner.test/ns/shop/sa/web"), Ended()), "inbound ?>cart cart"),
        (AT_WEB, (asked("", ""), Ended(called=CALLED)), "outbound web>cart cart"),
        (
            AT_WEB,
            (asked("", ""), Ended(called=Called(cluster="PassthroughCluster"))),
            "outbound web>? ?",
        ),
    ],
)
def test_both_sides_are_known_by_certificates(
    teller: Teller, entry: tuple[Asked, Ended], expected: str
) -> None:
    async def scene(reports: Reports, handlers: Handlers, keeping: Keeping, small: Small) -> None:
        await reports.hear(teller).take([entry])
        await reports.emptied()
        assert keeping.told["out.stdio.shop"] == [expected]

    play(scene)


def test_who_has_gone_is_what_it_was() -> None:
    async def scene(reports: Reports, handlers: Handlers, keeping: Keeping, small: Small) -> None:
        hearing = reports.hear(AT_CART)
        await hearing.take(told())
        small.parties.clear()
        small.generation += 1
        await hearing.take(told())
        await reports.hear(AT_CART).take(told())
        await reports.emptied()
        known, unknown = "inbound web>cart cart", "inbound web>cart ?"
        assert keeping.told["out.stdio.shop"] == [known, known, unknown]

    play(scene)


def test_a_message_is_one_batch_for_each_handler() -> None:
    plan = plan_of(
        rule("a", "out.stdio", "who.logentry", namespace="shop"),
        rule("b", "other.stdio", "who.logentry", namespace="shop"),
        rule("c", "other.stdio", "who.logentry", namespace="shop", match='source.name == "nobody"'),
        rule("d", "other.stdio", "who.logentry", namespace="shop", match='request.headers["x"] == "y"'),
        rule("e", "other.stdio", "bytes.logentry", namespace="shop"),
        rule("f", "other.stdio", "who.logentry", namespace="shop", match='request.auth.principal == "y"'),
    )

    async def scene(reports: Reports, handlers: Handlers, keeping: Keeping, small: Small) -> None:
        await reports.hear(AT_CART).take(told(40))
        await reports.emptied()
        assert {name: len(each) for name, each in keeping.told.items()} == {
            "out.stdio.shop": 40,
            "other.stdio.shop": 40,
        }
        calls = {each.plan.name: dict(each.tally.outcomes) for each in handlers.running}
        assert calls == {"out.stdio.shop": {"answered": 1}, "other.stdio.shop": {"answered": 1}}

    reports = play(scene, plan)
    assert reports.counts == {
        "out.stdio.shop": Counts(offered=40, delivered=40),
        "other.stdio.shop": Counts(offered=40, delivered=40),
    }
    assert reports.heard.entries == {"request": 40, "connection": 0, "broken": 0}
    assert reports.heard.unmade == {"bytes.logentry.shop": 40}
    assert reports.heard.unmatched == {"rule/shop/f": 40}


def test_connections_are_told_by_pieces() -> None:
    plan = plan_of(rule("r", "out.stdio", "bytes.logentry", namespace="shop"))
    pieces = [
        Ended(is_stream=True, connection="1", moment="open", received=5),
        Ended(is_stream=True, connection="1", moment="continue", received=8),
        Ended(is_stream=True, connection="1", received=9),
        Ended(is_stream=True, connection="2", moment="continue", received=100),
        Ended(is_stream=True, connection="3", called=Called(cluster="connect_80")),
    ]

    async def scene(reports: Reports, handlers: Handlers, keeping: Keeping, small: Small) -> None:
        hearing = reports.hear(AT_CART)
        for piece in pieces:
            await hearing.take([(asked(), piece)])
        await reports.emptied()
        assert keeping.told["out.stdio.shop"] == ["open", "continue", "close", "continue"]

    reports = play(scene, plan)
    assert reports.heard.entries["connection"] == 4, (
        "what goes on to a listener of the proxy's own is told by it"
    )
    assert reports.heard.interrupted == 1


def test_what_was_told_under_a_plan_goes_to_its_handlers() -> None:
    """The successor of a handler gets nothing of what was meant for it, and it gets all."""
    following = plan_of(rule("r", "other.stdio", "who.logentry", namespace="shop"))

    async def scene(reports: Reports, handlers: Handlers, keeping: Keeping, small: Small) -> None:
        keeping.gate.clear()
        hearing = reports.hear(AT_CART)
        await hearing.take(told(3))
        await handlers.swap(following)
        await hearing.take(told(2))
        assert reports.waiting == {"out.stdio.shop": 3, "other.stdio.shop": 2}
        assert keeping.told == {"out.stdio.shop": [], "other.stdio.shop": []}
        keeping.gate.set()
        await reports.emptied()
        assert {name: len(each) for name, each in keeping.told.items()} == {
            "out.stdio.shop": 3,
            "other.stdio.shop": 2,
        }
        await handlers.swap(LOGS)
        await hearing.take(told(1))
        await reports.emptied()

    reports = play(scene)
    assert reports.counts == {
        "out.stdio.shop": Counts(offered=4, delivered=4),
        "other.stdio.shop": Counts(offered=2, delivered=2),
    }


def test_whoever_goes_away_has_told_what_he_told() -> None:
    """A proxy that ends cancels its call, not what it said."""

    async def scene(reports: Reports, handlers: Handlers, keeping: Keeping, small: Small) -> None:
        async with asyncio.TaskGroup() as tasks:
            taking = tasks.create_task(reports.hear(AT_CART).take(told(100)))
            await asyncio.sleep(0)
            taking.cancel()
        assert taking.cancelled()
        await keeping.until(100)
        assert len(keeping.told["out.stdio.shop"]) == 100

    play(scene)


def test_a_mistake_about_one_entry_is_none_about_the_others() -> None:
    class Broken(dict[str, str]):
        def get(self, *_: object) -> str:
            raise RuntimeError("ours")

    entries: Iterable[tuple[Asked, Ended]] = [
        *told(),
        (Asked(headers=Broken(), identity=f"{MINE}web", workload=f"web{DNS}"), Ended()),
        *told(),
    ]

    async def scene(reports: Reports, handlers: Handlers, keeping: Keeping, small: Small) -> None:
        await reports.hear(AT_CART).take(entries)
        await reports.emptied()
        assert len(keeping.told["out.stdio.shop"]) == 2

    assert play(scene).heard.entries == {"request": 3, "connection": 0, "broken": 1}
