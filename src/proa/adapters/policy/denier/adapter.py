"""denier: the same answer to everything, so what it denies is what the rule matches. `core.mixer.denier` has the
answer.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import msgspec

from proa.core.config.mixer.catalogue import BUILT_IN, AdapterKind
from proa.core.config.mixer.parameters import Denier
from proa.core.mixer.denier import denial_of
from proa.core.mixer.plan.values import HandlerPlan
from proa.core.mixer.plan.verdict import CheckAnswer
from proa.core.mixer.quota.limits import Charge, Grant
from proa.core.mixer.templates import Instance
from proa.ports.policy_adapter import PolicyHandler


class DenierAdapter:
    kind: AdapterKind = msgspec.structs.replace(BUILT_IN.adapters["denier"], missing="")

    @asynccontextmanager
    async def open(self, handler: HandlerPlan) -> AsyncIterator[PolicyHandler]:
        parameters = handler.parameters
        assert isinstance(parameters, Denier)
        yield _Handler(denial_of(parameters))


class _Handler(PolicyHandler):
    def __init__(self, denial: CheckAnswer) -> None:
        self._denial = denial

    async def check(self, instance: Instance) -> CheckAnswer:
        return self._denial

    async def charge(self, instance: Instance, charge: Charge) -> Grant:
        return Grant(amount=0, valid_ms=self._denial.valid_ms)
