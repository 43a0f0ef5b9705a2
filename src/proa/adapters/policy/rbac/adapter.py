"""rbac: allowed is what ServiceRoles allow. They come with the handler, which is another one when one of them changes;
so nothing here looks for them, and proxies keep no verdict of roles that were.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

import msgspec

from proa.core.config.mixer.catalogue import BUILT_IN, AdapterKind
from proa.core.config.mixer.parameters import Rbac
from proa.core.mixer.plan.values import HandlerPlan
from proa.core.mixer.plan.verdict import CheckAnswer
from proa.core.mixer.roles import Roles, allows, compile_roles
from proa.core.mixer.templates import Instance
from proa.ports.policy_adapter import PolicyHandler

PERMISSION_DENIED: Final = 7
DENIAL: Final = "RBAC: permission denied."
VALID_MS: Final = 60_000
VALID_USES: Final = 1_000_000_000


class RbacAdapter:
    kind: AdapterKind = msgspec.structs.replace(BUILT_IN.adapters["rbac"], missing="")

    @asynccontextmanager
    async def open(self, handler: HandlerPlan) -> AsyncIterator[PolicyHandler]:
        parameters = handler.parameters
        assert isinstance(parameters, Rbac)
        span = parameters.cache_duration
        yield _Handler(compile_roles(handler.objects), VALID_MS if span is None else span)


class _Handler(PolicyHandler):
    def __init__(self, roles: Roles, valid_ms: int) -> None:
        self._roles, self._valid_ms = roles, valid_ms

    async def check(self, instance: Instance) -> CheckAnswer:
        is_allowed = allows(self._roles, instance)
        return CheckAnswer(
            code=0 if is_allowed else PERMISSION_DENIED,
            message="" if is_allowed else DENIAL,
            valid_ms=self._valid_ms,
            valid_uses=VALID_USES,
        )
