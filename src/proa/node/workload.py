"""One workload's life on this node: ports, registration, certificate, relay, Envoy, health, and the way back.

The local server starts `run` for each workload that an owner places, or that an earlier agent left, and passes on the
owner's orders. The order of the steps is `_start` (or `_take_over`) and `_remove`; everything between them reacts to
what happens. Ends with nothing left, unless the agent itself fails (`spare`).
"""

import asyncio
import logging
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Final

import msgspec
from immutables import Map

from proa.core.auth.spiffe import workload_id
from proa.core.model.names import service_hostname
from proa.core.sidecar.local import (
    AppPort,
    Drained,
    Exited,
    OwnerEvent,
    Placed,
    Progress,
    Refused,
    Removed,
    Restarted,
    Started,
    Stop,
    Warned,
    WorkloadSpec,
    WorkloadSummary,
)
from proa.core.sidecar.record import ProcessMark, Record
from proa.core.sidecar.session import GatewayPort, Health, Registration
from proa.core.sidecar.standard_metrics import Own
from proa.core.sidecar.supervision import Event, State
from proa.node.admission import Admission, NotAdmitted, admit, readmit
from proa.node.adoption import Earlier
from proa.node.certificates import Keeper
from proa.node.envoy import Envoy
from proa.node.gateway_ports import GatewayPorts
from proa.node.health import AppWatch
from proa.node.places import Place, find_place, fits, retake_place
from proa.node.port_book import is_listened_on
from proa.node.proxyless import Proxyless
from proa.node.record_store import RecordStore
from proa.node.replacement import NotReplaced, remark, replace_envoy
from proa.node.sidecar import Sidecar
from proa.node.standing import Standing
from proa.node.surroundings import Surroundings
from proa.node.table_store import TableStore
from proa.node.uplink import SignRefused
from proa.runtime.adopted import Adopted, boot_id, start_time
from proa.runtime.held_ports import PortTaken
from proa.runtime.races import first_of
from proa.runtime.supervise import Supervisor

log = logging.getLogger("proa.node.workload")

FAREWELL_S: Final = 1.0
"""How long a removal waits for the control plane to have heard of it before the Envoy goes."""
PATIENCE_S: Final = 3.0
"""After so long a user is told what a start waits for."""


class Leave(msgspec.Struct, frozen=True, kw_only=True):
    """An order of the agent itself: drain and go, for this reason."""

    reason: str


class Vanish(msgspec.Struct, frozen=True, kw_only=True):
    """The owner is gone without a word, and with it the app: go at once."""


Order = Started | Stop | Exited | Leave | Vanish


def to_nobody(event: OwnerEvent) -> None:
    """Of a workload whose owner has not come yet."""


class Workload:
    """`register` and `withdraw` change what the session sends up; `tell` reaches the owner, `owner` is its process.
    `again` is the place that its app knows from an agent that has lost it, `earlier` what this one has found of it.
    All mutable state here is touched by `run` and its tasks only, in one event loop."""

    def __init__(
        self,
        spec: WorkloadSpec,
        around: Surroundings,
        *,
        register: Callable[[Registration], None],
        withdraw: Callable[[], None],
        tell: Callable[[OwnerEvent], None] = to_nobody,
        owner: ProcessMark | None = None,
        again: Placed | None = None,
        earlier: Earlier | None = None,
    ) -> None:
        self.spec = spec
        self.placed: Placed | None = None
        self.ended = asyncio.Event()
        self._around = around
        self._tell = tell
        self._owner = owner
        self._again = again
        self._earlier = earlier
        self._has_owner = asyncio.Event()
        self._records = RecordStore(around.home.workload_dir(str(spec.id)))
        self._app: ProcessMark | None = None
        self._is_spared = False
        self._register = register
        self._withdraw = withdraw
        self._orders: asyncio.Queue[Order] = asyncio.Queue()
        self._ports = ExitStack()
        self._place: Place | None = None
        self._envoy: Envoy | None = None
        self._keeper: Keeper | None = None
        self._gateway: GatewayPorts | None = None
        self._standing: Standing | None = None
        self._is_provisional = False
        self._is_ending = False
        self._cold_reason = ""

    def obey(self, order: Order) -> None:
        self._orders.put_nowait(order)

    def spare(self) -> None:
        """The agent fails: whatever ends `run` now leaves Envoy, record and registration to the next agent."""
        self._is_spared = True
        if self._envoy is not None:
            self._envoy.spare()

    def say_failed(self, reason: str) -> None:
        """A bug ended `run`: the owner must hear of it."""
        self._tell(Refused(reason=reason))

    # -- owners --

    def is_owned_by(self, owner: ProcessMark | None) -> bool:
        """Whether this process may claim the workload: the one that had it placed, while nobody holds it."""
        return owner is not None and owner == self._owner and not self._has_owner.is_set()

    def claim(self, tell: Callable[[OwnerEvent], None]) -> None:
        """The owner is back after an agent's death."""
        self._tell = tell
        self._has_owner.set()
        log.info("%s: its owner is back", self.spec.id)
        if self.placed is not None:
            tell(self.placed)
            if self._standing is not None:
                self._standing.say_again()

    async def _await_owner(self, owner: Adopted | None) -> None:
        """An owner that lives comes back; its process is the lease until then."""
        if owner is not None:
            try:
                await first_of(owner.wait(), self._has_owner.wait())
            finally:
                owner.close()
        if not self._has_owner.is_set():
            self.obey(Leave(reason="its owner has ended while no agent was there"))

    # -- the whole --

    def take_place(self) -> str | None:
        """Holds the ports and, of a workload that runs already, registers it as it was. Why it cannot, else None."""
        around, earlier = self._around, self._earlier
        beside = earlier is not None and earlier.envoy is not None
        known = earlier.record if earlier else self._again
        try:
            if known is None:
                self._place = find_place(self.spec, around.node, around.options, around.book, self._ports)
            elif fits(self.spec, known):
                self._place = retake_place(
                    self.spec, around.node, around.options, around.book, self._ports, known, beside=beside
                )
            else:
                return "the place it had does not fit what is asked for"
        except PortTaken as error:
            self._ports.close()
            return str(error)
        self._standing = Standing(self._place, self, self._register, lambda event: self._tell(event))
        if earlier is not None:
            self._restore(self._place, self._standing, earlier)
        return None

    def _restore(self, place: Place, standing: Standing, earlier: Earlier) -> None:
        record = earlier.record
        self._owner, self._app = record.owner, record.app
        standing.restore(record, is_draining=record.is_draining or earlier.fate == "drain")
        if earlier.envoy is not None:
            self._around.trust.expect(str(self.spec.id))
        self._make_gateway(record.gateway_ports, beside=earlier.envoy is not None)
        self._tell_placed(place)
        self._publish()

    async def run(self) -> None:
        """From Place to Removed or Refused. Cancelled, it goes at once."""
        with self._ports:
            reason = None if self._place is not None else self.take_place()
            if reason is not None or self._place is None:
                self._tell(Refused(reason=reason or "it has no place"))
                return
            if self._earlier is None and self._again is None:
                self._warn_of_others(self._place)
            try:
                async with Supervisor() as tasks:
                    tasks.keep(f"record {self.spec.id}", self._records.keep(self._record))
                    tasks.run(f"place {self.spec.id}", self._come(self._place, tasks))
                    last = await self._follow_orders(tasks)
                    await self._remove()
                    tasks.stop()
            finally:
                self._around.trust.forget(str(self.spec.id))
                self._around.denials.forget(self.spec.id)
                if not self._is_spared:
                    self._withdraw()
                    self._records.forget()
        match last:
            case Leave(reason=reason):
                self._tell(Refused(reason=reason))
            case Exited() | Vanish():
                self._tell(Removed())

    def _warn_of_others(self, place: Place) -> None:
        for port in (each for each in place.ports if is_listened_on(each.app_port)):
            text = f"another program listens on 127.0.0.1:{port.app_port}: the app cannot, and calls would reach it"
            self._tell(Warned(code="app_port_taken", text=text))

    def _record(self) -> Record:
        assert self._place is not None
        assert self._standing is not None
        return Record(
            boot=boot_id(),
            spec=self.spec,
            address=self._place.address,
            ports=self._place.ports,
            upstreams=self._place.upstreams,
            outbound_port=self._place.outbound_port,
            gateway_ports=self._gateway_ports(),
            health=self._standing.apps,
            owner=self._owner,
            app=self._app,
            envoy=self._envoy.mark if self._envoy else None,
            heir=self._envoy.heir_mark if self._envoy else None,
            elder=self._envoy.elder_mark if self._envoy else None,
            is_placed=self.placed is not None,
            is_draining=self.is_draining,
        )

    # -- coming --

    async def _come(self, place: Place, tasks: Supervisor) -> None:
        if self._earlier is None:
            self._has_owner.set()
            await self._start(place, tasks)
        else:
            await self._take_over(place, self._earlier, tasks)
        self._records.changed()

    async def _take_over(self, place: Place, earlier: Earlier, tasks: Supervisor) -> None:
        """What serves goes on serving from the first moment; what it is configured by comes after it."""
        store = TableStore(self._around.home.workload_dir(str(place.id)))
        roots = self._around.node_credential.value.roots_pem
        keeper = self._keeper = self._make_keeper(place)
        if self._app is not None and start_time(self._app.pid) == self._app.started:
            tasks.run(f"app {self.spec.id}", self._watch_app(self._app.pid))
        elif self._app is not None and self._standing is not None:
            for port in place.ports:
                self._standing.port_is(port, "UNHEALTHY", "the program has ended")
        if self.spec.kind == "proxyless":
            tasks.run(f"owner {self.spec.id}", self._await_owner(earlier.owner))
            await keeper.obtain()
            self.placed = await Proxyless(place, self._around, keeper).prepare(tasks)
            tasks.keep(f"refusals {self.spec.id}", self._follow_refusals(store))
            return
        admission = await readmit(place.facts, store, roots)
        sidecar = self._make_sidecar(place, keeper, store, admission)
        envoy = sidecar.envoy
        if earlier.envoy is not None:
            envoy.adopt(earlier.envoy)
        self._envoy = envoy
        sidecar.supervise(tasks)
        if self.is_draining:
            envoy.ask(Event.DRAIN)
        tasks.run(f"owner {self.spec.id}", self._await_owner(earlier.owner))
        try:
            await keeper.obtain()
        except SignRefused as refused:
            self.obey(Leave(reason=f"no certificate: {refused}"))
            return
        await self._serve_sidecar(sidecar, store, tasks)
        if earlier.envoy is None:
            envoy.ask(Event.START)
            await envoy.until(State.READY)
        elif envoy.is_outdated and not self.is_draining:
            tasks.run(f"replacement {place.id}", self._replace_outdated())

    async def _start(self, place: Place, tasks: Supervisor) -> None:
        around = self._around
        self._say("registering", f"registering {place.id} with the control plane")
        self._publish()
        hint = tasks.run(f"hint {place.id}", self._hint())
        credential = around.node_credential.value
        store = TableStore(around.home.workload_dir(str(place.id)))
        if not self.spec.waits_for_sidecar:
            self._tell_placed(place)
        try:
            admission = await admit(place.facts, around.session, store, credential.roots_pem, self._say)
        except NotAdmitted as refused:
            self.obey(Leave(reason=str(refused)))
            return
        self._is_provisional = admission.is_provisional
        self._say("certificate", f"getting a certificate for account {self.spec.chosen_account}")
        self._keeper = self._make_keeper(place)
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
        self._make_gateway(admission.known.gateway_ports if admission.known else ())
        sidecar = self._make_sidecar(place, self._keeper, store, admission)
        self._envoy = sidecar.envoy
        sidecar.supervise(tasks)
        await self._serve_sidecar(sidecar, store, tasks)
        sidecar.envoy.ask(Event.START)
        await sidecar.envoy.until(State.READY)
        hint.cancel()
        if self.spec.waits_for_sidecar:
            self._tell_placed(place)

    def _tell_placed(self, place: Place) -> None:
        admin_socket = self._around.home.workload_socket(str(place.id), "admin")
        self.placed = place.placed(self._around.home, str(admin_socket))
        self._tell(self.placed)
        self._records.changed()

    def _make_keeper(self, place: Place) -> Keeper:
        credential = self._around.node_credential.value
        return Keeper(
            signer=self._around.uplink,
            workload=place.id,
            identity=workload_id(
                credential.spiffe_id.trust_domain, place.id.namespace, self.spec.chosen_account
            ),
            path=self._around.home.workload_dir(str(place.id)) / "credential.json",
            trust=self._around.trust,
            renewals=self._around.renewals,
        )

    def _make_sidecar(self, place: Place, keeper: Keeper, store: TableStore, admission: Admission) -> Sidecar:
        return Sidecar(
            place,
            self._around,
            keeper,
            store,
            known=admission.known,
            marked=self._records.changed,
            written=self._records.kept,
            gateway_ports=self._gateway_ports,
            program=lambda: self._app.pid if self._app else None,
        )

    def _make_gateway(self, earlier: tuple[GatewayPort, ...], *, beside: bool = False) -> None:
        if self.spec.kind != "proxyless":
            self._gateway = GatewayPorts(
                self.spec,
                self._around.options.address,
                self._around.book,
                self._ports,
                earlier,
                beside=beside,
            )

    async def _serve_sidecar(self, sidecar: Sidecar, store: TableStore, tasks: Supervisor) -> None:
        name = str(self.spec.id)
        await sidecar.serve(tasks)
        tasks.keep(f"proxy state {name}", self._follow_proxy(sidecar.envoy))
        tasks.keep(f"refusals {name}", self._follow_refusals(store))
        if self._gateway is not None:
            following = self._gateway.run(
                self._around.session,
                sidecar.envoy,
                publish=self._publish,
                tell=lambda event: self._tell(event),
            )
            tasks.keep(f"gateway ports {name}", following)

    async def _hint(self) -> None:
        await asyncio.sleep(PATIENCE_S)
        trouble = self._around.session.trouble.value
        self._say(
            "waiting", f"still waiting: {trouble}" if trouble else "still waiting for the sidecar's listeners"
        )

    # -- being there --

    async def _follow_orders(self, tasks: Supervisor) -> Exited | Leave | Vanish:
        while True:
            order = await self._orders.get()
            match order:
                case Started(pid=pid):
                    mark = ProcessMark(pid=pid, started=start_time(pid) or 0)
                    if mark != self._app:  # else an owner that is back says what it has said before
                        self._app = mark
                        self._records.changed()
                        tasks.run(f"app {self.spec.id}", self._watch_app(pid))
                case Stop():
                    self._is_ending = True
                    tasks.run(f"drain {self.spec.id}", self._drain())
                case Leave() if self.placed is not None:
                    self._is_ending = True
                    await self._drain()
                    return order
                case Exited() | Leave() | Vanish():
                    return order

    async def _watch_app(self, pid: int) -> None:
        assert self._place is not None
        assert self._standing is not None
        watch = AppWatch(
            self.spec,
            self._place.ports,
            port_is=self._standing.port_is,
            warn=lambda event: self._tell(event),
        )
        await watch.run(pid)

    async def _follow_proxy(self, envoy: Envoy) -> None:
        restarts = 0
        async for now in envoy.state.follow():
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
        self._tell(Drained(open_requests=await self._drained(None)))

    async def drain(self, deadline_s: float | None) -> int:
        """By order of the node's operator; the app goes on and can still call others. What was open at the end. A
        workload that has not come yet goes."""
        if self.placed is None:
            self.obey(Leave(reason="this node is being drained"))
            await self.ended.wait()
            return 0
        return await self._drained(deadline_s)

    def resume(self) -> bool:
        """Takes a drain back: a new Envoy, for the old one goes on telling its peers to leave. False when it cannot."""
        has_sidecar = self._envoy is not None
        if self._standing is None or self._is_ending or (has_sidecar and self.sidecar is not State.DRAINED):
            return False
        if self._envoy is not None:
            self._envoy.ask(Event.RESUME)
        self._standing.resume()
        return True

    async def restart_sidecar(self) -> Restarted:
        """By an Envoy that is started now. Raises NotReplaced."""
        if self._envoy is None or self.placed is None:
            raise NotReplaced("it has no sidecar that serves")
        async with self._around.replacements:
            done = await replace_envoy(self.spec.id, self._envoy, self._restart_cold)
        self._cold_reason = done.why
        return done

    async def _restart_cold(self) -> bool:
        await self._drained(None)
        return self.resume()

    async def _replace_outdated(self) -> None:
        log.info("%s: its Envoy is of another bootstrap or binary and is replaced", self.spec.id)
        try:
            await self.restart_sidecar()
        except NotReplaced as error:
            log.warning("%s: its Envoy is not replaced: %s", self.spec.id, error)

    @property
    def is_draining(self) -> bool:
        return self._standing is not None and self._standing.is_draining

    async def _drained(self, deadline_s: float | None) -> int:
        if self._standing is not None:
            self._standing.drain()
        if self._envoy is None:
            return 0
        self._envoy.drain(deadline_s)
        await self._envoy.until(State.DRAINED, State.TERMINATING, State.KILLED, State.GONE)
        return self._envoy.left_open

    def _publish(self) -> None:
        if self._standing is not None:
            self._standing.publish()

    # -- what of it is registered (`standing.Surface`) --

    def registration(self, health: dict[AppPort, Health]) -> Registration:
        assert self._place is not None
        self._records.changed()
        return self._place.registration(health, self._gateway_ports())

    @property
    def sidecar(self) -> State | None:
        if self._envoy is not None:
            return self._envoy.state.value.state
        is_served = self._earlier is not None and self._earlier.fate == "adopt"
        return State.READY if is_served else None

    @property
    def is_placed(self) -> bool:
        return self.placed is not None

    def _gateway_ports(self) -> tuple[GatewayPort, ...]:
        return self._gateway.ports if self._gateway else ()

    # -- going --

    async def _remove(self) -> None:
        if self._standing is not None:
            self._standing.leave()
        self._withdraw()
        try:
            async with asyncio.timeout(FAREWELL_S):
                await self._around.session.noted()
        except TimeoutError:
            log.info("%s: removed without the control plane's word", self.spec.id)
        if self._envoy is not None:
            self._envoy.ask(Event.STOP)
            await self._envoy.until(State.GONE)
        elif self._earlier is not None and self._earlier.envoy is not None:
            self._earlier.envoy.kill()

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
            health=self._standing.health if self._standing else "STARTING",
            proxy=proxy.state.value if proxy else State.READY.value if self.placed else State.NEW.value,
            pid=self._app.pid if self._app else None,
            envoy_pid=self._envoy.pid if self._envoy else None,
            restarts=proxy.restarts if proxy else 0,
            ports=self._place.ports if self._place else (),
            outbound_port=self._place.outbound_port if self._place else None,
            certificate_not_after=credential.not_after if credential else 0,
            envoy_log=str(home.workload_log(name, "envoy")),
            access_log=str(home.workload_log(name, "access")),
            epoch=self._envoy.mark.epoch if self._envoy and self._envoy.mark else 0,
            remark=self._remark(),
        )

    def _remark(self) -> str:
        own = remark(self._envoy, self._cold_reason) if self._envoy else ""
        return "; ".join(text for text in (own, self._gateway.remark if self._gateway else "") if text)

    @property
    def services(self) -> tuple[str, ...]:
        return tuple(sorted({port.service for port in self.spec.ports}))

    @property
    def own(self) -> Own:
        """What metrics say of it."""
        spec = self.spec
        trust_domain = self._around.node_credential.value.spiffe_id.trust_domain
        services = {
            port.service_port: service_hostname(port.service, spec.namespace) for port in reversed(spec.ports)
        }
        return Own(
            id=spec.id,
            principal=str(workload_id(trust_domain, spec.namespace, spec.chosen_account)),
            labels=spec.labels,
            services=Map(services),
        )

    @property
    def certificate_ends(self) -> int | None:
        """Unix seconds; None while it has none."""
        credential = self._keeper.credential.value if self._keeper else None
        return credential.not_after if credential else None

    @property
    def admin_socket(self) -> Path | None:
        """Where the Envoy's admin interface answers, None while there is none."""
        return self._envoy.admin_socket if self._envoy and self._envoy.pid is not None else None
