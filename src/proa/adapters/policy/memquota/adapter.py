"""memquota as an adapter: its parameters to limits, its charges to the windows."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import msgspec

from proa.adapters.policy.memquota.quotas import MemQuotas
from proa.core.config.mixer.catalogue import BUILT_IN, AdapterKind
from proa.core.config.mixer.parameters import MemQuota
from proa.core.mixer.plan.values import HandlerPlan
from proa.core.mixer.quota.limits import Charge, Grant
from proa.core.mixer.quota.memory import DEDUPLICATION_MS
from proa.core.mixer.quota.parameters import limits_of
from proa.core.mixer.templates import Instance
from proa.ports.policy_adapter import PolicyHandler


class MemQuotaAdapter:
    kind: AdapterKind = msgspec.structs.replace(BUILT_IN.adapters["memquota"], missing="")

    @asynccontextmanager
    async def open(self, handler: HandlerPlan) -> AsyncIterator[PolicyHandler]:
        parameters = handler.parameters
        assert isinstance(parameters, MemQuota)
        deduplication_ms = parameters.min_deduplication_duration or DEDUPLICATION_MS
        yield _Handler(MemQuotas(limits_of(parameters), deduplication_ms=deduplication_ms))


class _Handler(PolicyHandler):
    def __init__(self, quotas: MemQuotas) -> None:
        self._quotas = quotas

    async def charge(self, instance: Instance, charge: Charge) -> Grant:
        return await self._quotas.charge(charge)
