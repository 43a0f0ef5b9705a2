"""denier: the same answer to everything, so what it denies is what the rule matches. Its answer is a function of its
parameters, by which proxies can be told to give it themselves.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

import msgspec

from proa.core.config.mixer.catalogue import BUILT_IN, AdapterKind
from proa.core.config.mixer.parameters import Denier
from proa.core.mixer.plan.values import HandlerPlan
from proa.core.mixer.plan.verdict import CheckAnswer
from proa.core.mixer.quota.limits import Charge, Grant
from proa.core.mixer.templates import Instance
from proa.ports.policy_adapter import PolicyHandler

FAILED_PRECONDITION: Final = 9
VALID_MS: Final = 5_000
VALID_USES: Final = 1_000


class DenierAdapter:
    kind: AdapterKind = msgspec.structs.replace(BUILT_IN.adapters["denier"], missing="")

    @asynccontextmanager
    async def open(self, handler: HandlerPlan) -> AsyncIterator[PolicyHandler]:
        parameters = handler.parameters
        assert isinstance(parameters, Denier)
        yield _Handler(denial_of(parameters))


def denial_of(parameters: Denier) -> CheckAnswer:
    """A status that is not set, or says OK, is FAILED_PRECONDITION: a denier never allows."""
    status, span, uses = parameters.status, parameters.valid_duration, parameters.valid_use_count
    return CheckAnswer(
        code=(status.code if status else 0) or FAILED_PRECONDITION,
        message=status.message if status else "",
        valid_ms=VALID_MS if span is None else span,
        valid_uses=VALID_USES if uses is None else uses,
    )


class _Handler(PolicyHandler):
    def __init__(self, denial: CheckAnswer) -> None:
        self._denial = denial

    async def check(self, instance: Instance) -> CheckAnswer:
        return self._denial

    async def charge(self, instance: Instance, charge: Charge) -> Grant:
        return Grant(amount=0, valid_ms=self._denial.valid_ms)
