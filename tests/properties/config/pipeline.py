"""The whole way of a text: read and judge, convert, analyze, fold, translate; every step as production takes it."""

import faulthandler
import time
from collections import Counter
from typing import Final

from proa.control_plane.conversion import Conversion
from proa.core.config import Config, read_batch
from proa.core.config.analyze.analysis import analyze, subjects_of, told_of
from proa.core.config.analyze.world import build_world
from proa.core.config.batch import Batch
from proa.core.config.kinds import KINDS
from proa.core.model.names import WorkloadId
from proa.core.pilot.resource import ResourceType
from proa.core.sidecar.session import GatewayPort
from proa.testing.builders import Mesh, change_of, registration, removal, simple

HANG_S: Final = 60
"""Nothing takes so long, however busy the machine: whoever does is taken for hanging, and ends the process."""
WORKLOADS: Final = (
    WorkloadId("default", "client"),
    WorkloadId("default", "a-v1"),
    WorkloadId("istio-system", "edge"),
)
MESH_LASTS: Final = 200
"""Texts that one mesh sees before another is made."""


class Pipeline:
    """`counts` tells how far the texts came, `slowest` (seconds, text) which took longest."""

    def __init__(self) -> None:
        self.counts: Counter[str] = Counter()
        self.slowest: tuple[float, str] = (0.0, "")
        self._rows = {row.object_kind: row for row in KINDS.values()}
        self._mesh = a_mesh()

    def swallow(self, text: str) -> Batch:
        """Raises what any step raises: none may."""
        began = time.monotonic()
        faulthandler.dump_traceback_later(HANG_S, exit=True)
        try:
            return self._swallow(text)
        finally:
            faulthandler.cancel_dump_traceback_later()
            self.slowest = max(self.slowest, (time.monotonic() - began, text))

    def _swallow(self, text: str) -> Batch:
        batch = read_batch([("fuzz.yaml", text)], only_in_force=False)
        self.counts["texts"] += 1
        self.counts["objects"] += len(batch.objects)
        self.counts["problems"] += len(batch.problems)
        assert all(problem.line >= 1 and problem.message for problem in batch.problems)
        subjects = subjects_of(batch.objects)
        for whole in (False, True):
            world = build_world(subjects.configs, whole=whole, workers=() if whole else None)
            self.counts["messages"] += len(told_of(analyze(world), subjects))
        self._fold([each.config for each in batch.objects if self._rows[each.config.ref.kind].in_force])
        return batch

    def _fold(self, configs: list[Config]) -> None:
        in_force = Conversion().in_force({config.ref: config for config in configs})
        if not in_force:
            return
        self.counts["folded"] += len(in_force)
        if self.counts["texts"] % MESH_LASTS == 0:
            self._mesh = a_mesh()
        world = self._mesh.world
        world.fold_in([change_of(in_force.values())])
        for workload in WORKLOADS:
            source = self._mesh.source(workload)
            for kind in ResourceType:
                for name in list(source.names(kind)):
                    self.counts["resources"] += source.lookup(kind, name) is not None
        world.notes()
        world.fold_in([removal(*sorted(in_force))])


def a_mesh() -> Mesh:
    edge = registration(
        "istio-system/edge",
        kind="gateway",
        labels={"istio": "ingressgateway"},
        gateway_ports=tuple(
            GatewayPort(server_port=port, bound_port=port + 8000) for port in (80, 443, 8080)
        ),
    )
    return Mesh(simple("a"), simple("b", protocol="AUTO", address="10.0.0.2"), edge)
