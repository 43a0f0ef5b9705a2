"""An adapter of Mixer's: what answers checks, charges quotas, takes reports and tells attributes for the handlers of
its kind. Ours are in `adapters.policy`; a package brings others by an entry point of the group `proa.mixer_adapters`,
whose object is a PolicyAdapter.

    class Parameters(Adapter, frozen=True, kw_only=True):
        words: tuple[str, ...] = ()

    class Greylist:
        kind = AdapterKind(name="greylist", templates=("listentry",), parameters=Parameters)

        @asynccontextmanager
        async def open(self, handler: HandlerPlan) -> AsyncIterator[PolicyHandler]:
            yield GreylistHandler(handler.parameters)

Life: the parameters are read and judged by `kind` without opening; `open` is entered when a handler comes into force
and left, by the same task, when it goes or its identity changes. Deadlines, bounded queues, counters and failure
policies are the caller's: a handler answers or raises, and may be cancelled at any moment.

A package imports from here all that an adapter needs, and from `proa.testing.mixer_adapters` the tests that it passes.
"""

from collections.abc import Iterable
from contextlib import AbstractAsyncContextManager
from typing import Protocol, runtime_checkable

from immutables import Map

from proa.core.attributes.value_types import Value
from proa.core.config.mixer.catalogue import AdapterKind
from proa.core.config.mixer.parameters import Adapter, Part
from proa.core.config.path import Path
from proa.core.config.problem import Finding
from proa.core.mixer.plan.values import HandlerPlan
from proa.core.mixer.plan.verdict import CheckAnswer
from proa.core.mixer.quota.limits import Charge, Grant
from proa.core.mixer.templates import Instance, text_of
from proa.ports.failures import HandlerPermanent, HandlerTemporary

__all__ = [
    "Adapter",
    "AdapterKind",
    "Charge",
    "CheckAnswer",
    "Finding",
    "Grant",
    "HandlerPermanent",
    "HandlerPlan",
    "HandlerTemporary",
    "Instance",
    "Part",
    "Path",
    "PolicyAdapter",
    "PolicyHandler",
    "Value",
    "text_of",
]


class PolicyHandler:
    """A handler that is in force. Those of an adapter override what its templates need. Calls may overlap. Each raises
    HandlerTemporary when it cannot be answered now, HandlerPermanent when it never can."""

    async def check(self, instance: Instance) -> CheckAnswer:
        raise HandlerPermanent(f"{instance.template} is no check of this adapter's")

    async def charge(self, instance: Instance, charge: Charge) -> Grant:
        """`charge` has the instance's dimensions as texts."""
        raise HandlerPermanent(f"{instance.template} is no quota of this adapter's")

    async def report(self, instances: tuple[Instance, ...]) -> None:
        """Of one batch, in order; taken whole or, when it raises, not at all. One batch at a time. What is not taken
        is counted as lost and does not come again: who can do better tries again itself, within the deadline."""
        raise HandlerPermanent("this adapter takes no reports")

    async def generate(self, instance: Instance) -> Map[str, Value]:
        """By the names of the template's outputs; what is not known is left out."""
        raise HandlerPermanent(f"{instance.template} is nothing that this adapter tells of")


class PolicyAdapter(Protocol):
    @property
    def kind(self) -> AdapterKind:
        """Of an adapter that runs: `missing` is empty."""

    def open(self, handler: HandlerPlan) -> AbstractAsyncContextManager[PolicyHandler]:
        """`handler.parameters` are of `kind.parameters`. Raises HandlerTemporary when it should be tried again."""


@runtime_checkable
class Exposing(Protocol):
    """What an adapter is besides that has a part of the page `/mixer` of the control plane's metrics server."""

    def exposition(self) -> Iterable[str]:
        """What all its handlers show now, in Prometheus' text format: in pieces of whole lines, each made when it is
        taken, so that a long page holds up nobody."""
