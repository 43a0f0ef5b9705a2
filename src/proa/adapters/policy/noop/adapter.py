"""noop: everything is allowed and granted, and reports are dropped; as if the rule had asked nobody."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import msgspec

from proa.core.config.mixer.catalogue import BUILT_IN, AdapterKind
from proa.core.mixer.plan.values import HandlerPlan
from proa.core.mixer.plan.verdict import UNASKED_MS, CheckAnswer
from proa.core.mixer.quota.limits import Charge, Grant
from proa.core.mixer.templates import Instance
from proa.ports.policy_adapter import PolicyHandler


class NoopAdapter:
    kind: AdapterKind = msgspec.structs.replace(BUILT_IN.adapters["noop"], missing="")

    @asynccontextmanager
    async def open(self, handler: HandlerPlan) -> AsyncIterator[PolicyHandler]:
        yield _Handler()


class _Handler(PolicyHandler):
    async def check(self, instance: Instance) -> CheckAnswer:
        return CheckAnswer()

    async def charge(self, instance: Instance, charge: Charge) -> Grant:
        return Grant(amount=charge.amount, valid_ms=UNASKED_MS)

    async def report(self, instances: tuple[Instance, ...]) -> None:
        pass
