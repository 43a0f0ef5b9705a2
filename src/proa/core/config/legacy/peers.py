"""What 2018's authentication Policy and MeshPolicy say of peers, as PeerAuthentications.

One object of today for each service that policies of a namespace name, one for the namespace's policy and one for the
mesh's. Called by `convert`; what the same documents say of end users is not read here.
"""

from collections.abc import Iterable

import msgspec

from proa.core.config.kinds.policy_2018.schema import Policy
from proa.core.config.legacy.draft import SPEC, Derived, Place
from proa.core.config.legacy.services import APP_LABEL
from proa.core.config.path import Path
from proa.core.config.problem import Finding, warning
from proa.core.config.tree import Json
from proa.core.model.names import ROOT_NAMESPACE, ObjectRef

API_VERSION = "security.istio.io/v1beta1"
MESH_POLICY = "MeshPolicy"
DEFAULT = "default"


def services_of(policy: Policy) -> tuple[str, ...]:
    """The services that a policy is for, each once; none for the policy of a whole namespace, or of the mesh."""
    return tuple(dict.fromkeys(target.name for target in policy.targets))


def mode_said(policy: Policy) -> tuple[str, Path] | None:
    """The mode of today and where the policy says it. None: it says nothing of peers, and a wider one counts.

    A policy of 2018 that asked for nothing at all let everybody in; so does this one, and clients of the mesh keep
    their mutual TLS. One that asks for tokens alone is about end users: it opens no port to strangers.
    """
    for index, peer in enumerate(policy.peers):
        if peer.mtls is not None:
            at: Path = (*SPEC, "peers", index, "mtls")
            if policy.peer_is_optional:
                return "PERMISSIVE", (*SPEC, "peerIsOptional")
            return peer.mtls.mode, at
    return ("PERMISSIVE", SPEC) if not policy.origins else None


class _Said(msgspec.Struct, frozen=True):
    mode: str
    source: ObjectRef
    old: Path


class _Service:
    """What the policies for one service say of it: of all of its ports, and of some. The first counts."""

    def __init__(self) -> None:
        self.all_ports: _Said | None = None
        self.ports: dict[int, _Said] = {}
        self.findings: list[tuple[ObjectRef, Finding]] = []

    def add_all(self, said: _Said, at: Path) -> None:
        if self.all_ports is None:
            self.all_ports = said
        elif self.all_ports.source != said.source:
            self._tell(self.all_ports, said, at, "of this service")

    def add_port(self, number: int, said: _Said, at: Path) -> None:
        known = self.ports.setdefault(number, said)
        if known.source != said.source:
            self._tell(known, said, at, f"of port {number}")

    def _tell(self, first: _Said, said: _Said, at: Path, what: str) -> None:
        message = f"{first.source} has the policy {what} already; this one has no effect"
        self.findings.append((said.source, warning(at, "no-effect", message)))


def of_service(
    namespace: str, service: str, policies: Iterable[tuple[ObjectRef, Policy]]
) -> tuple[tuple[Derived, ...], tuple[tuple[ObjectRef, Finding], ...]]:
    """`policies` in the order in which they count. A service's workloads are those with its name as the label `app`, as
    for the sources of rules."""
    found = _Service()
    for ref, policy in policies:
        mode = mode_said(policy)
        if mode is None:
            continue
        said = _Said(mode[0], ref, mode[1])
        for index, target in enumerate(policy.targets):
            at: Path = (*SPEC, "targets", index)
            if target.name != service:
                continue
            if not target.ports:
                found.add_all(said, at)
            for number, port in enumerate(target.ports):
                if port.number is not None:
                    found.add_port(port.number, said, (*at, "ports", number))
    spec: dict[str, Json] = {"selector": {"matchLabels": {APP_LABEL: service}}}
    places: list[Place] = []
    if found.all_ports is not None:
        spec["mtls"] = {"mode": found.all_ports.mode}
        places.append(Place((*SPEC, "mtls"), found.all_ports.source, found.all_ports.old))
    if found.ports:
        levels: dict[str, Json] = {}
        for number, said in sorted(found.ports.items()):
            levels[str(number)] = {"mode": said.mode}
            places.append(Place((*SPEC, "portLevelMtls", str(number)), said.source, said.old))
        spec["portLevelMtls"] = levels
    if not places:
        return (), ()
    sources = dict.fromkeys([place.source for place in places])
    made = _derived(namespace, f"{service}-peers", spec, tuple(sources), tuple(places))
    return (made,), tuple(found.findings)


def of_all(
    namespace: str, policies: Iterable[tuple[ObjectRef, Policy]]
) -> tuple[tuple[Derived, ...], tuple[tuple[ObjectRef, Finding], ...]]:
    """The policy of a namespace, or of the mesh when it is the root namespace's. There is one of each; MeshPolicies
    belong to no namespace, and of two that are kept in different ones the first counts."""
    first: _Said | None = None
    findings: list[tuple[ObjectRef, Finding]] = []
    for ref, policy in policies:
        said = mode_said(policy)
        if said is None:
            continue
        if first is None:
            first = _Said(said[0], ref, said[1])
        else:
            message = f"{first.source} says it of peers already; remove one of both"
            findings.append((ref, warning(SPEC, "no-effect", message)))
    if first is None:
        return (), tuple(findings)
    place = Place((*SPEC, "mtls"), first.source, first.old)
    made = _derived(namespace, DEFAULT, {"mtls": {"mode": first.mode}}, (first.source,), (place,))
    return (made,), tuple(findings)


def home_of_policy(ref: ObjectRef) -> str:
    """The namespace of what a policy becomes: that of the mesh's policies for a MeshPolicy."""
    return ROOT_NAMESPACE if ref.kind == MESH_POLICY else ref.namespace


def _derived(
    namespace: str,
    name: str,
    spec: dict[str, Json],
    sources: tuple[ObjectRef, ...],
    places: tuple[Place, ...],
) -> Derived:
    return Derived(
        api_version=API_VERSION,
        kind="PeerAuthentication",
        namespace=namespace,
        name=name,
        spec=spec,
        sources=sources,
        places=places,
    )
