"""Routes of the clients that rules with `sourceLabels` are for, beside those that their scope shares.

A scope's route configurations are for clients that wear no label a rule asks for. Whoever wears some has, only for the
ports with such rules, configurations of its own, put together of the scope's pieces and of the few that differ. All
of a scope that wear the same share them. Called by the world alone.
"""

from collections.abc import Iterator

from proa.control_plane.scope_bundle import Name, ScopeBundle
from proa.core.model.notes import Note
from proa.core.pilot.resource import Resource, ResourceType
from proa.core.pilot.scope.clients import Client, served_to
from proa.core.pilot.translate.routes.virtual_host import VirtualHostPart, build_route_configuration

Parts = dict[str, tuple[VirtualHostPart, ...]]


class ClientRoutes:
    """Owner: the world. `resources` take the place of the scope's of the same names."""

    def __init__(self, shared: ScopeBundle, client: Client) -> None:
        self.resources: dict[Name, Resource] = {}
        self._shared = shared
        self._client = client
        self._hosts: dict[str, tuple[str, Parts, tuple[Note, ...]]] = {}
        self._instead: dict[str, dict[str, tuple[VirtualHostPart, ...]]] = {}
        self.update()

    def update(self) -> set[Name]:
        """After the scope's update; the names whose resources appeared, changed or went. Looks at hosts with such
        rules, and builds where one of them, or the scope's configuration around it, is new."""
        self._hosts = {
            host: known
            if (known := self._hosts.get(host)) is not None and known[0] == view.digest
            else (view.digest, *self._shared.parts_of(served_to(view, self._client)))
            for host, view in self._shared.choosy.items()
        }
        before, self._instead = self._instead, {}
        for host, (_, parts, _) in self._hosts.items():
            for name, pieces in parts.items():
                if pieces != self._shared.pieces(host, name):
                    self._instead.setdefault(name, {})[host] = pieces
        built: dict[Name, Resource] = {}
        for name, instead in self._instead.items():
            routes = self.resources.get((ResourceType.ROUTE, name))
            if routes is None or name in self._shared.rebuilt or instead != before.get(name):
                routes = build_route_configuration(name, self._shared.joined(name, instead))
            built[ResourceType.ROUTE, name] = routes
        changed = {
            name
            for name in {*self.resources, *built}
            if _digest(self.resources.get(name)) != _digest(built.get(name))
        }
        # In place: the workloads' bundles hold this very map.
        self.resources.clear()
        self.resources.update(built)
        return changed

    def notes(self) -> Iterator[Note]:
        for _, _, notes in self._hosts.values():
            yield from notes


def _digest(resource: Resource | None) -> str:
    return resource.digest if resource is not None else ""
