"""What requests are charged: the rate limit task of 2018 and what goes beyond it, with the adapters that run."""

import asyncio
from collections.abc import Callable, Coroutine, Mapping

import msgspec
import pytest
from immutables import Map

from proa.adapters.policy.memquota.adapter import MemQuotaAdapter
from proa.control_plane.mixer.handlers import Handlers
from proa.control_plane.mixer.quotas import Quotas
from proa.core.attributes.value_types import Value
from proa.core.config.config import Config
from proa.core.mixer.asked import Asked, Party, Place
from proa.core.mixer.plan.in_force import InForce, compile_in_force
from proa.core.model.names import WorkloadId
from proa.ports.policy_adapter import PolicyAdapter
from proa.servers.grpc_edge import NotNow
from proa.servers.mixer.rate_limits import Expense
from proa.testing.mixer import all_run, mixer_config, rule
from tests.unit.control_plane.mixer.adapters import Scripted

ROOT = "istio-system"
PAGE, OTHER, CALLER = (
    WorkloadId("default", "page-1"),
    WorkloadId("default", "page-2"),
    WorkloadId("shop", "cart"),
)
DIMENSIONS = {
    "source": 'request.headers["x-forwarded-for"] | "unknown"',
    "destination": 'destination.labels["app"] | destination.service | "unknown"',
}


def limits(amount: int = 2, name: str = "requestcount", **annotations: str) -> Config:
    override = {"dimensions": {"destination": "page"}, "maxAmount": amount, "validDuration": "5s"}
    quota = {"name": f"{name}.quota.{ROOT}", "maxAmount": 500, "validDuration": "1s", "overrides": [override]}
    notes = {f"proa.dev/{key.replace('_', '-')}": value for key, value in annotations.items()}
    return mixer_config("memquota", name, {"quotas": [quota]}, ROOT, notes)


def instance(name: str = "requestcount", dimensions: Mapping[str, str] | None = None) -> Config:
    return mixer_config("quota", name, {"dimensions": dict(dimensions or DIMENSIONS)}, ROOT)


def owing(*rules: object) -> tuple[Config, Config]:
    spec = mixer_config("QuotaSpec", "s", {"rules": list(rules)}, ROOT)
    bound = {"quotaSpecs": [{"name": "s"}], "services": [{"service": "*"}]}
    return spec, mixer_config("QuotaSpecBinding", "b", bound, ROOT)


def charge(*quotas: str, amount: int = 1, **clause: str) -> dict[str, object]:
    match = [{"clause": {name.replace("_", "."): {"exact": value} for name, value in clause.items()}}]
    return {
        "quotas": [{"quota": quota, "charge": amount} for quota in quotas],
        **({"match": match} if clause else {}),
    }


def counting(handler: str = "requestcount", match: str = "", **annotations: str) -> Config:
    notes = {f"proa.dev/{key.replace('_', '-')}": value for key, value in annotations.items()}
    return rule(
        f"count-{handler}",
        f"{handler}.memquota",
        f"{handler}.quota",
        match=match,
        namespace=ROOT,
        annotations=notes,
    )


class Small(msgspec.Struct):
    """A world of two servers of one service."""

    mixer: InForce

    def place(self, workload: WorkloadId, port: int) -> Place | None:
        if workload not in (PAGE, OTHER) or port != 80:
            return None
        found: dict[str, Value] = Party(
            name=workload.name, namespace="default", labels=Map({"app": "page"})
        ).attributes("destination")
        found |= {
            "destination.service.host": "page.default.svc.cluster.local",
            "context.reporter.kind": "inbound",
        }
        return Place(attributes=Map(found))

    def party(self, workload: WorkloadId) -> Party | None:
        return (
            Party(name="cart", namespace="shop", labels=Map({"app": "cart"})) if workload == CALLER else None
        )


def expense(
    server: WorkloadId = PAGE, path: str = "/", source: str = "", port: int = 80, **more: object
) -> Expense:
    headers = {":path": path, **({"x-forwarded-for": source} if source else {})}
    told: dict[str, object] = {"quotas": (), "asked": Asked(headers=headers), "caller": None, **more}
    return Expense(server=server, port=port, **told)  # type: ignore[arg-type]


def of_scene(
    objects: tuple[Config, ...],
    scene: Callable[[Quotas], Coroutine[None, None, None]],
    noop: Scripted | None = None,
) -> None:
    async def body() -> None:
        rules, _ = compile_in_force(objects, all_run(), None, ROOT)
        adapters: dict[str, PolicyAdapter] = {"memquota": MemQuotaAdapter()}
        if noop is not None:
            adapters["memquota"] = noop
        async with Handlers(adapters) as handlers:
            await handlers.swap(rules.plan)
            await scene(Quotas(Small(rules), handlers))

    asyncio.run(body())


async def granted(quotas: Quotas, *expenses: Expense) -> list[int]:
    """Of each, what was granted of the first quota; 0 refuses."""
    return [(await quotas.charge(each))[0].granted for each in expenses]


TASK = (limits(), instance(), *owing(charge("requestcount")), counting())


def test_the_third_request_is_refused_and_who_came_from_elsewhere_is_not() -> None:
    async def scene(quotas: Quotas) -> None:
        assert await granted(quotas, expense(), expense(), expense()) == [1, 1, 0]
        assert await granted(quotas, expense(source="10.0.0.1")) == [1]
        (spent,) = await quotas.charge(expense())
        assert (spent.quota, spent.is_exhausted) == ("requestcount", True)
        assert spent.left is not None
        assert (spent.left.maximum, spent.left.window_ms, spent.left.amount) == (2, 5000, 0)
        assert 0 < (spent.left.wait_ms or 0) <= 5000
        assert quotas.endings == {("requestcount", "granted"): 3, ("requestcount", "refused"): 2}

    of_scene(TASK, scene)


def test_all_servers_of_a_service_share_a_limit_unless_it_is_per_instance() -> None:
    async def shared(quotas: Quotas) -> None:
        assert await granted(quotas, expense(PAGE), expense(OTHER), expense(OTHER), expense(PAGE)) == [
            1,
            1,
            0,
            0,
        ]

    async def apart(quotas: Quotas) -> None:
        row = [expense(PAGE), expense(OTHER), expense(PAGE), expense(OTHER), expense(PAGE), expense(OTHER)]
        assert await granted(quotas, *row) == [1, 1, 1, 1, 0, 0]

    of_scene(TASK, shared)
    of_scene((limits(limit="per-instance"), *TASK[1:]), apart)


def test_a_rule_that_does_not_match_charges_nothing() -> None:
    match = 'match(request.headers["cookie"], "user=*") == false'

    async def scene(quotas: Quotas) -> None:
        asked = Asked(headers={"cookie": "user=ann"})
        row = [expense(asked=asked)] * 5
        assert [len(await quotas.charge(each)) for each in row] == [0] * 5
        anybody = [expense(asked=Asked(headers={"cookie": "x"}))] * 3
        assert await granted(quotas, *anybody) == [1, 1, 0]

    of_scene((limits(), instance(), *owing(charge("requestcount")), counting(match=match)), scene)


def test_clauses_say_how_much_and_whether() -> None:
    specs = owing(
        charge("requestcount", amount=2, request_path="/dear"), charge("requestcount", request_path="/free")
    )

    async def scene(quotas: Quotas) -> None:
        assert await quotas.charge(expense(path="/other")) == ()
        assert await granted(quotas, expense(path="/dear"), expense(path="/free")) == [2, 0]

    of_scene((limits(), instance(), *specs, counting()), scene)


def test_what_refuses_first_keeps_the_others_from_being_charged() -> None:
    objects = (
        limits(1, "aaa"),
        instance("aaa"),
        counting("aaa"),
        limits(2, "bbb"),
        instance("bbb"),
        counting("bbb"),
        *owing(charge("bbb", "aaa")),
    )

    async def scene(quotas: Quotas) -> None:
        told = [[(each.quota, each.granted) for each in await quotas.charge(expense())] for _ in range(3)]
        assert told == [[("aaa", 1), ("bbb", 1)], [("aaa", 0)], [("aaa", 0)]]
        assert await granted(quotas, expense(quotas=("bbb",)), expense(quotas=("bbb",))) == [1, 0]

    of_scene(objects, scene)


def test_a_request_that_is_asked_about_twice_is_charged_once() -> None:
    async def scene(quotas: Quotas) -> None:
        again, other = expense(id="7@noon/0"), expense(OTHER, id="7@noon/0")
        assert await granted(quotas, again, again, again, again) == [1, 1, 1, 1]
        assert await granted(quotas, other, expense()) == [1, 0], "another proxy's is another request"

    of_scene(TASK, scene)


@pytest.mark.parametrize("where", ["rule", "handler"])
def test_what_only_tries_is_charged_and_refuses_nobody(where: str) -> None:
    on_rule, on_handler = ({"dry_run": "true"} if each == where else {} for each in ("rule", "handler"))
    objects = (
        limits(2, "requestcount", **on_handler),
        instance(),
        *owing(charge("requestcount")),
        counting(**on_rule),
    )

    async def scene(quotas: Quotas) -> None:
        spent = [(await quotas.charge(expense()))[0] for _ in range(3)]
        assert [(each.is_exhausted, each.is_dry) for each in spent] == [
            (False, True),
            (False, True),
            (True, True),
        ]
        assert quotas.endings["requestcount", "would-refuse"] == 1

    of_scene(objects, scene)


def test_who_looks_sees_all_and_takes_nothing() -> None:
    async def scene(quotas: Quotas) -> None:
        for _ in range(5):
            (seen,) = await quotas.spend(expense(), looking=True)
            assert (seen.granted, seen.left and seen.left.amount) == (1, 2)
        assert await granted(quotas, expense(), expense()) == [1, 1]
        (seen,) = await quotas.spend(expense(), looking=True)
        assert (seen.granted, seen.is_exhausted) == (0, True)
        assert sum(quotas.endings.values()) == 2

    of_scene(TASK, scene)


@pytest.mark.parametrize(("policy", "amount"), [("", 1), ("open", 1), ("closed", 0)])
def test_a_handler_that_fails_counts_as_its_rule_says(policy: str, amount: int) -> None:
    broken = Scripted()
    broken.refusals = [OSError("it is away")] * 100
    annotations = {"failure_policy": policy} if policy else {}

    async def scene(quotas: Quotas) -> None:
        assert await granted(quotas, expense()) == [amount]

    of_scene((limits(), instance(), *owing(charge("requestcount")), counting(**annotations)), scene, broken)


def test_a_dimension_that_cannot_be_told_fails_as_the_rule_says() -> None:
    unsure = instance(dimensions={"who": "request.auth.principal"})

    async def scene(quotas: Quotas) -> None:
        assert await granted(quotas, *[expense()] * 4) == [0, 0, 0, 0]

    closed = counting(failure_policy="closed")
    of_scene((limits(), unsure, *owing(charge("requestcount")), closed), scene)


def test_a_caller_is_known_by_its_certificate() -> None:
    by_caller = instance(
        dimensions={"destination": '"page"', "who": 'source.labels["app"] | source.name | "nobody"'}
    )

    async def scene(quotas: Quotas) -> None:
        known, gone = expense(caller=CALLER), expense(caller=WorkloadId("shop", "gone"))
        assert await granted(quotas, known, known, known, gone, expense()) == [1, 1, 0, 1, 1]

    of_scene((limits(), by_caller, *owing(charge("requestcount")), counting()), scene)


def test_of_a_port_that_is_not_known_nothing_is_said() -> None:
    async def scene(quotas: Quotas) -> None:
        with pytest.raises(NotNow):
            await quotas.charge(expense(port=81))

    of_scene(TASK, scene)
