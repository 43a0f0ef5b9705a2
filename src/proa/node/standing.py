"""How one workload stands: the health of its ports, whether it is drained, and what of that is registered and told.

Owned by `node.workload`, which says what happens; every change is registered at once. A port is as well as its app and
its sidecar together.
"""

from collections.abc import Callable
from typing import Protocol

from proa.core.sidecar.health import worst
from proa.core.sidecar.local import AppPort, HealthChanged
from proa.core.sidecar.record import Record
from proa.core.sidecar.session import Health, Registration
from proa.core.sidecar.supervision import SERVING, State
from proa.node.places import Place


class Surface(Protocol):
    """What of the workload is looked at when it is registered."""

    def registration(self, health: dict[AppPort, Health]) -> Registration: ...

    @property
    def sidecar(self) -> State | None:
        """None before there is one. One that serves for an agent that is not as far is READY."""

    @property
    def is_placed(self) -> bool: ...


class Standing:
    """`register` sends up, `tell` reaches the owner. `is_draining` is set by `drain` and `resume`."""

    def __init__(
        self,
        place: Place,
        surface: Surface,
        register: Callable[[Registration], None],
        tell: Callable[[HealthChanged], None],
    ) -> None:
        self._place = place
        self._surface = surface
        self._register = register
        self._tell = tell
        self._app: dict[AppPort, Health] = dict.fromkeys(place.ports, "STARTING")
        self._told: Health | None = None
        self._was_ready = False
        self._is_leaving = False
        self.is_draining = False

    def restore(self, record: Record, *, is_draining: bool) -> None:
        """As an earlier agent had it."""
        self._app.update(zip(self._place.ports, record.health, strict=False))
        self._told = worst(self._app.values()) if self._app else None
        self._was_ready = True
        self.is_draining = is_draining

    @property
    def apps(self) -> tuple[Health, ...]:
        """Of the app alone, in the order of the ports."""
        return tuple(self._app[port] for port in self._place.ports)

    @property
    def health(self) -> Health:
        """The worst port's."""
        return worst(self._effective(state) for state in self._app.values())

    def say_again(self) -> None:
        """To an owner that is back."""
        if self._told is not None:
            self._tell(HealthChanged(state=self._told))

    def port_is(self, port: AppPort, health: Health, why: str) -> None:
        self._app[port] = health
        self.publish(why)

    def drain(self) -> None:
        self.is_draining = True
        self.publish()

    def resume(self) -> None:
        self.is_draining = False
        self.publish()

    def leave(self) -> None:
        """Nothing is registered from here on."""
        self._is_leaving = True

    def publish(self, why: str = "") -> None:
        """What is registered follows what is."""
        self._was_ready = self._was_ready or self._surface.sidecar in SERVING
        if self._is_leaving:
            return
        health = {port: self._effective(state) for port, state in self._app.items()}
        self._register(self._surface.registration(health))
        state = worst(health.values())
        if health and state != self._told and self._surface.is_placed:
            self._told = state
            self._tell(HealthChanged(state=state, why=why))

    def _effective(self, app: Health) -> Health:
        if self.is_draining:
            return "DRAINING"
        if self._surface.sidecar not in SERVING:
            return "UNHEALTHY" if self._was_ready else "STARTING"
        return app
