"""redisquota as an adapter: its parameters to limits and a pool, its charges to the windows in Redis."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

import msgspec

from proa.adapters.policy.redisquota.connections import RedisPool
from proa.adapters.policy.redisquota.quotas import RedisQuotas
from proa.core.config.mixer.catalogue import BUILT_IN, AdapterKind
from proa.core.config.mixer.parameters import RedisQuota
from proa.core.config.redis_address import parse_redis_address
from proa.core.mixer.plan.values import HandlerPlan
from proa.core.mixer.quota.limits import Charge, Grant, Override, QuotaLimit
from proa.core.mixer.quota.shared import SharedLimit
from proa.core.mixer.templates import Instance
from proa.ports.policy_adapter import PolicyHandler

POOL: Final = 10
"""Connections, unless the parameters say otherwise: as it was."""


class RedisQuotaAdapter:
    kind: AdapterKind = msgspec.structs.replace(BUILT_IN.adapters["redisquota"], missing="")

    @asynccontextmanager
    async def open(self, handler: HandlerPlan) -> AsyncIterator[PolicyHandler]:
        """Redis is called when the first charge comes: one that is away keeps no handler from coming into force."""
        parameters = handler.parameters
        assert isinstance(parameters, RedisQuota)
        address = parse_redis_address(parameters.redis_server_url)
        size = parameters.connection_pool_size or POOL
        async with RedisPool(address, size, deadline_s=handler.bounds.deadline_ms / 1000) as pool:
            yield _Handler(RedisQuotas(limits_of(parameters), pool))


def limits_of(parameters: RedisQuota) -> tuple[SharedLimit, ...]:
    return tuple(
        SharedLimit(
            limit=QuotaLimit(
                quota=quota.name,
                max_amount=quota.max_amount,
                window_ms=quota.valid_duration or 0,
                overrides=tuple(
                    Override(
                        dimensions=override.dimensions,
                        max_amount=override.max_amount,
                        window_ms=quota.valid_duration or 0,
                    )
                    for override in quota.overrides
                ),
            ),
            algorithm=quota.rate_limit_algorithm,
            bucket_ms=quota.bucket_duration or 0,
        )
        for quota in parameters.quotas
    )


class _Handler(PolicyHandler):
    def __init__(self, quotas: RedisQuotas) -> None:
        self._quotas = quotas

    async def charge(self, instance: Instance, charge: Charge) -> Grant:
        return await self._quotas.charge(charge)
