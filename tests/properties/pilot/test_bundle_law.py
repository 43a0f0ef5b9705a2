"""What is kept up to date equals what is built from scratch, whatever happened before."""

from hypothesis import given, settings
from hypothesis import strategies as st

from proa.control_plane.scope_bundle import Name, ScopeBundle
from proa.control_plane.workload_bundle import WorkloadBundle
from proa.control_plane.world import World
from proa.core.model.names import WorkloadId
from proa.core.model.settings import MeshSettings
from proa.core.model.snapshot import Change
from proa.core.pilot.scope.index import Affected
from proa.core.pilot.scope.scope import Scope, scope_of
from proa.testing.strategies import GATEWAY, Fact, change_from, changes, meshes

WATCHED = (WorkloadId("default", "a-1"), WorkloadId("shop", "b-1"), GATEWAY)
Digests = dict[Name, str]
Held = tuple[Digests, Digests, Digests]
"""What a workload's scope has, the same as it is from where the workload stands, and the workload's own."""


class Watch:
    """A world with streams' bundles open from the start, and what each round said had changed."""

    def __init__(self) -> None:
        self.world = World(MeshSettings(), clock=lambda: 0.0)
        self.sources = {workload: self.world.source_for(workload) for workload in WATCHED}
        self.scopes: dict[Scope, set[Name]] = {}
        self.workloads: dict[WorkloadId, set[Name]] = {}
        self.world.subscribe(self._hear)

    def _hear(
        self,
        generation: int,
        affected: Affected,
        scopes: dict[Scope, set[Name]],
        workloads: dict[WorkloadId, set[Name]],
    ) -> None:
        self.scopes, self.workloads = scopes, workloads

    def fold_in(self, *told: Change) -> None:
        self.scopes, self.workloads = {}, {}
        self.world.fold_in(told)

    def of_scopes(self) -> dict[WorkloadId, Scope]:
        return {workload: source.shared.scope for workload, source in self.sources.items()}

    def held(self) -> dict[WorkloadId, Held]:
        return {workload: _digests(source.own) for workload, source in self.sources.items()}

    def near(self) -> dict[WorkloadId, set[Name]]:
        """The names behind which there is more than one resource in a workload's scope."""
        return {workload: source.shared.near.names() for workload, source in self.sources.items()}

    def fresh(self, workload: WorkloadId) -> Held:
        scope = scope_of(self.world.snapshot, self.world.index, workload)
        shared = ScopeBundle(scope, self.world.memo)
        shared.fill(self.world.snapshot, self.world.index)
        own = WorkloadBundle(workload, shared, self.world.memo)
        own.update(self.world.snapshot, self.world.index)
        return _digests(own)


def _digests(own: WorkloadBundle) -> Held:
    shared = own.shared
    return (
        {name: resource.digest for name, resource in shared.resources.items()},
        {
            name: (shared.near.lookup(name, own.standpoint) or resource).digest
            for name, resource in shared.resources.items()
        },
        {name: resource.digest for name, resource in own.resources.items()},
    )


def differing(before: Digests, after: Digests) -> set[Name]:
    return {name for name in {*before, *after} if before.get(name) != after.get(name)}


@settings(max_examples=40)
@given(st.lists(changes(), min_size=1, max_size=8))
def test_an_updated_bundle_equals_one_filled_from_scratch(told: list[Change]) -> None:
    watch = Watch()
    for each in told:
        watch.fold_in(each)
        for workload, held in watch.held().items():
            assert held == watch.fresh(workload)


@settings(max_examples=40)
@given(st.lists(changes(), min_size=1, max_size=8))
def test_every_name_whose_digest_differs_is_told(happened: list[Change]) -> None:
    watch = Watch()
    for each in happened:
        before, scopes, near = watch.held(), watch.of_scopes(), watch.near()
        watch.fold_in(each)
        after = watch.held()
        for workload in WATCHED:
            shared, seen, own = (
                differing(*pair) for pair in zip(before[workload], after[workload], strict=True)
            )
            by_place = near[workload] | watch.near()[workload]
            told = watch.workloads.get(workload, set())
            if watch.of_scopes()[workload] == scopes[workload]:
                told_to_all = watch.scopes.get(scopes[workload], set())
                # A set that is another one for somebody may be told to all.
                assert shared <= told_to_all <= shared | by_place
                assert seen <= told_to_all | told
            else:
                assert shared | seen <= told
                own |= shared
            # What is shared may be told to one workload when it begins to have a use for it.
            assert own <= told <= own | watch.sources[workload].shared.resources.keys() | by_place


@settings(max_examples=40)
@given(meshes().flatmap(lambda told: st.tuples(st.just(told), st.permutations(told))))
def test_the_order_of_sources_does_not_matter(orders: tuple[tuple[Fact, ...], list[Fact]]) -> None:
    one, other, at_once = Watch(), Watch(), Watch()
    for watch, told in ((one, orders[0]), (other, tuple(orders[1]))):
        for fact in told:
            watch.fold_in(change_from([fact]))
    at_once.fold_in(change_from(orders[0]))
    assert one.world.snapshot == other.world.snapshot == at_once.world.snapshot
    assert one.held() == other.held() == at_once.held()
