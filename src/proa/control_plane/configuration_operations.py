"""The admin API's operations on configuration: changing it, comparing it, its past, and copies of its store.

Part of `control_plane.operations`, which adds what is asked about proxies and identities. Configuration is changed
through the store alone.
"""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

import msgspec

from proa.control_plane.configuration import Configuration
from proa.control_plane.rollback import plan_rollback
from proa.control_plane.showing import as_derived, as_stored, manifest_text
from proa.control_plane.world import World
from proa.core.auth.federation import faults
from proa.core.config import Batch, Problem, read_batch
from proa.core.pilot.scope.authorization import trust_domains
from proa.ports.config_store import (
    Applied,
    ConfigStore,
    Conflict,
    Delete,
    ObjectResult,
    Put,
    StoredObject,
    Transaction,
)
from proa.ports.store_backup import Backup, BackupRefused, StoreBackups
from proa.servers.admin.history import BackupRequest, History, HistoryQuery, RollbackRequest
from proa.servers.admin.operations import (
    ApplyOutcome,
    ApplyRequest,
    DeleteRequest,
    DiffOutcome,
    DiffRequest,
    NotFound,
    ObjectDiff,
    ObjectQuery,
    Objects,
    Problems,
    Refused,
    SourceFile,
)

ROLLBACK_TRIES: Final = 5
"""A rollback rests on the state it read; when somebody else changes that first, it looks again."""


class ConfigurationOperations:
    """Every method may run concurrently: what it reads it reads between two awaits, or the store compares it."""

    def __init__(
        self,
        *,
        world: World,
        configuration: Configuration,
        store: ConfigStore,
        backups: StoreBackups,
        clock: Callable[[], float],
    ) -> None:
        self._world = world
        self._configuration = configuration
        self._store = store
        self._backups = backups
        self._clock = clock

    def _read(self, files: tuple[SourceFile, ...], namespace: str) -> Batch:
        named = [(file.name, file.text) for file in files]
        return read_batch(named, namespace, catalogue=self._configuration.catalogue)

    async def apply(self, request: ApplyRequest) -> ApplyOutcome | Problems:
        batch = self._read(request.files, request.namespace)
        wrong = tuple(self._of_federation(batch)) if batch.is_valid else ()
        if wrong or not batch.is_valid:
            return Problems(problems=(*batch.problems, *wrong))
        puts = _puts(batch)
        if request.dry_run:
            results = tuple(self._foretell(put) for put in puts)
            return ApplyOutcome(version=self._configuration.version, results=results, warnings=batch.problems)
        outcome = await self._commit(puts, request.author)
        known = {problem.message for problem in batch.problems}
        together = self._configuration.conversion_problems(put.ref for put in puts)
        news = tuple(problem for problem in together if problem.message not in known)
        return msgspec.structs.replace(outcome, warnings=(*batch.problems, *news))

    def _of_federation(self, batch: Batch) -> Iterator[Problem]:
        """What of partners is wrong in this mesh: its names and its other objects are known here alone."""
        brought = {written.config.ref: written.config for written in batch.objects}
        here = {**self._configuration.in_force, **brought}
        own = trust_domains(self._world.snapshot.settings).names
        for written in batch.objects:
            for finding in faults(written.config, here.values(), own):
                yield written.document.placed(finding)

    async def delete(self, request: DeleteRequest) -> ApplyOutcome:
        for ref in request.refs:
            if ref in self._configuration.directory and ref not in self._configuration.stored:
                raise Refused(f"{ref} comes from the watched directory: remove it there")
            sources = self._configuration.conversion.sources_of(ref)
            if sources:
                raise Refused(f"{ref} is converted from {', '.join(map(str, sources))}: delete that")
        return await self._commit(tuple(Delete(ref=ref) for ref in request.refs), request.author)

    async def _commit(self, changes: tuple[Put | Delete, ...], author: str) -> ApplyOutcome:
        applied = await self._store.apply(Transaction(changes=changes, author=author, time=self._clock()))
        if isinstance(applied, Conflict):
            raise Refused(f"the configuration is at version {applied.actual}, not {applied.expected}")
        return await self._outcome(applied)

    async def _outcome(self, applied: Applied) -> ApplyOutcome:
        """When the world has it."""
        await self._configuration.generation_of(applied.version)
        concerned = {result.ref for result in applied.results}
        concerned |= self._configuration.conversion.made_of(concerned)
        notes = tuple(note for note in self._world.notes() if note.about in concerned)
        return ApplyOutcome(version=applied.version, results=applied.results, notes=notes)

    def _foretell(self, put: Put) -> ObjectResult:
        known = self._configuration.stored.get(put.ref)
        if known is None:
            return ObjectResult(ref=put.ref, action="created")
        return ObjectResult(ref=put.ref, action="unchanged" if known.manifest == put.manifest else "changed")

    async def diff(self, request: DiffRequest) -> DiffOutcome | Problems:
        batch = self._read(request.files, request.namespace)
        if not batch.is_valid:
            return Problems(problems=batch.problems)
        stored = self._configuration.stored
        return DiffOutcome(
            objects=tuple(
                ObjectDiff(
                    ref=put.ref,
                    before=stored[put.ref].manifest if put.ref in stored else "",
                    after=put.manifest,
                )
                for put in _puts(batch)
            )
        )

    async def objects(self, query: ObjectQuery) -> Objects:
        found = {**self._configuration.stored}
        for ref, config in self._configuration.directory.items():
            found[ref] = as_stored(config)
        # Of all objects only those that somebody wrote are listed: what is listed can be applied again.
        if query.kind is not None:
            for ref, each in self._configuration.conversion.derived.items():
                found[ref] = as_derived(each, self._configuration.place_of(each.sources[0]))
        matching = tuple(
            self._told(found[ref]) if query.kind is not None else found[ref]
            for ref in sorted(found)
            if query.kind in (None, ref.kind)
            and query.namespace in (None, ref.namespace)
            and query.name in (None, ref.name)
        )
        return Objects(
            version=max(0, self._configuration.version),
            objects=matching,
            problems=self._configuration.problems(),
        )

    def _told(self, stored: StoredObject) -> StoredObject:
        """With its status, which those who know proxies can tell."""
        return stored

    # -- the past --

    async def history(self, query: HistoryQuery) -> History:
        entries = await self._store.history(query.ref, query.limit)
        return History(version=max(0, self._configuration.version), entries=entries)

    async def rollback(self, request: RollbackRequest) -> ApplyOutcome | Problems:
        for _ in range(ROLLBACK_TRIES):
            now, then = await self._store.state(), await self._store.state_at(request.version)
            if then is None:
                raise NotFound(
                    f"there is no version {request.version}: the newest is {now.version}; `proa history` lists them"
                )
            planned = plan_rollback(now, then, self._configuration.catalogue)
            if planned.problems:
                return Problems(problems=planned.problems)
            if request.dry_run or not planned.changes:
                return ApplyOutcome(version=now.version, results=planned.results)
            transaction = Transaction(
                changes=planned.changes,
                author=request.author,
                time=self._clock(),
                expected_version=now.version,
                note=f"rollback to version {request.version}",
            )
            applied = await self._store.apply(transaction)
            if isinstance(applied, Applied):
                return await self._outcome(applied)
        raise Refused("others kept changing the configuration meanwhile; nothing was rolled back, try again")

    async def backup(self, request: BackupRequest) -> Backup:
        made = await self._backups.backup(Path(request.file), self._clock())
        if isinstance(made, BackupRefused):
            raise Refused(made.reason)
        return made


def _puts(batch: Batch) -> tuple[Put, ...]:
    return tuple(
        Put(
            ref=written.config.ref,
            api_version=written.config.api_version,
            manifest=manifest_text(written.config),
            file=written.document.file,
            line=written.document.line,
        )
        for written in batch.objects
    )
