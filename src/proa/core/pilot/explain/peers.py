"""What is spoken between two workloads, who decides it at each end, and what would be refused: `proa authn check`.

The answer of the decision (`core.auth.hop`, `core.auth.peer_policy`) for a service's ports, with names and places.
Whoever asks brings what he knows: a control plane where the ports stand and how far proxies are, a reader of files
nothing of that.
"""

from collections.abc import Callable, Iterable, Iterator
from typing import Final

import msgspec
from immutables import Map

from proa.core.auth.hop import (
    ClientKind,
    ClientRule,
    Hop,
    Refusal,
    Result,
    ServerMode,
    Wire,
    hop,
    partner_hop,
    refused_at,
)
from proa.core.auth.peer_policy import Decided, PortTls, advertised_for, decided
from proa.core.auth.spiffe import SCHEME
from proa.core.config.config import Config
from proa.core.config.kinds.destination_rule.schema import ClientTls, DestinationRule, TrafficPolicy
from proa.core.config.path import Path
from proa.core.model.endpoint import Endpoint, TlsFact
from proa.core.model.names import DOMAIN_SUFFIX, ObjectRef, WorkloadId, service_hostname
from proa.core.model.service import Service, ServicePort
from proa.core.model.snapshot import MeshSnapshot
from proa.core.model.workload import InboundPort, Workload
from proa.core.pilot.explain.asking import BadQuestion
from proa.core.pilot.explain.story import Cause
from proa.core.pilot.scope.authorization import trust_domains
from proa.core.pilot.scope.federation import federated
from proa.core.pilot.scope.index import RuleIndex
from proa.core.pilot.scope.policies import Policy, policy_of
from proa.core.pilot.scope.scope import scope_of
from proa.core.pilot.translate.traffic_policy import policy_for, rule_of

APP_LABEL: Final = "app"


class PeerQuestion(msgspec.Struct, frozen=True, kw_only=True):
    """`source` None: a program without a proxy, or, with an `identity` (a SPIFFE id), a workload of another trust
    domain. `destination` is a host, a service's name, or `namespace/name`; `port`
    0: all of its ports."""

    destination: str
    source: WorkloadId | None = None
    port: int = 0
    namespace: str = "default"
    identity: str = ""


class PeerRow(msgspec.Struct, frozen=True, kw_only=True):
    """One port, for the servers that are alike. `subset`: of which clusters this is said, where its rule differs.
    `wire` None: the client has no way there. `client` and `server` are who decides at each end, `client_by` and
    `server_by` in words where nobody does. `standing`: what is still on its way."""

    port: int
    servers: tuple[str, ...]
    subset: str = ""
    wire: Wire | None
    mode: ServerMode
    result: Result
    why: Refusal | None = None
    client: tuple[Cause, ...] = ()
    client_by: str = ""
    server: tuple[Cause, ...] = ()
    server_by: str = ""
    standing: tuple[str, ...] = ()
    refused: tuple[Wire, ...] = ()


class PeerReport(msgspec.Struct, frozen=True, kw_only=True):
    source: str
    host: str
    rows: tuple[PeerRow, ...]
    remarks: tuple[str, ...] = ()

    @property
    def is_fine(self) -> bool:
        return all(row.result != "refused" for row in self.rows)


class Around(msgspec.Struct, frozen=True, kw_only=True):
    """What is known where the question is asked. `policies` are the PeerAuthentications in force; `cause` is an object
    (and what it is made of) with the place of a path in it; `port_tls` where a port of a workload stands, None where
    nothing moves; `behind` what a workload's proxy has not taken, in words. `is_paper`: nothing runs, so endpoints
    follow the policies at once, and a service that no file tells of may be assumed."""

    snapshot: MeshSnapshot
    index: RuleIndex
    policies: tuple[Config, ...]
    cause: Callable[[ObjectRef, Path], tuple[Cause, ...]]
    port_tls: Callable[[WorkloadId, int], PortTls | None] = lambda workload, port: None
    behind: Callable[[WorkloadId], str] = lambda workload: ""
    is_paper: bool = False


class _Server(msgspec.Struct, frozen=True, kw_only=True):
    """One that may be called: what its port does now (`mode`), what clients were told (`fact`), who says so."""

    name: str
    mode: ServerMode
    fact: TlsFact
    said: Decided | None = None
    standing: tuple[str, ...] = ()


class _Partner(msgspec.Struct, frozen=True, kw_only=True):
    """Whether a service's namespace accepts a foreign caller's domain, and by whose word."""

    is_believed: bool
    by: ObjectRef | None = None


def _partner(around: Around, identity: str, service: Service) -> _Partner:
    domain = identity.removeprefix(SCHEME).partition("/")[0]
    if domain in trust_domains(around.snapshot.settings).names:
        return _Partner(is_believed=True)
    for each in federated(around.snapshot, around.index):
        if each.trust_domain == domain:
            return _Partner(is_believed=each.is_for(service.namespace), by=each.ref)
    return _Partner(is_believed=False)


def check_peers(around: Around, question: PeerQuestion) -> PeerReport:
    """Raises BadQuestion for a service that nobody knows."""
    service, remarks = _service(around, question)
    ports = [each for each in service.ports if question.port in (0, each.number)]
    if not ports:
        known = ", ".join(str(each.number) for each in service.ports)
        raise BadQuestion(f"{service.hostname} has no port {question.port}; it has {known or 'none'}")
    source = question.source
    partner = _partner(around, question.identity, service) if question.identity else None
    if partner is not None and not partner.is_believed:
        who = f"{partner.by} does not name" if partner.by else "no FederatedTrustDomain is for"
        remarks.append(
            f"{who} the namespace {service.namespace}, and its servers do not believe such a caller"
        )
    client: ClientKind = "plain"
    policy: Policy | None = None
    behind = ""
    if source is not None:
        known_client = around.snapshot.workloads.get(source)
        client = known_client.kind if known_client is not None else "sidecar"
        policy = policy_of(
            around.snapshot, around.index, scope_of(around.snapshot, around.index, source), service
        )
        behind = around.behind(source)
    rows: list[PeerRow] = []
    for port in ports:
        servers = list(_servers(around, service, port))
        if not servers:
            remarks.append(f"nobody serves port {port.number} of {service.hostname} now")
        for subset, rule, causes in _rules(around, policy, service, port, client):
            rows += _rows(port.number, subset, client, rule, causes, servers, around, behind, partner)
    return PeerReport(
        source=str(source) if source is not None else question.identity or "a program without a proxy",
        host=service.hostname,
        rows=tuple(rows),
        remarks=tuple(remarks),
    )


def _service(around: Around, question: PeerQuestion) -> tuple[Service, list[str]]:
    known = around.snapshot.services
    namespace, slash, name = question.destination.rpartition("/")
    own = service_hostname(name, namespace if slash else question.namespace)
    for host in (question.destination.lower(), own, f"{question.destination}.{DOMAIN_SUFFIX}"):
        if host in known:
            return known[host], []
    if not around.is_paper:
        raise BadQuestion(f"there is no service {question.destination}; `proa get services` lists them")
    if "." in name:
        name, _, namespace = name.removesuffix(f".{DOMAIN_SUFFIX}").partition(".")
    home = namespace or question.namespace
    port = ServicePort(number=question.port, name="", protocol="AUTO")
    assumed = Service(hostname=service_hostname(name, home), namespace=home, ports=(port,))
    return assumed, [
        f"no file tells of {assumed.hostname}: it is taken for a service whose workloads have the label app={name}"
    ]


def _servers(around: Around, service: Service, port: ServicePort) -> Iterator[_Server]:
    found = around.snapshot.endpoints.get(service.hostname)
    if found is None and around.is_paper and service.hostname not in around.snapshot.services:
        name = service.hostname.partition(".")[0]
        said = _decided(around, service.namespace, Map({APP_LABEL: name}), (port.number,))
        yield _Server(name=f"app={name}", mode=said.mode, fact=advertised_for(said.mode), said=said)
        return
    for endpoint in found.endpoints if found is not None else ():
        if endpoint.service_port == port.number:
            yield _server(around, service, endpoint)


def _server(around: Around, service: Service, endpoint: Endpoint) -> _Server:
    place = _sidecar_of(around, endpoint)
    if place is None:
        # One that an object describes: whoever runs it obeys the policies of its namespace, if it has a sidecar.
        where = f"{endpoint.address}:{endpoint.port}"
        if endpoint.tls == "disabled":
            return _Server(name=endpoint.workload or where, mode="NONE", fact="disabled")
        said = _decided(around, service.namespace, endpoint.labels, (endpoint.port, endpoint.service_port))
        return _Server(name=endpoint.workload or where, mode=said.mode, fact=endpoint.tls, said=said)
    workload, inbound = place
    ports = (inbound.app_port, inbound.service_port)
    said = _decided(around, workload.id.namespace, workload.labels, ports)
    fact = advertised_for(inbound.mode) if around.is_paper else endpoint.tls
    stands = around.port_tls(workload.id, inbound.service_port)
    standing: list[str] = []
    if stands is not None and not stands.is_settled:
        told = "mutual TLS" if stands.advertised == "mutual" else "plaintext"
        standing.append(
            f"on its way to {stands.target}: it takes {stands.serving} now, and clients are told {told}"
        )
    if behind := around.behind(workload.id):
        standing.append(behind)
    return _Server(name=str(workload.id), mode=inbound.mode, fact=fact, said=said, standing=tuple(standing))


def _sidecar_of(around: Around, endpoint: Endpoint) -> tuple[Workload, InboundPort] | None:
    """The workload behind an endpoint, and its port. A proxyless server has none of a sidecar's."""
    namespace, _, name = endpoint.workload.rpartition("/")
    named = around.snapshot.workloads.get(WorkloadId(namespace, name))
    every = [named] if named is not None else around.snapshot.workloads.values() if around.is_paper else ()
    for workload in every:
        for inbound in workload.inbound if workload.kind != "proxyless" else ():
            is_it = inbound.sidecar_port == endpoint.port and workload.bind == endpoint.address
            if is_it or (named is not None and inbound.service_port == endpoint.service_port):
                return workload, inbound
    return None


def _decided(around: Around, namespace: str, labels: Map[str, str], ports: tuple[int, ...]) -> Decided:
    return decided(
        around.policies,
        namespace=namespace,
        labels=labels,
        ports=ports,
        root_namespace=around.snapshot.settings.root_namespace,
    )


def _rules(
    around: Around, policy: Policy | None, service: Service, port: ServicePort, client: ClientKind
) -> Iterator[tuple[str, ClientRule, tuple[Cause, ...]]]:
    """What holds for the service, then for each subset for which something else does."""
    first: ClientTls | None = None
    for subset in ("", *(each.name for each in policy.subsets)) if policy is not None else ("",):
        traffic = policy_for(policy, subset, port.number)
        if subset and traffic.tls == first:
            continue
        first = traffic.tls if not subset else first
        causes: tuple[Cause, ...] = ()
        if policy is not None and traffic.tls is not None and client != "plain":
            causes = tuple(_causes(around, policy, subset, port.number))
        yield subset, rule_of(traffic, service), causes


def _causes(around: Around, policy: Policy, subset: str, port: int) -> Iterator[Cause]:
    for ref in policy.refs:
        spec = around.snapshot.configs[ref].spec
        if isinstance(spec, DestinationRule) and (path := tls_path(spec, subset, port)) is not None:
            yield from around.cause(ref, path)
            return


def tls_path(rule: DestinationRule, subset: str, port: int) -> Path | None:
    """Where a rule says how to speak to a port of a subset: a port's word first, and a subset's before all's."""
    holders: list[tuple[Path, TrafficPolicy | None]] = [
        (("spec", "subsets", index, "trafficPolicy"), each.traffic_policy)
        for index, each in enumerate(rule.subsets)
        if subset and each.name == subset
    ]
    holders.append((("spec", "trafficPolicy"), rule.traffic_policy))
    for at, policy in holders:
        for index, level in enumerate(policy.port_level_settings if policy is not None else ()):
            if level.port.number == port:
                return (*at, "portLevelSettings", index, "tls") if level.tls is not None else None
    for at, policy in holders:
        if policy is not None and policy.tls is not None:
            return (*at, "tls")
    return None


def _rows(
    port: int,
    subset: str,
    client: ClientKind,
    rule: ClientRule,
    causes: tuple[Cause, ...],
    servers: Iterable[_Server],
    around: Around,
    behind: str,
    partner: "_Partner | None" = None,
) -> Iterator[PeerRow]:
    alike: dict[PeerRow, list[str]] = {}
    for server in servers:
        found: Hop = hop(client, rule, server.fact, server.mode)
        if partner is not None:
            found = partner_hop(server.mode, is_believed=partner.is_believed)
        by = server.said.by if server.said is not None else None
        row = PeerRow(
            port=port,
            servers=(),
            subset=subset,
            wire=found.wire,
            mode=server.mode,
            result=found.result,
            why=found.why,
            client=causes,
            client_by="" if causes else _client_words(client, rule, server, partner),
            server=(
                *(around.cause(by, server.said.at) if by is not None and server.said is not None else ()),
                *(around.cause(partner.by, ("spec", "namespaces")) if partner and partner.by else ()),
            ),
            server_by="" if by is not None or (partner and partner.by) else _server_words(server),
            standing=(*([behind] if behind else []), *server.standing),
            refused=refused_at(server.mode),
        )
        alike.setdefault(row, []).append(server.name)
    for row, names in alike.items():
        yield msgspec.structs.replace(row, servers=tuple(names))


def _client_words(client: ClientKind, rule: ClientRule, server: _Server, partner: "_Partner | None") -> str:
    if partner is not None:
        return "its own mesh decides what it sends; mesh TLS is assumed"
    if client == "plain":
        return "it has no certificate of the mesh"
    if rule == "plain":
        return "the host is outside the mesh, and nothing says otherwise"
    return "no DestinationRule says how: it follows the server"


def _server_words(server: _Server) -> str:
    return "there is no sidecar" if server.mode == "NONE" else "no policy says anything: the mesh's default"
