"""listchecker: whether a value is in a list, part of which may be fetched. `core.mixer.lists` compares and decides."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import msgspec
from immutables import Map

from proa.adapters.policy.listchecker.fetched import FetchedList, fetch_list
from proa.core.config.mixer.catalogue import BUILT_IN, AdapterKind
from proa.core.config.mixer.parameters import ListChecker
from proa.core.mixer.lists import BadList, Entries, decide, overrides_of, value_fault
from proa.core.mixer.plan.values import HandlerPlan
from proa.core.mixer.plan.verdict import CheckAnswer
from proa.core.mixer.templates import Instance, text_of
from proa.ports.failures import HandlerPermanent, HandlerTemporary
from proa.ports.policy_adapter import PolicyHandler
from proa.runtime.supervise import Supervisor


class ListCheckerAdapter:
    kind: AdapterKind = msgspec.structs.replace(BUILT_IN.adapters["listchecker"], missing="")

    @asynccontextmanager
    async def open(self, handler: HandlerPlan) -> AsyncIterator[PolicyHandler]:
        """Waits a moment for the list, and comes into force without it when its server is away."""
        parameters = handler.parameters
        assert isinstance(parameters, ListChecker)
        overrides = _overrides(parameters)
        if not parameters.provider_url:
            yield _Handler(parameters, overrides, None)
            return
        import aiohttp  # when it is needed: it takes longer to load than all else that reads files

        async with aiohttp.ClientSession(trust_env=False) as http, Supervisor() as tasks:
            fetched = FetchedList(handler.name, parameters, lambda: fetch_list(http, parameters.provider_url))
            tasks.keep(f"list of {handler.name}", fetched.follow())
            try:
                await fetched.tried()
                yield _Handler(parameters, overrides, fetched)
            finally:
                tasks.stop()


def _overrides(parameters: ListChecker) -> Entries:
    try:
        return overrides_of(parameters)
    except BadList as error:
        raise HandlerPermanent(f"overrides: {error}") from error


class _Handler(PolicyHandler):
    """`fetched` None: all of the list is in the parameters."""

    def __init__(self, parameters: ListChecker, overrides: Entries, fetched: FetchedList | None) -> None:
        self._parameters, self._overrides, self._fetched = parameters, overrides, fetched

    async def check(self, instance: Instance) -> CheckAnswer:
        value = instance.fields.get("value", "")
        text = "" if isinstance(value, Map) else text_of(value)
        return value_fault(self._parameters, text) or decide(
            self._parameters, text, is_listed=self._is_listed(text)
        )

    def _is_listed(self, text: str) -> bool:
        """What the parameters list is listed, whatever else is on a list that is not at hand."""
        if self._overrides.has(text):
            return True
        if self._fetched is None:
            return False
        entries = self._fetched.entries
        if entries is None:
            raise HandlerTemporary(self._fetched.fault)
        return entries.has(text)
