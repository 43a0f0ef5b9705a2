"""One workload's life on this node: ports, registration, certificate, relay, Envoy, health, and the way back.

The local server starts `run` for each owner that places a workload and passes on the owner's orders. The order
of the steps is `_place` and `_remove`; everything between them reacts to what happens. Ends with nothing left.
"""

import asyncio
import logging
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Final

import msgspec

from proa.core.auth.spiffe import workload_id
from proa.core.sidecar.health import worst
from proa.core.sidecar.local import (
    AppPort,
    Drained,
    Exited,
    HealthChanged,
    OwnerEvent,
    Placed,
    Progress,
    Refused,
    Removed,
    Started,
    Stop,
    Warned,
    WorkloadSpec,
    WorkloadSummary,
)
from proa.core.sidecar.session import GatewayPort, Health, Registration
from proa.core.sidecar.supervision import Event, State
from proa.node.admission import Admission, NotAdmitted, admit
from proa.node.certificates import Keeper
from proa.node.envoy import Envoy
from proa.node.gateway_ports import GatewayPorts
from proa.node.health import AppWatch
from proa.node.places import Place, find_place
from proa.node.port_book import is_listened_on
from proa.node.proxyless import Proxyless
from proa.node.sidecar import Sidecar
from proa.node.surroundings import Surroundings
from proa.node.table_store import TableStore
from proa.node.uplink import SignRefused
from proa.runtime.held_ports import PortTaken
from proa.runtime.supervise import Supervisor

log = logging.getLogger("proa.node.workload")

FAREWELL_S: Final = 1.0
"""How long a removal waits for the control plane to have heard of it before the Envoy goes."""
PATIENCE_S: Final = 3.0
"""After so long a user is told what a start waits for."""


class Leave(msgspec.Struct, frozen=True, kw_only=True):
    """An order of the agent itself: drain and go, for this reason."""

    reason: str


Order = Started | Stop | Exited | Leave


class Workload:
    """`register` and `withdraw` change what the session sends up; `tell` reaches the owner. All mutable state
    here is touched by `run` and its tasks only, in one event loop."""

    def __init__(
        self,
        spec: WorkloadSpec,
        around: Surroundings,
        *,
        tell: Callable[[OwnerEvent], None],
        register: Callable[[Registration], None],
        withdraw: Callable[[], None],
    ) -> None:
        self.spec = spec
        self.placed: Placed | None = None
        self._around = around
        self._tell = tell
        self._register = register
        self._withdraw = withdraw
        self._orders: asyncio.Queue[Order] = asyncio.Queue()
        self._ports = ExitStack()
        self._place: Place | None = None
        self._envoy: Envoy | None = None
        self._keeper: Keeper | None = None
        self._gateway: GatewayPorts | None = None
        self._app_health: dict[AppPort, Health] = {}
        self._told_health: Health | None = None
        self._was_ready = False
        self._is_provisional = False
        self._draining = False
        self._leaving = False
        self._pid: int | None = None

    def obey(self, order: Order) -> None:
        self._orders.put_nowait(order)

    async def run(self) -> None:
        """From Place to Removed or Refused. Cancelled, it goes at once."""
        with self._ports:
            try:
                self._place = find_place(
                    self.spec, self._around.node, self._around.options, self._around.book, self._ports
                )
            except PortTaken as error:
                self._tell(Refused(reason=str(error)))
                return
            for port in (each for each in self._place.ports if is_listened_on(each.app_port)):
                text = f"another program listens on 127.0.0.1:{port.app_port}: the app cannot, and calls would reach it"
                self._tell(Warned(code="app_port_taken", text=text))
            self._app_health = dict.fromkeys(self._place.ports, "STARTING")
            try:
                async with Supervisor() as tasks:
                    tasks.run(f"place {self.spec.id}", self._start(self._place, tasks))
                    last = await self._follow_orders(tasks)
                    await self._remove()
                    tasks.stop()
            finally:
                self._withdraw()
        self._tell(Removed() if isinstance(last, Exited) else Refused(reason=last.reason))

    # -- coming --

    async def _start(self, place: Place, tasks: Supervisor) -> None:
        around = self._around
        self._say("registering", f"registering {place.id} with the control plane")
        self._publish()
        hint = tasks.run(f"hint {place.id}", self._hint())
        credential = around.node_credential.value
        store = TableStore(around.home.workload_dir(str(place.id)))
        try:
            admission = await admit(place.facts, around.session, store, credential.roots_pem, self._say)
        except NotAdmitted as refused:
            self.obey(Leave(reason=str(refused)))
            return
        self._is_provisional = admission.is_provisional
        self._say("certificate", f"getting a certificate for account {self.spec.chosen_account}")
        self._keeper = Keeper(
            signer=around.uplink,
            workload=place.id,
            identity=workload_id(
                credential.spiffe_id.trust_domain, place.id.namespace, self.spec.chosen_account
            ),
            path=around.home.workload_dir(str(place.id)) / "credential.json",
            trusted_roots=credential.roots_pem,
        )
        try:
            await self._keeper.obtain()
        except SignRefused as refused:
            self.obey(Leave(reason=f"no certificate: {refused}"))
            return
        if self.spec.kind == "proxyless":
            self.placed = await Proxyless(place, around, self._keeper).prepare(tasks)
            tasks.keep(f"refusals {self.spec.id}", self._follow_refusals(store))
            hint.cancel()
            self._tell(self.placed)
            return
        self._say("sidecar", "starting the sidecar")
        sidecar = Sidecar(
            place, around, self._keeper, store, known=admission.known, gateway_ports=self._gateway_ports
        )
        await self._start_sidecar(sidecar, store, admission, tasks)
        await sidecar.envoy.until(State.READY)
        hint.cancel()
        self.placed = place.placed(around.home, str(sidecar.envoy.admin_socket))
        self._tell(self.placed)

    async def _start_sidecar(
        self, sidecar: Sidecar, store: TableStore, admission: Admission, tasks: Supervisor
    ) -> None:
        name = str(self.spec.id)
        self._envoy = sidecar.envoy
        await sidecar.prepare(tasks)
        tasks.keep(f"proxy state {name}", self._follow_proxy(sidecar.envoy))
        tasks.keep(f"refusals {name}", self._follow_refusals(store))
        if self.spec.kind == "gateway":
            self._gateway = GatewayPorts(
                self.spec,
                self._around.options.address,
                self._around.book,
                self._ports,
                admission.known.gateway_ports if admission.known else (),
            )
            following = self._gateway.run(
                self._around.session, sidecar.envoy, publish=self._publish, tell=self._tell
            )
            tasks.keep(f"gateway ports {name}", following)
        sidecar.envoy.ask(Event.START)

    async def _hint(self) -> None:
        await asyncio.sleep(PATIENCE_S)
        trouble = self._around.session.trouble.value
        self._say(
            "waiting", f"still waiting: {trouble}" if trouble else "still waiting for the sidecar's listeners"
        )

    # -- being there --

    async def _follow_orders(self, tasks: Supervisor) -> Exited | Leave:
        while True:
            order = await self._orders.get()
            match order:
                case Started(pid=pid):
                    self._pid = pid
                    tasks.run(f"app {self.spec.id}", self._watch_app(pid))
                case Stop():
                    tasks.run(f"drain {self.spec.id}", self._drain())
                case Leave() if self.placed is not None:
                    await self._drain()
                    return order
                case Exited() | Leave():
                    return order

    async def _watch_app(self, pid: int) -> None:
        assert self._place is not None
        watch = AppWatch(self.spec, self._place.ports, port_is=self._port_is, warn=self._tell)
        await watch.run(pid)

    async def _follow_proxy(self, envoy: Envoy) -> None:
        restarts = 0
        async for now in envoy.state.follow():
            self._was_ready = self._was_ready or now.state is State.READY
            if now.restarts > restarts:
                restarts = now.restarts
                text = f"the sidecar ended unasked and is started again ({restarts}); see its log"
                self._tell(Warned(code="sidecar_restarted", text=text))
            self._publish()

    async def _follow_refusals(self, store: TableStore) -> None:
        """A workload that was accepted and is no more (a grant was changed) gets no endpoint and no
        configuration from the control plane; its user must hear why. It may be accepted again."""
        told: str | None = None
        async for answer in self._around.session.answer.follow():
            reason = None if answer is None else answer.refusal_of(self.spec.id)
            if reason is not None and reason != told:
                self._tell(
                    Warned(code="refused", text=f"the control plane refuses the workload now: {reason}")
                )
            if answer is not None and reason != told:
                store.changed()
                told = reason
            if self._is_provisional and answer is not None and self.spec.id in answer.accepted:
                self._is_provisional = False
                self._say("registered", f"the control plane is back and has accepted {self.spec.id}")

    async def _drain(self) -> None:
        self._draining = True
        self._publish()
        if self._envoy is None:
            self._tell(Drained())
            return
        self._envoy.ask(Event.DRAIN)
        await self._envoy.until(State.DRAINED, State.TERMINATING, State.KILLED, State.GONE)
        self._tell(Drained(open_requests=self._envoy.left_open))

    def _port_is(self, port: AppPort, health: Health, why: str) -> None:
        self._app_health[port] = health
        self._publish(why)

    def _publish(self, why: str = "") -> None:
        assert self._place is not None
        if self._leaving:
            return
        health = {port: self._effective(state) for port, state in self._app_health.items()}
        self._register(self._place.registration(health, self._gateway_ports()))
        state = worst(health.values())
        if health and state != self._told_health and self.placed is not None:
            self._told_health = state
            self._tell(HealthChanged(state=state, why=why))

    def _gateway_ports(self) -> tuple[GatewayPort, ...]:
        return self._gateway.ports if self._gateway else ()

    def _effective(self, app: Health) -> Health:
        """A port is as well as its app and its sidecar together."""
        if self._draining:
            return "DRAINING"
        if self._envoy is None or self._envoy.state.value.state is not State.READY:
            return "UNHEALTHY" if self._was_ready else "STARTING"
        return app

    # -- going --

    async def _remove(self) -> None:
        self._leaving = True
        self._withdraw()
        try:
            async with asyncio.timeout(FAREWELL_S):
                await self._around.session.noted()
        except TimeoutError:
            log.info("%s: removed without the control plane's word", self.spec.id)
        if self._envoy is not None and self._envoy.state.value.state is not State.NEW:
            self._envoy.ask(Event.STOP)
            await self._envoy.until(State.GONE)

    def _say(self, stage: str, text: str) -> None:
        self._tell(Progress(stage=stage, text=text))

    # -- being asked --

    def summary(self) -> WorkloadSummary:
        home, name = self._around.home, str(self.spec.id)
        proxy = self._envoy.state.value if self._envoy else None
        credential = self._keeper.credential.value if self._keeper else None
        return WorkloadSummary(
            id=self.spec.id,
            kind=self.spec.kind,
            account=self.spec.chosen_account,
            services=self.services,
            health=worst(self._effective(state) for state in self._app_health.values()),
            proxy=proxy.state.value if proxy else State.READY.value if self.placed else State.NEW.value,
            pid=self._pid,
            envoy_pid=self._envoy.pid if self._envoy else None,
            restarts=proxy.restarts if proxy else 0,
            ports=self._place.ports if self._place else (),
            outbound_port=self._place.outbound_port if self._place else None,
            certificate_not_after=credential.not_after if credential else 0,
            envoy_log=str(home.workload_log(name, "envoy")),
            access_log=str(home.workload_log(name, "access")),
        )

    @property
    def services(self) -> tuple[str, ...]:
        return tuple(sorted({port.service for port in self.spec.ports}))

    @property
    def admin_socket(self) -> Path | None:
        """Where the Envoy's admin interface answers, None while there is none."""
        return self._envoy.admin_socket if self._envoy and self._envoy.pid is not None else None
