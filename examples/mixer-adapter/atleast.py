"""Lets callers pass whose version is recent enough."""

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from proa.ports.policy_adapter import Adapter, AdapterKind, CheckAnswer, HandlerPlan, Instance, PolicyHandler

FAILED_PRECONDITION = 9


class Parameters(Adapter, frozen=True, kw_only=True):
    minimum: str = "0"


class AtLeast(PolicyHandler):
    kind = AdapterKind(name="atleast", templates=("listentry",), parameters=Parameters)

    def __init__(self, minimum: str = "0") -> None:
        self._minimum = minimum

    @asynccontextmanager
    async def open(self, handler: HandlerPlan) -> AsyncIterator[PolicyHandler]:
        assert isinstance(handler.parameters, Parameters)
        yield AtLeast(handler.parameters.minimum)

    async def check(self, instance: Instance) -> CheckAnswer:
        version = str(instance.fields.get("value", ""))
        if numbers_of(version) >= numbers_of(self._minimum):
            return CheckAnswer(valid_ms=60_000)
        message = f"version {version or 'unknown'} is older than {self._minimum}"
        return CheckAnswer(code=FAILED_PRECONDITION, message=message, valid_ms=5_000)


def numbers_of(version: str) -> list[int]:
    """`v2.10` is [2, 10]. Nine digits are plenty: a caller who sends a million is not worth a second."""
    return [int(digits[:9]) for digits in re.findall("[0-9]+", version)]
