"""What one proxy is served: its own resources and those it shares, looked up by its stream's protocol machine."""

from collections.abc import Callable, Iterable

from proa.control_plane.proxyless import ProxylessBundle
from proa.control_plane.scope_bundle import ScopeBundle
from proa.control_plane.workload_bundle import WorkloadBundle
from proa.core.pilot.resource import Resource, ResourceType
from proa.core.pilot.translate.outer_tunnels import is_tunnel


def is_behind_explicit(kind: ResourceType, name: str) -> bool:
    """Whether only the explicit listener leads to a shared resource."""
    if kind is ResourceType.LISTENER:
        return not is_tunnel(name)
    return name.startswith("connect_")


class ProxySource:
    """One proxy's resources: its own, then those of clients like it, then its scope's. Read by its stream's protocol
    machine.

    `proxyless` gives what the scope has for gRPC's own clients. That the workload is one is asked at each look: a
    registration may come after the stream."""

    def __init__(
        self,
        own: WorkloadBundle,
        proxyless: Callable[[], ProxylessBundle],
        *,
        complete: bool,
    ) -> None:
        self.own = own
        self._proxyless = proxyless
        self._complete = complete

    @property
    def shared(self) -> ScopeBundle:
        return self.own.shared

    def lookup(self, kind: ResourceType, name: str) -> Resource | None:
        found = self.bare(kind, name)
        patched = self.own.patched
        return found if patched is None else patched.lookup(kind, name, found)

    def bare(self, kind: ResourceType, name: str) -> Resource | None:
        """As `lookup`, before EnvoyFilters."""
        found = self.own.resources.get((kind, name))
        if found is None and self._shares(kind, name):
            of_scope = self._of_scope
            near = of_scope.near.lookup((kind, name), self.own.standpoint)
            found = self.own.routes.get((kind, name)) or near or of_scope.resources.get((kind, name))
        return found

    @property
    def _of_scope(self) -> ProxylessBundle | ScopeBundle:
        return self._proxyless() if self.own.is_proxyless else self.shared

    def names(self, kind: ResourceType) -> Iterable[str]:
        yield from self.bare_names(kind)
        for each, name in self.own.patched.added if self.own.patched else ():
            if each is kind and self.bare(kind, name) is None:
                yield name

    def bare_names(self, kind: ResourceType) -> Iterable[str]:
        for each, name in self.own.resources:
            if each is kind:
                yield name
        for each, name in self._of_scope.resources:
            if each is kind and self._shares(kind, name):
                yield name

    def knows(self, kind: ResourceType, name: str) -> bool:
        return self._complete

    def knows_all(self, kind: ResourceType) -> bool:
        return self._complete

    def _shares(self, kind: ResourceType, name: str) -> bool:
        """A proxy without the explicit listener (a gateway, a server only) has no use for what hangs behind it."""
        return self.own.has_explicit or self.own.is_proxyless or not is_behind_explicit(kind, name)
