"""A mesh of files alone, for `proa explain -f`: what proxies would be told if these objects were all there is.

Its workloads are those that WorkloadEntries describe. One that wears `security.istio.io/tlsMode: istio` has a sidecar
at its address, as the label says; each Gateway stands for a gateway proxy that its selector picks. Whoever asks is
given an outbound side. Nothing runs and nothing is kept.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Final

import msgspec
from immutables import Map

from proa.control_plane.configuration import contributions_of
from proa.control_plane.conversion import Conversion
from proa.control_plane.explaining import explain_mesh
from proa.control_plane.mixer.explaining import explain_rules_of
from proa.control_plane.world import World
from proa.core.auth.peer_policy import mode_of
from proa.core.config import Written
from proa.core.config.endpoint import WorkloadEntry
from proa.core.config.kinds.gateway.schema import Gateway
from proa.core.config.kinds.mesh_config.schema import MeshConfig
from proa.core.config.kinds.peer_authentication.schema import PeerAuthentication
from proa.core.config.mixer.catalogue import BUILT_IN, Catalogue
from proa.core.config.near_names import suggestion
from proa.core.config.path import Path
from proa.core.mixer.pushdown.explaining import ExplainedRules
from proa.core.model.endpoint import Endpoint
from proa.core.model.names import ObjectRef, WorkloadId, parse_workload_id
from proa.core.model.settings import MeshSettings
from proa.core.model.snapshot import Change, Contribution
from proa.core.model.workload import GatewayPort, InboundPort, Workload
from proa.core.pilot.explain.mesh import Place
from proa.core.pilot.explain.peers import Around, PeerQuestion, PeerReport, check_peers
from proa.core.pilot.explain.story import Cause, Explanation, Question
from proa.core.pilot.registry.entries import TLS_MODE_LABEL
from proa.core.pilot.registry.mesh_config import MESH_CONFIG, settings_of
from proa.core.pilot.registry.registration import workload_source
from proa.core.sidecar.local import find_workload
from proa.servers.admin.mixer import RulesQuestion

OUTBOUND_PORT: Final = 15001
RULE: Final = re.compile(r"(\w+)\[(\d+)\]")


class UnknownWorkload(ValueError):
    """Nobody in the files is called so; the message says who is near."""


class PaperMesh:
    """The world of some files, and the questions that may be asked of it."""

    def __init__(
        self,
        objects: Iterable[Written],
        settings: MeshSettings | None = None,
        *,
        catalogue: Catalogue = BUILT_IN,
    ) -> None:
        """`catalogue`: Mixer's adapters."""
        self._documents = {each.config.ref: each.document for each in objects}
        self._conversion = Conversion()
        self._in_force = self._conversion.in_force({each.config.ref: each.config for each in objects})
        base = settings or MeshSettings()
        found = self._in_force.get(MESH_CONFIG)
        if found is not None and isinstance(found.spec, MeshConfig):
            base = settings_of(base, found.spec)
        self._world = World(base, clock=lambda: 0.0, catalogue=catalogue)
        configs = tuple(self._in_force.values())
        self._world.fold_in(
            [Change(configs=configs, contributions=tuple(contributions_of(configs, base.trust_domain)))]
        )
        self._entries: dict[WorkloadId, WorkloadEntry] = {
            WorkloadId(ref.namespace, ref.name): config.spec
            for ref, config in self._in_force.items()
            if isinstance(config.spec, WorkloadEntry)
        }
        self._place(*(self._sidecar(known, entry) for known, entry in sorted(self._entries.items())))

    def _place(self, *workloads: Workload) -> None:
        made = tuple(Contribution(source=workload_source(each.id), workload=each) for each in workloads)
        self._world.fold_in([Change(contributions=made)])
        for each in workloads:
            wanted = self._world.own_listeners_wanted(each.id)
            held = tuple(
                GatewayPort(port=door.port, bound_port=door.port, address=door.address) for door in wanted
            )
            if held:
                known = msgspec.structs.replace(each, gateway_ports=held)
                made = (Contribution(source=workload_source(each.id), workload=known),)
                self._world.fold_in([Change(contributions=made)])

    def workload(self, word: str, namespace: str) -> tuple[WorkloadId, str]:
        """Whom a word means, with what is to be said of that: a WorkloadEntry's name, or labels (`app=a,version=v1`,
        `namespace/` in front if wanted). Where no entries are, a name is that of a program with the label `app`.
        Raises UnknownWorkload."""
        if "=" in word:
            where, slash, labels = word.rpartition("/")
            known = WorkloadId(where if slash else namespace, word.rpartition("/")[2])
            pairs = (pair.partition("=") for pair in labels.split(",") if pair)
            worn = {name.strip(): value.strip() for name, _, value in pairs}
            self._place(_client(known, worn))
            return known, ""
        found = find_workload(word, tuple((each, ()) for each in self._entries))
        if len(found) == 1:
            return found[0], ""
        if found:
            raise UnknownWorkload(
                f"{word} may be any of {', '.join(map(str, found))}; write one of them in full"
            )
        if self._entries:
            near = suggestion(
                word, [*(str(each) for each in self._entries), *(each.name for each in self._entries)]
            )
            raise UnknownWorkload(
                f"no WorkloadEntry of the files is called {word}{near}; labels do too: app={word}"
            )
        known = parse_workload_id(word) if "/" in word else WorkloadId(namespace, word)
        self._place(_client(known, {"app": known.name}))
        return (
            known,
            f"{known} is taken for a program with the label app={known.name}: no WorkloadEntry describes it",
        )

    def gateway(self, word: str, namespace: str) -> WorkloadId:
        """The proxy that a Gateway's selector picks, by the Gateway's name. Raises UnknownWorkload."""
        gateways = {ref: each.spec for ref, each in self._in_force.items() if isinstance(each.spec, Gateway)}
        where, slash, name = word.rpartition("/")
        matching = [ref for ref in gateways if ref.name == name and (not slash or ref.namespace == where)]
        chosen = [ref for ref in matching if ref.namespace == namespace] or matching
        if not chosen:
            near = suggestion(word, [ref.name for ref in gateways])
            raise UnknownWorkload(f"no Gateway of the files is called {word}{near}")
        ref = chosen[0]
        spec = gateways[ref]
        assert isinstance(spec, Gateway)
        known = WorkloadId(ref.namespace, ref.name)
        bare = Workload(
            id=known, kind="gateway", node="", account=ref.name, labels=spec.selector, bind="0.0.0.0"
        )
        self._place(bare)
        ports = self._world.gateway_ports_wanted(known)
        bound = tuple(GatewayPort(port=port, bound_port=port) for port in ports)
        self._place(msgspec.structs.replace(bare, gateway_ports=bound))
        return known

    def explain(self, question: Question) -> Explanation:
        """Raises BadQuestion."""
        return explain_mesh(
            self._world, self._conversion, question, stream_of=lambda workload: None, place=self._written
        )

    def explain_rules(self, question: RulesQuestion) -> ExplainedRules:
        """Raises UnknownRule."""
        return explain_rules_of(self._world, question, on_paper=True)

    def check_peers(self, question: PeerQuestion) -> PeerReport:
        """Raises BadQuestion."""
        policies = (each for each in self._in_force.values() if isinstance(each.spec, PeerAuthentication))
        around = Around(
            snapshot=self._world.snapshot,
            index=self._world.index,
            policies=tuple(policies),
            cause=self._cause,
            is_paper=True,
        )
        return check_peers(around, question)

    def _cause(self, ref: ObjectRef, path: Path) -> tuple[Cause, ...]:
        """What an object was made of has other paths: of that the line where it begins is told."""
        made_of = self._conversion.sources_of(ref)
        found = [(ref, self._place_at(ref, path)), *((each, self._place_at(each, ())) for each in made_of)]
        return tuple(Cause(object=str(each), file=place.file, line=place.line) for each, place in found)

    def _written(self, ref: ObjectRef, rule: str) -> Place:
        found = RULE.match(rule)
        return self._place_at(ref, ("spec", found[1], int(found[2])) if found else ())

    def _place_at(self, ref: ObjectRef, path: Path) -> Place:
        document = self._documents.get(ref)
        return Place(file=document.file, line=document.line_of(path)) if document is not None else Place()

    def _sidecar(self, known: WorkloadId, entry: WorkloadEntry) -> Workload:
        """What a WorkloadEntry says of a proxy at its address: a port for each endpoint that it is."""
        inbound = self._inbound(known, entry) if entry.labels.get(TLS_MODE_LABEL) == "istio" else ()
        return msgspec.structs.replace(
            _client(known, entry.labels),
            account=entry.service_account or known.name,
            bind=entry.address,
            locality=entry.locality,
            network=entry.network,
            inbound=tuple(sorted(inbound)),
        )

    def _inbound(self, known: WorkloadId, entry: WorkloadEntry) -> Iterator[InboundPort]:
        snapshot = self._world.snapshot
        policies = [each for each in self._in_force.values() if isinstance(each.spec, PeerAuthentication)]
        taken: set[int] = set()
        for host, endpoints in sorted(snapshot.endpoints.items()):
            for endpoint in endpoints.endpoints:
                port = snapshot.services[host].port(endpoint.service_port)
                if not _is_at(endpoint, entry) or port is None or port.number in taken:
                    continue
                taken.add(port.number)
                yield InboundPort(
                    service_port=port.number,
                    service=host,
                    protocol=port.protocol,
                    app_port=endpoint.port,
                    sidecar_port=endpoint.port,
                    mode=mode_of(
                        policies,
                        namespace=known.namespace,
                        labels=entry.labels,
                        ports=(endpoint.port, port.number),
                        root_namespace=snapshot.settings.root_namespace,
                    ),
                )


def _is_at(endpoint: Endpoint, entry: WorkloadEntry) -> bool:
    return endpoint.address == entry.address and endpoint.labels == entry.labels


def _client(known: WorkloadId, labels: Mapping[str, str]) -> Workload:
    return Workload(
        id=known,
        kind="sidecar",
        node="",
        account=known.name,
        labels=labels if isinstance(labels, Map) else Map(labels),
        outbound_port=OUTBOUND_PORT,
    )


__all__ = ["PaperMesh", "UnknownWorkload"]
