"""Watches one app: its process by pidfd, its ports by checks, its sockets for reaching past the mesh.

The workload starts it when it knows the pid, and turns what it says into registrations. Thresholds are
`core.sidecar.health`'s.
"""

import asyncio
from collections.abc import Callable
from typing import Final

from proa.core.sidecar.health import Track, observe
from proa.core.sidecar.local import AppPort, HealthCheck, Warned, WorkloadSpec
from proa.core.sidecar.session import Health
from proa.node.app_sockets import listening_beyond_loopback
from proa.node.checks import is_well
from proa.runtime.processes import wait_gone

STARTING_INTERVAL_S: Final = 0.1
"""While an app starts it is asked often: its first requests wait for the answer."""
SOCKETS_INTERVAL_S: Final = 30.0


class AppWatch:
    """`port_is(port, health, why)` is called on every change of a port of the service, `warn` at most once per
    thing to warn about."""

    def __init__(
        self,
        spec: WorkloadSpec,
        ports: tuple[AppPort, ...],
        *,
        port_is: Callable[[AppPort, Health, str], None],
        warn: Callable[[Warned], None],
    ) -> None:
        self._spec = spec
        self._ports = ports
        self._port_is = port_is
        self._warn = warn
        self._healthy = asyncio.Event()

    async def run(self, pid: int) -> None:
        """Ends when the process has; every port is UNHEALTHY then."""
        async with asyncio.TaskGroup() as tasks:
            checking = [
                tasks.create_task(
                    self._watch_port(port, check), name=f"health {self._spec.id}:{port.service_port}"
                )
                for port in self._ports
                for check in self._checks_of(port)
            ]
            checking.append(tasks.create_task(self._watch_sockets(pid), name=f"sockets {self._spec.id}"))
            await wait_gone(pid)
            for port in self._ports:
                self._port_is(port, "UNHEALTHY", f"process {pid} has ended")
            for task in checking:
                task.cancel()

    def _checks_of(self, port: AppPort) -> tuple[HealthCheck, ...]:
        """One per port: the first that names it, else the first for all, else a connect."""
        own = [each for each in self._spec.health if each.service_port == port.service_port]
        common = [each for each in self._spec.health if each.service_port is None]
        return ((*own, *common, HealthCheck())[0],)

    async def _watch_port(self, port: AppPort, check: HealthCheck) -> None:
        track = Track(
            healthy_threshold=check.healthy_threshold, unhealthy_threshold=check.unhealthy_threshold
        )
        await asyncio.sleep(check.initial_delay_ms / 1000)
        while True:
            well, reason = await is_well(check, port.app_port)
            before, track = track.state, observe(track, well)
            if track.state != before:
                self._port_is(port, track.state, reason)
            if track.state == "HEALTHY":
                self._healthy.set()
            interval = check.interval_ms / 1000
            await asyncio.sleep(min(interval, STARTING_INTERVAL_S) if track.state == "STARTING" else interval)

    async def _watch_sockets(self, pid: int) -> None:
        """An app opens its sockets while it starts: looked at once a port is well, and now and then later."""
        if self._ports:
            await self._healthy.wait()
        told: set[tuple[str, int]] = set()
        while True:
            for each in await asyncio.to_thread(listening_beyond_loopback, pid):
                if (each.address, each.port) not in told:
                    told.add((each.address, each.port))
                    text = f"the app listens on {each.address} port {each.port}: that port bypasses the mesh"
                    self._warn(
                        Warned(code="listens_beyond_loopback", text=f"{text}; let it listen on 127.0.0.1")
                    )
            await asyncio.sleep(SOCKETS_INTERVAL_S)
