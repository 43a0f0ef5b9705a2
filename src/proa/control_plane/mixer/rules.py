"""Mixer's rules in force, compiled when one of their objects changed and not otherwise. Owner: the world."""

from typing import Final

from proa.core.config.config import Config
from proa.core.config.mixer.catalogue import Catalogue
from proa.core.mixer.formulas import Formulas
from proa.core.mixer.plan.in_force import NOTHING, InForce, compile_in_force, namespaces_that_differ
from proa.core.model.snapshot import MeshSnapshot
from proa.core.pilot.scope.index import RuleIndex

EVERYBODY: Final = ""
"""Among the namespaces that differ: all of them."""


class MixerRules:
    """`now` is a value: whoever kept the one before sees by comparing whether anything is new. Formulas that stay are
    not compiled again."""

    def __init__(self, catalogue: Catalogue) -> None:
        self.now: InForce = NOTHING
        self.compilations = 0
        self._catalogue = catalogue
        self._formulas: Formulas | None = None

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
        return differing
