import asyncio
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from importlib.metadata import EntryPoint
from types import ModuleType

import pytest
from immutables import Map

from proa.adapters.policy_catalog import OURS, installed
from proa.core.config.mixer.annotations import Bounds
from proa.core.config.mixer.catalogue import ENTRY_POINTS, AdapterKind
from proa.core.config.mixer.parameters import Adapter
from proa.core.mixer.plan.values import HandlerPlan
from proa.core.mixer.plan.verdict import CheckAnswer
from proa.core.mixer.quota.limits import Charge
from proa.core.mixer.templates import Instance
from proa.ports.failures import HandlerPermanent
from proa.ports.policy_adapter import PolicyHandler

MODULE = "an_installed_package"
ENTRY = Instance(name="a.listentry.b", template="listentry", fields=Map(value="v9"))


class Parameters(Adapter, frozen=True, kw_only=True):
    words: tuple[str, ...] = ()


class Handler(PolicyHandler):
    def __init__(self, words: tuple[str, ...]) -> None:
        self._words = words

    async def check(self, instance: Instance) -> CheckAnswer:
        return (
            CheckAnswer() if instance.fields["value"] in self._words else CheckAnswer(code=5, message="grey")
        )


class Greylist:
    kind = AdapterKind(name="greylist", templates=("listentry",), parameters=Parameters)

    @asynccontextmanager
    async def open(self, handler: HandlerPlan) -> AsyncIterator[PolicyHandler]:
        assert isinstance(handler.parameters, Parameters)
        yield Handler(handler.parameters.words)


class OtherQuota(Greylist):
    kind = AdapterKind(name="memquota", templates=("quota",), parameters=Parameters)


class Stackdriver(Greylist):
    kind = AdapterKind(name="stackdriver", templates=("metric",), parameters=Parameters)


@pytest.fixture(autouse=True)
def package() -> Iterator[None]:
    module = ModuleType(MODULE)
    vars(module).update(
        Greylist=Greylist, one=Greylist(), Other=OtherQuota, Stackdriver=Stackdriver, nothing=object()
    )
    sys.modules[MODULE] = module
    yield
    del sys.modules[MODULE]


def point(name: str, attribute: str, module: str = MODULE) -> EntryPoint:
    return EntryPoint(name=name, value=f"{module}:{attribute}", group=ENTRY_POINTS)


@pytest.mark.parametrize("attribute", ["Greylist", "one"])
def test_a_package_brings_an_adapter_that_answers(attribute: str) -> None:
    found = installed([point("greylist", attribute)])
    adapter = found.adapters["greylist"]
    assert found.catalogue.find("greylist") is adapter.kind
    assert found.faults == ()

    async def body() -> CheckAnswer:
        plan = HandlerPlan(
            name="grey.greylist.default",
            adapter="greylist",
            parameters=Parameters(words=("v1",)),
            instances=Map(),
            identity="",
            bounds=Bounds(),
        )
        async with adapter.open(plan) as handler:
            with pytest.raises(HandlerPermanent, match="no quota"):
                await handler.charge(ENTRY, Charge(quota="a"))
            with pytest.raises(HandlerPermanent, match="takes no reports"):
                await handler.report((ENTRY,))
            with pytest.raises(HandlerPermanent, match="nothing that this adapter tells of"):
                await handler.generate(ENTRY)
            return await handler.check(ENTRY)

    assert asyncio.run(body()) == CheckAnswer(code=5, message="grey")


def test_what_cannot_be_used_is_named_and_keeps_nobody_from_anything() -> None:
    found = installed(
        [
            point("gone", "Greylist", "no_such_package"),
            point("less", "Missing"),
            point("no", "nothing"),
            point("greylist", "one"),
        ]
    )
    assert set(found.adapters) == {"greylist", *(adapter.kind.name for adapter in OURS)}
    assert [each.split(" cannot")[0] for each in found.faults] == [
        "adapter gone of no_such_package:Greylist",
        f"adapter less of {MODULE}:Missing",
        f"adapter no of {MODULE}:nothing",
    ]


def test_ours_stay_ours_and_what_does_not_run_is_replaced() -> None:
    found = installed([point("memquota", "Other"), point("stackdriver", "Stackdriver"), point("x", "one")])
    assert found.adapters["memquota"] in OURS
    assert found.faults == (f"adapter memquota of {MODULE}:Other: there is one of the name already",)
    stackdriver = found.catalogue.find("stackdriver")
    assert stackdriver is not None
    assert stackdriver.runs
    assert stackdriver.parameters is Parameters


def test_this_python_has_ours() -> None:
    found = installed()
    assert found.faults == ()
    for adapter in OURS:
        kind = found.catalogue.find(adapter.kind.name)
        assert kind is not None
        assert kind.runs
    signalfx = found.catalogue.find("signalfx")
    assert signalfx is not None
    assert "SignalFx alone" in signalfx.missing
