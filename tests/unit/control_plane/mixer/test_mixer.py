"""What proxies are answered: by rules, handlers that do what a test says, and a world of one server and one caller."""

import asyncio
from collections.abc import Callable, Coroutine

import msgspec
from immutables import Map

from proa.adapters.policy.denier.adapter import DenierAdapter
from proa.control_plane.mixer.handlers import Handlers
from proa.control_plane.mixer.mixer import Mixer
from proa.control_plane.mixer.running import Pace
from proa.core.attributes.vocabulary import STANDARD
from proa.core.config.config import Config
from proa.core.mixer.api_specs import apis_for, compile_apis
from proa.core.mixer.asked import Asked, Party, Place
from proa.core.mixer.needs import checks_digest
from proa.core.mixer.plan.compiling import compile_plan
from proa.core.mixer.plan.values import DispatchPlan
from proa.core.mixer.plan.verdict import CheckAnswer, Verdict
from proa.core.model.names import WorkloadId
from proa.ports.failures import HandlerTemporary
from proa.ports.policy_adapter import PolicyAdapter
from proa.servers.mixer.checks import Question
from proa.testing.mixer import all_run, mixer_config, rule
from tests.unit.control_plane.mixer.adapters import Scripted, seen

OPEN = {"proa.dev/failure-policy": "open"}
OBJECTS = (
    mixer_config("denier", "no", {"status": {"code": 7, "message": "not today"}}, "shop"),
    mixer_config("noop", "scripted", {}, "shop"),
    mixer_config("noop", "other", {}, "shop"),
    mixer_config("kubernetesenv", "pods", {}, "shop"),
    mixer_config("checknothing", "any", {}, "shop"),
    mixer_config("kubernetes", "who", {"attribute_bindings": {"destination.owner": '"told"'}}, "shop"),
)
CART, WEB, GONE = WorkloadId("shop", "cart"), WorkloadId("shop", "web"), WorkloadId("shop", "gone")
PLACE = Place(attributes=Map(Party(name="cart", namespace="shop").attributes("destination")))
WEB_PARTY = Party(name="web", namespace="shop", labels=Map({"version": "v3"}))


class OfPlan(msgspec.Struct, frozen=True):
    plan: DispatchPlan


class Small:
    """A world."""

    def __init__(self, *rules: Config) -> None:
        self.mixer = OfPlan(plan_of(*rules))
        self.is_broken = False

    def place(self, workload: WorkloadId, port: int) -> Place | None:
        if self.is_broken:
            raise RuntimeError("the world is broken")
        return PLACE if (workload, port) == (CART, 80) else None

    def party(self, workload: WorkloadId) -> Party | None:
        return WEB_PARTY if workload == WEB else None


def plan_of(*rules: Config) -> DispatchPlan:
    found = compile_plan([*OBJECTS, *rules], all_run())
    assert found.messages == ()
    return found.plan


def question(
    policy: str = "",
    path: str = "/",
    caller: WorkloadId | None = WEB,
    port: int = 80,
    server: WorkloadId = CART,
) -> Question:
    return Question(
        server=server,
        port=port,
        context={"on_failure": policy} if policy else {},
        asked=Asked(headers={":path": path}),
        caller=caller,
    )


def of_scene(
    small: Small, scene: Callable[[Mixer, Scripted, asyncio.TaskGroup], Coroutine[None, None, None]]
) -> None:
    async def body() -> None:
        scripted = Scripted()
        adapters: dict[str, PolicyAdapter] = {
            "noop": scripted,
            "kubernetesenv": scripted,
            "denier": DenierAdapter(),
        }
        mixer = Mixer(small, Handlers(adapters, pace=Pace(settle_s=60.0)))
        async with asyncio.TaskGroup() as tasks:
            running = tasks.create_task(mixer.run())
            await mixer.settled()
            await scene(mixer, scripted, tasks)
            running.cancel()

    asyncio.run(body())


def test_a_rule_denies_and_says_on_what_that_depends() -> None:
    small = Small(rule("deny", "no", "any", match='source.labels["version"] == "v3"', namespace="shop"))

    async def scene(mixer: Mixer, scripted: Scripted, tasks: asyncio.TaskGroup) -> None:
        verdict = await mixer.check(question("closed"))
        assert (verdict.code, verdict.message) == (7, "no.denier.shop:not today")
        assert verdict.rule is not None
        assert verdict.rule.name == "deny"
        assert "source.labels[version]" in [str(each) for each in verdict.references]
        assert (await mixer.check(question("closed", caller=None))).code == 0, "a stranger has no labels"
        assert (await mixer.check(question("open"))).code == 0, "the rule fails closed: the others are meant"
        assert (await mixer.check(question())).code == 7, "all rules are meant"
        assert mixer.counts == {"refused": 2, "allowed": 2, "failed": 0}

    of_scene(small, scene)


def test_what_apis_tell_depends_on_what_the_proxy_knows() -> None:
    told = {"attributes": {"api.operation": {"stringValue": "fill"}}}
    spec = {"patterns": [{"httpMethod": "*", "uriTemplate": "/fill", "attributes": told}]}
    bound = {"services": [{"service": "*"}], "apiSpecs": [{"name": "carts"}]}
    configs = (
        mixer_config("HTTPAPISpec", "carts", spec, "shop"),
        mixer_config("HTTPAPISpecBinding", "carts", bound, "shop"),
    )
    apis = apis_for(compile_apis(configs, STANDARD), "cart.shop.svc.cluster.local")

    class WithApis(Small):
        def place(self, workload: WorkloadId, port: int) -> Place | None:
            return Place(attributes=PLACE.attributes, apis=apis)

    async def scene(mixer: Mixer, scripted: Scripted, tasks: asyncio.TaskGroup) -> None:
        filling, looking = (
            await mixer.check(question(path="/fill?a=b")),
            await mixer.check(question(path="/")),
        )
        assert (filling.code, looking.code) == (7, 0)
        assert {"request.path", "request.method"} <= {each.name for each in looking.references}
        assert "api.operation" not in {each.name for each in filling.references}

    denying = rule("deny", "no", "any", match='(api.operation | "") == "fill"', namespace="shop")
    of_scene(WithApis(denying), scene)


def test_whoever_is_not_known_yet_is_judged_by_its_certificate_for_one_request() -> None:
    small = Small(rule("deny", "no", "any", match='source.namespace == "shop"', namespace="shop"))

    async def scene(mixer: Mixer, scripted: Scripted, tasks: asyncio.TaskGroup) -> None:
        known, gone = await mixer.check(question()), await mixer.check(question(caller=GONE))
        assert (known.code, gone.code) == (7, 7)
        assert known.valid_ms > 0
        assert gone.valid_ms == 0

    of_scene(small, scene)


def test_a_server_that_nobody_knows_is_decided_by_the_policy() -> None:
    async def scene(mixer: Mixer, scripted: Scripted, tasks: asyncio.TaskGroup) -> None:
        for asked in (question("closed", port=81), question("", server=GONE)):
            verdict = await mixer.check(asked)
            assert (verdict.code, verdict.valid_ms) == (14, 0)
            assert "is not known here, or takes nothing at port" in verdict.message
        opened = await mixer.check(question("open", port=81))
        assert (opened.code, opened.valid_ms) == (0, 0)
        assert mixer.counts["failed"] == 2

    of_scene(Small(), scene)


def test_nothing_that_goes_wrong_reaches_the_proxy() -> None:
    small = Small()

    async def scene(mixer: Mixer, scripted: Scripted, tasks: asyncio.TaskGroup) -> None:
        small.is_broken = True
        closed, opened = await mixer.check(question("closed")), await mixer.check(question("open"))
        assert (closed.code, closed.valid_ms) == (13, 0)
        assert opened == Verdict(valid_ms=0, valid_uses=0)

    of_scene(small, scene)


def test_a_failed_call_is_what_the_rule_says_and_good_for_one_request() -> None:
    small = Small(
        rule("a", "scripted", "any", namespace="shop"),
        rule("b", "other", "any", namespace="shop", annotations=OPEN),
    )

    async def scene(mixer: Mixer, scripted: Scripted, tasks: asyncio.TaskGroup) -> None:
        def away() -> object:
            raise HandlerTemporary("it is away")

        scripted.says = away
        closed, opened = await mixer.check(question("closed")), await mixer.check(question("open"))
        assert (closed.code, closed.message, closed.valid_ms) == (14, "scripted.noop.shop:it is away", 0)
        assert (opened.code, opened.valid_ms, len(opened.failed)) == (0, 0, 1)
        assert mixer.counts["failed"] == 2
        scripted.says = lambda: CheckAnswer(valid_ms=5)
        assert [(await mixer.check(question(each))).valid_ms for each in ("closed", "open")] == [5, 5]

    of_scene(small, scene)


def test_generators_go_first_and_what_they_tell_is_matched() -> None:
    small = Small(
        rule("a", "pods", "who", namespace="shop"),
        rule("b", "no", "any", match='destination.owner == "told"', namespace="shop"),
    )

    async def scene(mixer: Mixer, scripted: Scripted, tasks: asyncio.TaskGroup) -> None:
        assert (await mixer.check(question("closed"))).code == 7

    of_scene(small, scene)


def test_a_generator_that_fails_refuses_what_cannot_be_judged_without_it() -> None:
    small = Small(rule("b", "no", "any", match='destination.owner == "told"', namespace="shop"))

    async def scene(mixer: Mixer, scripted: Scripted, tasks: asyncio.TaskGroup) -> None:
        scripted.refusals = [HandlerTemporary("not now")]
        small.mixer = OfPlan(plan_of(rule("a", "pods", "who", namespace="shop")))
        mixer.look()
        await seen(lambda: mixer.handlers.plan is small.mixer.plan)
        verdict = await mixer.check(question("closed"))
        assert (verdict.code, verdict.message) == (14, "pods.kubernetesenv.shop:not now")

    of_scene(small, scene)


def test_all_handlers_are_asked_at_once() -> None:
    small = Small(rule("a", "scripted", "any", namespace="shop"), rule("b", "other", "any", namespace="shop"))

    async def scene(mixer: Mixer, scripted: Scripted, tasks: asyncio.TaskGroup) -> None:
        scripted.gate.clear()
        check = tasks.create_task(mixer.check(question()))
        await seen(lambda: [each.under_way for each in scripted.opened] == [1, 1])
        scripted.gate.set()
        assert (await check).code == 0

    of_scene(small, scene)


def test_new_rules_are_followed_as_soon_as_they_are_there() -> None:
    small = Small()

    async def scene(mixer: Mixer, scripted: Scripted, tasks: asyncio.TaskGroup) -> None:
        assert (await mixer.check(question())).code == 0
        mixer.look()
        small.mixer = OfPlan(plan_of(rule("deny", "no", "any", namespace="shop")))
        mixer.look()
        await seen(lambda: mixer.handlers.plan is small.mixer.plan)
        assert (await mixer.check(question())).code == 7

    of_scene(small, scene)


def test_a_verdict_says_by_which_rules_it_was_made() -> None:
    small = Small()

    async def scene(mixer: Mixer, scripted: Scripted, tasks: asyncio.TaskGroup) -> None:
        before = (await mixer.check(question("closed"))).rules
        assert before == (await mixer.check(question("open"))).rules == checks_digest(small.mixer.plan, PLACE)
        small.mixer = OfPlan(plan_of(rule("deny", "no", "any", namespace="shop")))
        mixer.look()
        await mixer.settled()
        verdict = await mixer.check(question("closed"))
        assert (verdict.code, verdict.rules) == (7, checks_digest(small.mixer.plan, PLACE))

    of_scene(small, scene)


def test_who_waits_for_rules_waits_until_questions_are_answered_by_them() -> None:
    small = Small()

    async def scene(mixer: Mixer, scripted: Scripted, tasks: asyncio.TaskGroup) -> None:
        scripted.opening.clear()
        small.mixer = OfPlan(plan_of(rule("a", "scripted", "any", namespace="shop")))
        mixer.look()
        waiting = tasks.create_task(mixer.settled())
        await seen(lambda: scripted.tries == 1)
        assert not waiting.done()
        scripted.opening.set()
        await waiting
        assert mixer.handlers.plan is small.mixer.plan

    of_scene(small, scene)
