"""Mixer's rules in force, compiled when one of their objects changed and not otherwise. Owner: the world."""

from collections.abc import Iterable, Iterator
from typing import Final

from immutables import Map

from proa.core.config.config import Config
from proa.core.config.mixer.catalogue import Catalogue
from proa.core.mixer.asked import Party
from proa.core.mixer.formulas import Formulas
from proa.core.mixer.plan.in_force import NOTHING, InForce, compile_in_force, namespaces_that_differ
from proa.core.mixer.pushdown.callers import NOBODY, Callers, Concern, concerns_of, namespaces_moved
from proa.core.mixer.reporting.wanted import client_reporting
from proa.core.model.names import WorkloadId
from proa.core.model.settings import Reporting
from proa.core.model.snapshot import MeshSnapshot
from proa.core.model.workload import Workload
from proa.core.pilot.scope.index import RuleIndex
from proa.core.pilot.scope.mixer import party_of

EVERYBODY: Final = ""
"""Among the namespaces that differ: all of them."""


class MixerRules:
    """`now` is a value: whoever kept the one before sees by comparing whether anything is new. Formulas that stay are
    not compiled again. `callers` are the workloads that checks may tell apart: nobody, as long as none does."""

    def __init__(self, catalogue: Catalogue) -> None:
        self.now: InForce = NOTHING
        self.callers: Callers = NOBODY
        self.compilations = 0
        self._catalogue = catalogue
        self._formulas: Formulas | None = None
        self._concerns: tuple[Concern, ...] = ()
        self._clients: dict[str, Reporting | None] = {}

    def client_reporting(self, namespace: str) -> Reporting | None:
        """What a namespace's proxies tell of the calls that they make."""
        if namespace not in self._clients:
            self._clients[namespace] = client_reporting(self.now, namespace)
        return self._clients[namespace]

    def update(self, snapshot: MeshSnapshot, index: RuleIndex) -> frozenset[str]:
        """The namespaces for whose servers something may be different."""
        found = (snapshot.configs[ref] for ref in index.mixer)
        configs = [config for config in found if isinstance(config, Config)]
        before, root = self.now, snapshot.settings.root_namespace
        following, self._formulas = compile_in_force(configs, self._catalogue, self._formulas, root, before)
        self.compilations += 1
        differing = namespaces_that_differ(before, following)
        if differing:
            self.now = following
            self._concerns = concerns_of(following.plan)
            self.callers = Callers(Map(_parties(snapshot.workloads.values()) if self._concerns else ()))
            self._clients = {}
        return differing

    def meet(self, snapshot: MeshSnapshot, workloads: Iterable[WorkloadId]) -> frozenset[str]:
        """Workloads came, went or changed: the namespaces for whose servers they are other callers now. `callers` is
        another value then, and stays what it is when no rule can tell the difference."""
        if not self._concerns:
            return frozenset()
        parties = self.callers.parties.mutate()
        moved: set[str] = set()
        for each in workloads:
            name = f"{each.name}.{each.namespace}"
            known, before = snapshot.workloads.get(each), self.callers.parties.get(name)
            after = party_of(known) if known else None
            moved |= namespaces_moved(self._concerns, before, after)
            if after is not None:
                parties[name] = after
            else:
                parties.pop(name, None)
        if moved:
            self.callers = Callers(parties.finish())
        return frozenset(EVERYBODY if each == self.now.plan.root else each for each in moved)


def _parties(workloads: Iterable[Workload]) -> Iterator[tuple[str, Party]]:
    return ((f"{each.id.name}.{each.id.namespace}", party_of(each)) for each in workloads)
