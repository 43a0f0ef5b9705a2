"""What a workload is given on this host before anything runs: its ports, and the registration that says so.

Made once per workload by `node.workload`. Decides nothing over time: health and gateway ports come in as
arguments.
"""

from contextlib import ExitStack
from typing import Protocol

import msgspec

from proa.core.model.names import WorkloadId
from proa.core.sidecar.local import AppPort, LocalUpstream, Placed, PortSpec, WorkloadSpec, app_environment
from proa.core.sidecar.session import GatewayPort, Health, RegisteredPort, Registration, Upstream
from proa.core.sidecar.table_file import facts_of
from proa.home import Home
from proa.node.options import NodeOptions
from proa.node.port_book import LOOPBACK, PortBook
from proa.runtime.held_ports import HeldPort


class Place(msgspec.Struct, frozen=True, kw_only=True):
    """`ports` in the order of the spec's. `outbound_port` is None for gateways."""

    spec: WorkloadSpec
    node: str
    address: str
    network: str
    locality: str
    ports: tuple[AppPort, ...]
    upstreams: tuple[LocalUpstream, ...]
    outbound_port: int | None

    @property
    def id(self) -> WorkloadId:
        return self.spec.id

    @property
    def listening(self) -> frozenset[int]:
        """Where the sidecar must listen before the app may start. Upstreams are left out: the service behind
        one may not exist yet, and then nothing listens for it."""
        outbound = () if self.outbound_port is None else (self.outbound_port,)
        return frozenset((*outbound, *(port.sidecar_port for port in self.ports)))

    @property
    def facts(self) -> Registration:
        """The registration without what changes over time."""
        return facts_of(self.registration(dict.fromkeys(self.ports, "STARTING"), ()))

    def registration(
        self, health: dict[AppPort, Health], gateway_ports: tuple[GatewayPort, ...]
    ) -> Registration:
        return Registration(
            id=self.id,
            node=self.node,
            account=self.spec.chosen_account,
            kind=self.spec.kind,
            labels=self.spec.labels,
            address=self.address,
            network=self.network,
            locality=self.locality,
            weight=self.spec.weight,
            ports=tuple(
                _registered(wanted, port, health[port])
                for wanted, port in zip(self.spec.ports, self.ports, strict=True)
            ),
            upstreams=tuple(
                Upstream(host=each.host, port=each.port, local_port=each.local_port)
                for each in self.upstreams
            ),
            outbound_port=self.outbound_port,
            capture="none" if self.outbound_port is None else "explicit",
            gateway_ports=gateway_ports,
            # A program that checks peers itself has one list of roots, in which each could vouch for all.
            knows_partners=self.spec.kind != "proxyless",
        )

    def placed(self, home: Home, admin_socket: str) -> Placed:
        name = str(self.id)
        first_app_port = self.ports[0].app_port if self.ports else None
        api = str(home.workload_socket(name, "spiffe")) if self.spec.workload_api else ""
        proxy = self.outbound_port if self.spec.proxy_variables else None
        return Placed(
            id=self.id,
            env=app_environment(self.id, first_app_port, proxy, self.upstreams, api),
            ports=self.ports,
            upstreams=self.upstreams,
            outbound_port=self.outbound_port,
            envoy_admin=admin_socket,
            envoy_log=str(home.workload_log(name, "envoy")),
            access_log=str(home.workload_log(name, "access")),
        )


def find_place(
    spec: WorkloadSpec, node: str, options: NodeOptions, book: PortBook, stack: ExitStack
) -> Place:
    """Takes the ports; the stack gives them back. Raises PortTaken."""

    def held(port: HeldPort) -> int:
        return stack.enter_context(port).port

    def app_port(wanted: PortSpec) -> int:
        if wanted.app_port is not None:
            return wanted.app_port
        port = book.take_app_port(f"{spec.id} app {wanted.service} {wanted.service_port}")
        stack.callback(book.return_app_port, port)
        return port

    ports = tuple(
        AppPort(
            service=wanted.service,
            service_port=wanted.service_port,
            app_port=app_port(wanted),
            sidecar_port=held(
                book.hold(options.address, f"{spec.id} inbound {wanted.service} {wanted.service_port}")
            ),
        )
        for wanted in spec.ports
    )
    outbound = held(book.hold(LOOPBACK, f"{spec.id} outbound")) if spec.kind == "sidecar" else None
    upstreams = tuple(
        LocalUpstream(
            host=wanted.host,
            port=wanted.port,
            local_port=held(
                book.hold(LOOPBACK, f"{spec.id} upstream {wanted.host}:{wanted.port}")
                if wanted.local_port is None
                else book.hold_exactly(LOOPBACK, wanted.local_port)
            ),
        )
        for wanted in spec.upstreams
    )
    return Place(
        spec=spec,
        node=node,
        address=options.address,
        network=spec.network or options.network,
        locality=spec.locality or options.locality,
        ports=ports,
        upstreams=upstreams,
        outbound_port=outbound,
    )


class Located(Protocol):
    """A place that was found before: a record's, or what an owner was told."""

    @property
    def ports(self) -> tuple[AppPort, ...]: ...
    @property
    def upstreams(self) -> tuple[LocalUpstream, ...]: ...
    @property
    def outbound_port(self) -> int | None: ...


def retake_place(
    spec: WorkloadSpec,
    node: str,
    options: NodeOptions,
    book: PortBook,
    stack: ExitStack,
    earlier: Located,
    *,
    beside: bool,
) -> Place:
    """The same place again, its ports included: an app knows them. `beside`: its Envoy listens there.

    Raises PortTaken.
    """
    hold = book.hold_beside if beside else book.hold_exactly
    for port in earlier.ports:
        book.keep_app_port(port.app_port)
        stack.callback(book.return_app_port, port.app_port)
        stack.enter_context(hold(options.address, port.sidecar_port))
    if earlier.outbound_port is not None:
        stack.enter_context(hold(LOOPBACK, earlier.outbound_port))
    for upstream in earlier.upstreams:
        stack.enter_context(hold(LOOPBACK, upstream.local_port))
    return Place(
        spec=spec,
        node=node,
        address=options.address,
        network=spec.network or options.network,
        locality=spec.locality or options.locality,
        ports=earlier.ports,
        upstreams=earlier.upstreams,
        outbound_port=earlier.outbound_port,
    )


def fits(spec: WorkloadSpec, earlier: Located) -> bool:
    """Whether the place is one that this spec can have: what comes over a socket is looked at before it is believed."""
    wanted = tuple((port.service, port.service_port) for port in spec.ports)
    upstreams = tuple((each.host, each.port) for each in spec.upstreams)
    return (
        wanted == tuple((port.service, port.service_port) for port in earlier.ports)
        and upstreams == tuple((each.host, each.port) for each in earlier.upstreams)
        and (earlier.outbound_port is not None) == (spec.kind == "sidecar")
    )


def _registered(wanted: PortSpec, port: AppPort, health: Health) -> RegisteredPort:
    return RegisteredPort(
        service=port.service,
        service_port=port.service_port,
        name=wanted.name or f"port-{port.service_port}",
        protocol=wanted.protocol,
        app_port=port.app_port,
        sidecar_port=port.sidecar_port,
        health=health,
    )
