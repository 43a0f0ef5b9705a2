"""Configuration on its way into the world: what the store (and a watched directory) holds becomes changes.

Owner of what is in force: the Config of each object, where it was written, and in which generation each store
version was folded. An object of a watched directory covers one of the same name in the store.
"""

import asyncio
from collections.abc import Callable, Iterable, Mapping
from types import MappingProxyType
from typing import Final

import msgspec

from proa.control_plane.conversion import Conversion
from proa.control_plane.world import World
from proa.core.config import Config, Document, Problem, load, path_text
from proa.core.config.endpoint import WorkloadEntry
from proa.core.config.kinds.mesh_config.schema import MeshConfig
from proa.core.config.kinds.peer_authentication.schema import PeerAuthentication
from proa.core.config.kinds.service_entry.schema import ServiceEntry
from proa.core.config.locality import distribution_of
from proa.core.config.mixer.catalogue import BUILT_IN, Catalogue
from proa.core.config.tree import Json
from proa.core.config.yaml_reader import NO_MARKS
from proa.core.model.names import ObjectRef
from proa.core.model.settings import MeshSettings
from proa.core.model.snapshot import Change, Contribution
from proa.core.pilot.registry.entries import contribution_of_service_entry, contribution_of_workload_entry
from proa.core.pilot.registry.mesh_config import MESH_CONFIG, settings_of
from proa.ports.config_source import ConfigSource
from proa.ports.config_store import ConfigStore, StoredObject, StoreState

PolicyListener = Callable[[tuple[Config, ...]], None]
KEPT_VERSIONS: Final = 1000
"""For how many store versions it is remembered in which generation they came; older ones are long folded."""


class Configuration:
    """Owner of the configuration in force. `follow_store` and `follow_directory` run as tasks. `catalogue`: Mixer's
    adapters, by which its objects are read."""

    def __init__(self, world: World, on_policies: PolicyListener, catalogue: Catalogue = BUILT_IN) -> None:
        self.catalogue = catalogue
        self._world = world
        self._started_with = world.snapshot.settings
        self._on_policies = on_policies
        self._stored: dict[ObjectRef, StoredObject] = {}
        self._from_store: dict[ObjectRef, Config] = {}
        self._from_directory: dict[ObjectRef, Config] = {}
        self._in_force: dict[ObjectRef, Config] = {}
        self._since: dict[ObjectRef, int] = {}
        self._places: dict[ObjectRef, tuple[str, int]] = {}
        self.conversion = Conversion()
        self._problems: dict[str, tuple[Problem, ...]] = {}
        self._generations: dict[int, int] = {}
        self._version = -1
        self._coming = -1
        self._moved = asyncio.Event()
        self.synced: set[str] = set()

    @property
    def version(self) -> int:
        """The newest store version that is folded; -1 before the first."""
        return self._version

    @property
    def coming(self) -> int:
        """The newest store version that is folded or being folded: ports are aimed by it before `version` names it."""
        return self._coming

    @property
    def stored(self) -> Mapping[ObjectRef, StoredObject]:
        return MappingProxyType(self._stored)

    @property
    def in_force(self) -> Mapping[ObjectRef, Config]:
        return MappingProxyType(self._in_force)

    @property
    def directory(self) -> Mapping[ObjectRef, Config]:
        return MappingProxyType(self._from_directory)

    def problems(self) -> tuple[Problem, ...]:
        """What of the sources is bad and not, or not in its newest form, in force."""
        found = [problem for found in self._problems.values() for problem in found]
        return (*found, *self.conversion_problems())

    def conversion_problems(self, about: Iterable[ObjectRef] | None = None) -> tuple[Problem, ...]:
        """What objects of 2018 are told of each other, each at the line where its object begins."""
        wanted = None if about is None else set(about)
        told: list[Problem] = []
        for ref, finding in self.conversion.findings:
            if wanted is None or ref in wanted:
                file, line = self.place_of(ref)
                at = path_text(finding.path)
                told.append(Problem(file, line, at, finding.code, finding.message, finding.severity))
        return tuple(told)

    def written(self, ref: ObjectRef) -> Config | None:
        """An object as somebody wrote it, if it is valid."""
        return self._from_directory.get(ref) or self._from_store.get(ref)

    def since(self, ref: ObjectRef) -> int:
        """The generation in which an object came into force as it is now."""
        return self._since.get(ref, 0)

    def place_of(self, ref: ObjectRef) -> tuple[str, int]:
        """Where an object was written; an empty file for one that nobody wrote."""
        stored = self._stored.get(ref)
        return self._places.get(ref) or ((stored.file, stored.line) if stored else ("", 0))

    async def generation_of(self, version: int) -> int:
        """The generation in which a store version was folded, alone or with those that came right after it; waits for
        it."""
        while self._version < version:
            await self._moved.wait()
        return min((at for folded, at in self._generations.items() if folded >= version), default=0)

    def version_at(self, generation: int) -> int:
        """The newest store version that was folded by a generation."""
        return max((version for version, at in self._generations.items() if at <= generation), default=0)

    async def follow_store(self, store: ConfigStore) -> None:
        async for state in store.watch():
            await self._take_store(state)

    async def follow_directory(self, source: ConfigSource) -> None:
        async for state in source.watch():
            self._from_directory = {each.config.ref: each.config for each in state.objects}
            self._places = {each.config.ref: (each.file, each.line) for each in state.objects}
            self._problems["directory"] = state.problems
            await self._fold_in()
            self._has_synced("directory")

    async def _take_store(self, state: StoreState) -> None:
        problems: list[Problem] = []
        loaded: dict[ObjectRef, Config] = {}
        for ref, stored in state.objects.items():
            known = self._stored.get(ref)
            same = known is not None and (known.manifest, known.created) == (stored.manifest, stored.created)
            if same and ref in self._from_store:
                loaded[ref] = self._from_store[ref]
                continue
            config = load(document_of(stored), catalogue=self.catalogue)
            if isinstance(config, Config):
                loaded[ref] = msgspec.structs.replace(config, created=stored.created)
            else:
                # Accepted by an older program and refused by this one: said, and not served.
                problems += config
        self._stored = dict(state.objects)
        self._from_store = loaded
        self._problems["store"] = tuple(problems)
        self._coming = state.version
        generation = await self._fold_in()
        self._generations[state.version] = generation
        for old in [each for each in self._generations if each <= state.version - KEPT_VERSIONS]:
            del self._generations[old]
        self._version = state.version
        self._has_synced("store")

    def _has_synced(self, source: str) -> None:
        self.synced.add(source)
        self._moved.set()
        self._moved = asyncio.Event()

    async def until_synced(self, sources: set[str]) -> None:
        """Returns when each of these sources (`store`, `directory`) has been folded once."""
        while sources - self.synced:
            await self._moved.wait()

    async def _fold_in(self) -> int:
        following = self.conversion.in_force({**self._from_store, **self._from_directory})
        changed = [
            config
            for ref, config in following.items()
            if (known := self._in_force.get(ref)) is None
            or (known.digest, known.age) != (config.digest, config.age)
        ]
        removed = [ref for ref in self._in_force if ref not in following]
        kinds = {config.kind for config in changed} | {ref.kind for ref in removed}
        self._in_force = following
        if not changed and not removed:
            return self._world.generation
        trust_domain = self._world.snapshot.settings.trust_domain
        generation = await self._world.commit(
            Change(
                settings=self._settings(following),
                configs=tuple(changed),
                removed_configs=tuple(removed),
                contributions=tuple(contributions_of(changed, trust_domain)),
                removed_sources=tuple(
                    ref for ref in removed if ref.kind in ("ServiceEntry", "WorkloadEntry")
                ),
            )
        )
        for config in changed:
            self._since[config.ref] = generation
        for ref in removed:
            self._since.pop(ref, None)
        if kinds & {"PeerAuthentication", "MeshConfig"}:
            policies = (each for each in following.values() if isinstance(each.spec, PeerAuthentication))
            self._on_policies(tuple(policies))
            # Ports aimed anew are submitted by now: the round that folds them belongs to this change.
            generation = await self._world.commit(Change())
        return generation

    def _settings(self, in_force: Mapping[ObjectRef, Config]) -> MeshSettings:
        """Those of the mesh's one MeshConfig, else what the program was started with."""
        found = in_force.get(MESH_CONFIG)
        if found is None or not isinstance(found.spec, MeshConfig):
            return self._started_with
        return settings_of(self._started_with, found.spec)


def contributions_of(configs: Iterable[Config], trust_domain: str) -> Iterable[Contribution]:
    for config in configs:
        match config.spec:
            case ServiceEntry() as spec:
                distribution = distribution_of(config.meta.annotations)
                yield contribution_of_service_entry(config.ref, spec, trust_domain, distribution)
            case WorkloadEntry() as spec:
                yield contribution_of_workload_entry(config.ref, spec, trust_domain)
            case _:
                pass


def document_of(stored: StoredObject) -> Document:
    """A stored object as a document, so that what it says now is said with the place where it was written."""
    value: dict[str, Json] = msgspec.json.decode(stored.manifest)
    return Document(file=stored.file, line=stored.line, value=value, marks=NO_MARKS)
