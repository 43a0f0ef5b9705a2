"""How programs on this machine ask the node agent for a place in the mesh: `run`, `gateway`, `exec`, `list`.

The command line calls it; it prints nothing (events go to a callback) and knows no options.
"""

from collections.abc import Callable, Sequence

from proa.core.sidecar.local import (
    AdminAnswer,
    Environment,
    OwnerEvent,
    Workloads,
    WorkloadSpec,
)
from proa.home import Home

Notify = Callable[[OwnerEvent], None]


class AgentUnreachable(Exception):
    """No agent answers at the home's node socket, or it went away. The text says what to do."""


class NotPlaced(Exception):
    """The agent or the control plane refused; the text is for the user."""


class NoSuchWorkload(Exception):
    """The name means no workload of this node, or several."""


async def run_workload(
    home: Home,
    spec: WorkloadSpec,
    argv: Sequence[str],
    notify: Notify,
    *,
    log: str | None = None,
    kill_after_s: float = 10.0,
) -> int:
    """Places the workload, runs `argv` as its app in the foreground, and removes the workload when that ends.

    SIGINT and SIGTERM drain first and are then passed on; after `kill_after_s` the app is killed. A second
    signal is passed on at once. `log` appends the app's output to a file instead of ours. Returns the app's
    exit code (128+N after signal N, 127 when it could not be started). Raises AgentUnreachable, NotPlaced.
    """
    raise NotImplementedError


async def serve_gateway(home: Home, spec: WorkloadSpec, notify: Notify) -> int:
    """Places a gateway and keeps it until SIGINT or SIGTERM (0). Raises AgentUnreachable, NotPlaced."""
    raise NotImplementedError


async def exec_in_workload(home: Home, name: str, argv: Sequence[str]) -> int:
    """Runs `argv` with the environment of the workload's app; returns its exit code. Raises NoSuchWorkload."""
    raise NotImplementedError


async def workload_environment(home: Home, name: str) -> Environment:
    """Raises NoSuchWorkload, AgentUnreachable."""
    raise NotImplementedError


async def list_workloads(home: Home) -> Workloads:
    """Raises AgentUnreachable."""
    raise NotImplementedError


async def ask_admin(home: Home, name: str, path: str, method: str = "GET") -> AdminAnswer:
    """A page of the Envoy's admin interface. Raises NoSuchWorkload, AgentUnreachable."""
    raise NotImplementedError


async def wait_gone(home: Home, name: str, timeout_s: float) -> bool:
    """Whether nothing is left of the workload before the time is over. Raises AgentUnreachable."""
    raise NotImplementedError
