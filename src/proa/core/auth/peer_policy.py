"""Whether a port takes mesh TLS, plaintext or both, and how a change of that reaches both ends without a failure.

`decided` is the one decision; the server's listener and every client's choice of transport follow from it, so the
two ends of a hop cannot disagree for longer than a change is on its way. That while is bridged by `PortTls`: the
port takes both until all clients have changed.
"""

from collections.abc import Iterable

import msgspec
from immutables import Map

from proa.core.config.config import Config
from proa.core.config.kinds.peer_authentication.schema import MutualTls, PeerAuthentication
from proa.core.config.path import Path
from proa.core.model.endpoint import TlsFact
from proa.core.model.names import ObjectRef
from proa.core.model.workload import TlsMode

DEFAULT_MODE: TlsMode = "STRICT"
"""Between mesh workloads from the first minute. Istio's own default is PERMISSIVE; a mesh without mTLS is what
Proa's users would have to ask for."""


class Decided(msgspec.Struct, frozen=True, kw_only=True):
    """A port's mode, and which object says so in which place; no object: nobody does, and it is the default."""

    mode: TlsMode
    by: ObjectRef | None = None
    at: Path = ()


def mode_of(
    policies: Iterable[Config],
    *,
    namespace: str,
    labels: Map[str, str],
    ports: tuple[int, ...],
    root_namespace: str,
) -> TlsMode:
    """`decided`, for those who need not tell anybody why."""
    found = decided(policies, namespace=namespace, labels=labels, ports=ports, root_namespace=root_namespace)
    return found.mode


def decided(
    policies: Iterable[Config],
    *,
    namespace: str,
    labels: Map[str, str],
    ports: tuple[int, ...],
    root_namespace: str,
) -> Decided:
    """The mode of one port of a workload: port, workload, namespace, mesh, in that order, UNSET falls through.

    `ports` are the numbers the port is known by (the app's, then the service's): with `--port 9080:auto` the app's
    is nobody's knowledge. Of several policies at one level the oldest counts.
    """
    selected: list[tuple[ObjectRef, PeerAuthentication]] = []
    namespaced: list[tuple[ObjectRef, PeerAuthentication]] = []
    meshwide: list[tuple[ObjectRef, PeerAuthentication]] = []
    for config in sorted(policies, key=lambda config: config.age):
        spec = config.spec
        if not isinstance(spec, PeerAuthentication):
            continue
        if spec.selector is not None and spec.selector.match_labels:
            wanted = spec.selector.match_labels
            applies = config.meta.namespace in (namespace, root_namespace)
            if applies and all(labels.get(key) == value for key, value in wanted.items()):
                selected.append((config.ref, spec))
        elif config.meta.namespace == namespace:
            namespaced.append((config.ref, spec))
        elif config.meta.namespace == root_namespace:
            meshwide.append((config.ref, spec))
    candidates: list[tuple[ObjectRef, Path, MutualTls | None]] = []
    for ref, spec in selected:
        candidates += [
            (ref, ("spec", "portLevelMtls", str(port)), spec.port_level_mtls.get(port)) for port in ports
        ]
        candidates.append((ref, ("spec", "mtls"), spec.mtls))
    candidates += [(ref, ("spec", "mtls"), spec.mtls) for ref, spec in (*namespaced[:1], *meshwide[:1])]
    for ref, at, candidate in candidates:
        if candidate is not None and candidate.mode != "UNSET":
            return Decided(mode=candidate.mode, by=ref, at=at)
    return Decided(mode=DEFAULT_MODE)


class PortTls(msgspec.Struct, frozen=True, kw_only=True):
    """Where one port stands: what it takes now (`serving`), what clients are told (`advertised`), whether all of them
    have `heard` it, where it goes (`target`)."""

    serving: TlsMode
    advertised: TlsFact
    target: TlsMode
    heard: bool = True

    @property
    def is_settled(self) -> bool:
        return self.heard and self.serving == self.target and self.advertised == advertised_for(self.target)


def advertised_for(mode: TlsMode) -> TlsFact:
    """What clients send to a port of this mode: mesh TLS wherever it is taken."""
    return "disabled" if mode == "DISABLE" else "mutual"


def settled(mode: TlsMode) -> PortTls:
    """A port that nobody has called yet needs no bridge."""
    return PortTls(serving=mode, advertised=advertised_for(mode), target=mode)


def aim(port: PortTls, target: TlsMode) -> PortTls:
    """The first step towards a new mode: at once when no client needs to change, else take both for now. A client
    that has not heard the last word yet still does what it was told before."""
    if port.heard and advertised_for(target) == port.advertised:
        return PortTls(serving=target, advertised=port.advertised, target=target)
    return PortTls(serving="PERMISSIVE", advertised=port.advertised, target=target, heard=port.heard)


def advance(port: PortTls, *, server_acked: bool, clients_acked: bool) -> PortTls:
    """The next step once those concerned have taken the last one; the same value when it is not time yet.

    widened, server has it -> clients are told; clients have it -> the target mode.
    """
    if port.is_settled:
        return port
    told = port.advertised == advertised_for(port.target)
    if not told:
        if not server_acked:
            return port
        return msgspec.structs.replace(port, advertised=advertised_for(port.target), heard=False)
    return msgspec.structs.replace(port, serving=port.target, heard=True) if clients_acked else port
