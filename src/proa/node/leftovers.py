"""What a run of an Envoy leaves on disk and in the run directory: of workloads that are gone it is taken away.

An agent that is killed while a workload leaves has no time to. The next one calls this when it has found whom it
goes on with. What a workload needs to start again from disk (its table, key and certificates) is no leftover.
"""

from collections.abc import Iterable
from pathlib import Path
from typing import Final

from proa.core.model.names import WorkloadId
from proa.home import Home

BOOTSTRAPS: Final = "bootstrap.json*"
SOCKETS: Final = ("*.admin*", "*.xds*", "*.spiffe*")


def sweep_leftovers(home: Home, kept: Iterable[WorkloadId]) -> tuple[Path, ...]:
    """What was taken away. Blocking; only for who holds the node's lock: nobody else starts Envoys here then."""
    names = frozenset(map(str, kept))
    directories = {home.workload_dir(name) for name in names}
    stems = {home.workload_socket(name, kind).name for name in names for kind in ("admin", "xds", "spiffe")}
    found = [
        path
        for directory in (home.node_dir / "workloads").iterdir()
        if directory not in directories
        for path in directory.glob(BOOTSTRAPS)
    ]
    for pattern in SOCKETS:
        found += [
            path
            for path in home.run_dir.glob(pattern)
            if path.is_socket() and not any(path.name.startswith(stem) for stem in stems)
        ]
    for path in found:
        path.unlink(missing_ok=True)
    return tuple(found)
