"""A workload's inbound side as its Sidecar leaves it: which ports are served, how, and where the program listens.

The ports are those that the program was started with, because only for them is there a port of the sidecar. Called for
one workload at a time.
"""

import msgspec

from proa.core.config.app_endpoint import AppEndpoint, parse_app_endpoint
from proa.core.config.connection_pool import ConnectionPool
from proa.core.config.server_tls import ServerTls
from proa.core.model.names import ObjectRef
from proa.core.model.notes import Note
from proa.core.model.service import Protocol, normal_protocol
from proa.core.model.snapshot import MeshSnapshot
from proa.core.model.workload import InboundPort, Workload
from proa.core.pilot.scope.index import RuleIndex
from proa.core.pilot.scope.scope import sidecars_in_force


class ServedPort(msgspec.Struct, frozen=True, kw_only=True):
    """`sidecar` is whose word changed anything of what the program was started with; `tls` is ended there."""

    port: InboundPort
    app: AppEndpoint
    pool: ConnectionPool | None = None
    sidecar: ObjectRef | None = None
    tls: ServerTls | None = None


class InboundView(msgspec.Struct, frozen=True, kw_only=True):
    ports: tuple[ServedPort, ...]
    notes: tuple[Note, ...] = ()


def inbound_view(snapshot: MeshSnapshot, index: RuleIndex, workload: Workload) -> InboundView:
    """The narrowest Sidecar alone says; what it leaves out is not inherited."""
    found = next(sidecars_in_force(snapshot, index, workload.id.namespace, workload.labels), None)
    if found is None:
        return InboundView(ports=tuple(ServedPort(port=port, app=_own(port)) for port in workload.inbound))
    ref, spec = found
    if not spec.ingress:
        pool = spec.inbound_connection_pool
        sidecar = ref if pool is not None else None
        return InboundView(
            ports=tuple(
                ServedPort(port=port, app=_own(port), pool=pool, sidecar=sidecar) for port in workload.inbound
            )
        )
    by_number = {port.service_port: port for port in workload.inbound}
    served: list[ServedPort] = []
    notes: list[Note] = []
    for listener in spec.ingress:
        port = by_number.get(listener.port.number)
        if port is None:
            if spec.workload_selector is not None:
                message = f"{workload.id} was not started with port {listener.port.number}"
                notes.append(Note(code="ingress-port-missing", about=ref, message=message))
            continue
        if listener.port.protocol:
            port = msgspec.structs.replace(port, protocol=normal_protocol(listener.port.protocol))
        tls = listener.tls if port.mode == "DISABLE" else None
        if tls is not None:
            # What is inside: requests or a stream.
            inside: Protocol = "HTTP" if listener.port.protocol.upper() == "HTTPS" else "TCP"
            port = msgspec.structs.replace(port, protocol=inside)
        elif listener.tls is not None:
            message = (
                f"{workload.id} takes mutual TLS at port {port.service_port} ({port.mode}): tls of this listener is "
                "in force where a PeerAuthentication says DISABLE for the port"
            )
            notes.append(Note(code="ingress-tls-idle", about=ref, message=message))
        app = parse_app_endpoint(listener.default_endpoint) or _own(port)
        if not app.address and not app.socket:
            app = AppEndpoint(workload.bind, app.port)
        pool = listener.connection_pool or spec.inbound_connection_pool
        served.append(ServedPort(port=port, app=app, pool=pool, sidecar=ref, tls=tls))
    return InboundView(ports=tuple(served), notes=tuple(notes))


def _own(port: InboundPort) -> AppEndpoint:
    return AppEndpoint("127.0.0.1", port.app_port)
