"""The `status` section of Gateway API's objects, from what is in force and what proxies have taken of it.

Called by the operations for every look, so that nothing told is older than the question.
"""

from collections.abc import Callable, Mapping

import msgspec
import orjson

from proa.control_plane.configuration import Configuration
from proa.control_plane.proxies import ProxyStream
from proa.control_plane.world import World
from proa.core.config import Json
from proa.core.config.gateway_api.attach import Condition
from proa.core.config.gateway_api.bound import Standing
from proa.core.config.gateway_api.gateway_schema import GATEWAY_NAME_LABEL, GatewayClass
from proa.core.config.gateway_api.schema import GROUP, X_GROUP
from proa.core.config.gateway_api.status import (
    class_status,
    gateway_status,
    policy_status,
    route_status,
)
from proa.core.model.names import WorkloadId
from proa.core.model.workload import Workload
from proa.ports.config_store import StoredObject


class Standings:
    """Says how objects stand. `is_opening`: whether a gateway still has a port to open. `taken_elsewhere`: the version
    that a proxy connected to another control plane has taken."""

    def __init__(
        self,
        world: World,
        configuration: Configuration,
        stream_of: Callable[[WorkloadId], ProxyStream | None],
        is_opening: Callable[[ProxyStream], bool],
        taken_elsewhere: Callable[[WorkloadId], int | None] = lambda workload: None,
    ) -> None:
        self._world = world
        self._configuration = configuration
        self._stream_of = stream_of
        self._is_opening = is_opening
        self._taken_elsewhere = taken_elsewhere

    def with_status(self, stored: StoredObject) -> StoredObject:
        """The object with its status, if it is one that has a status."""
        status = self._status_of(stored)
        if status is None:
            return stored
        manifest: dict[str, Json] = msgspec.json.decode(stored.manifest)
        text = orjson.dumps({**manifest, "status": status}, option=orjson.OPT_SORT_KEYS).decode()
        return msgspec.structs.replace(stored, manifest=text)

    def _status_of(self, stored: StoredObject) -> dict[str, Json] | None:
        if stored.api_version.partition("/")[0] not in (GROUP, X_GROUP):
            return None
        config = self._configuration.written(stored.ref)
        if config is not None and isinstance(config.spec, GatewayClass):
            return class_status(config.spec, stored.version)
        found = self._configuration.conversion.gateway_api.standings.get(stored.ref, ())
        policies = [each for each in found if each.target is not None]
        if policies:
            return policy_status(policies, self._exists, self._programmed, stored.version)
        own = next((each for each in found if each.parent is None), None)
        if own is not None:
            return gateway_status(own, self._programmed, stored.version)
        parents = [each for each in found if each.parent is not None]
        return route_status(parents, self._exists, self._programmed, stored.version) if parents else None

    def _exists(self, host: str) -> bool:
        return host in self._world.snapshot.services

    def _programmed(self, standing: Standing) -> Condition:
        """True when every proxy that has to has taken, and acknowledged, what came of the object last."""
        derived = self._configuration.conversion.derived
        absent = [ref for ref in standing.made if ref not in derived]
        if absent:
            message = f"{absent[0]} is not in force: see the warnings of `proa get` and `proa apply`"
            return _told(False, "Invalid", message)
        workloads = self._workloads(standing)
        if not workloads:
            return _told(False, "Pending", self._nobody(standing))
        since = max((self._configuration.since(ref) for ref in standing.made), default=0)
        wanted = set(standing.made)
        late: list[WorkloadId] = []
        for workload in workloads:
            stream = self._stream_of(workload.id)
            if stream is None:
                taken = self._taken_elsewhere(workload.id)
                if taken is None or taken < self._configuration.version_at(since):
                    late.append(workload.id)
                continue
            if not stream.has_taken(since) or self._is_opening(stream):
                late.append(workload.id)
                continue
            for refusal in stream.refusals():
                if wanted & set(refusal.objects):
                    return _told(False, "Invalid", f"{workload.id} refuses {refusal.name}: {refusal.error}")
        if late:
            return _told(False, "Pending", f"not yet in force at {', '.join(map(str, late))}")
        return _told(True, "Programmed", f"in force at {len(workloads)} proxies")

    def _workloads(self, standing: Standing) -> list[Workload]:
        """Whom it concerns: the proxies of a Gateway, or all sidecars; a policy all proxies."""
        known: Mapping[WorkloadId, Workload] = self._world.snapshot.workloads
        if standing.target is not None:
            return list(known.values())
        if standing.parent_host:
            return [each for each in known.values() if each.kind != "gateway"]
        name = standing.gateway
        return [
            each
            for each in known.values()
            if each.kind == "gateway" and each.labels.get(GATEWAY_NAME_LABEL) == name
        ]

    def _nobody(self, standing: Standing) -> str:
        if standing.parent_host:
            return "no sidecar is there yet"
        name = standing.gateway
        return f"no proxy serves the Gateway: start one with `proa gateway --name {name}`"


def _told(status: bool, reason: str, message: str) -> Condition:
    return Condition(type="Programmed", status=status, reason=reason, message=message)
