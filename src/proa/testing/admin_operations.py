"""An `AdminOperations` of fixed answers, for tests of what stands in front of it: the HTTP app, the client, the CLI.

It remembers what it was asked. Statuses of `wait` are given by the test; it holds no world.
"""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, field

import msgspec

from proa.core.auth.revocation import Revocation, Target
from proa.core.config.problem import Problem
from proa.core.mixer.pushdown.explaining import ExplainedRules
from proa.core.model.names import ObjectRef, WorkloadId
from proa.core.model.notes import Note
from proa.core.pilot.explain.peers import PeerQuestion, PeerReport
from proa.core.pilot.explain.story import Explanation, Question
from proa.ports.config_store import HistoryEntry, ObjectResult, StoredObject
from proa.ports.store_backup import Backup
from proa.servers.admin.authority import (
    Audit,
    AuthorityStatus,
    FederationStatus,
    OwnBundle,
    PlugRequest,
    RevocationList,
    RevokeRequest,
    RootStatus,
    RotateRequest,
    SignerStatus,
)
from proa.servers.admin.history import BackupRequest, History, HistoryQuery, RollbackRequest
from proa.servers.admin.mixer import (
    CheckTried,
    CheckTry,
    QuotasTried,
    ReportTried,
    ReportTry,
    RulesQuestion,
)
from proa.servers.admin.operations import (
    ApplyOutcome,
    ApplyRequest,
    Certificates,
    CertificateStatus,
    DeleteRequest,
    DiffOutcome,
    DiffRequest,
    MeshStatus,
    MintedToken,
    NotFound,
    ObjectDiff,
    ObjectQuery,
    Objects,
    OperatorCertificate,
    OperatorRequest,
    Problems,
    Proxies,
    ProxyConfig,
    ProxyStatus,
    Refused,
    Services,
    ServiceStatus,
    TokenRequest,
    WaitStatus,
)

QUIET = MeshStatus(version="0.0.0", pid=1, started=0.0, ready=True, trust_domain="cluster.local")

ONE_ROOT = AuthorityStatus(
    roots=(
        RootStatus(
            digest="a" * 64,
            phase="active",
            subject="CN=a",
            prepared_at=1.0,
            not_before=0,
            not_after=4_000_000_000,
        ),
    ),
    signer=SignerStatus(subject="CN=i", serial="1f", root="a" * 64, not_before=0, not_after=3_000_000_000),
)
"""An authority at rest."""

NOTHING = Audit()


@dataclass
class FixedOperations:
    """Every answer is a field; of `authority_statuses` each is given once, the last for ever. `problems`, when there
    are any, is what apply, diff and rollback answer."""

    results: tuple[ObjectResult, ...] = ()
    version: int = 1
    problems: tuple[Problem, ...] = ()
    warnings: tuple[Problem, ...] = ()
    notes: tuple[Note, ...] = ()
    stored: tuple[StoredObject, ...] = ()
    differences: tuple[ObjectDiff, ...] = ()
    past: tuple[HistoryEntry, ...] = ()
    statuses: tuple[WaitStatus, ...] = ()
    proxy_statuses: tuple[ProxyStatus, ...] = ()
    configs: tuple[ProxyConfig, ...] = ()
    explanation: Explanation | None = None
    report: PeerReport | None = None
    tried: CheckTried | None = None
    tried_quotas: QuotasTried | None = None
    tried_reports: ReportTried | None = None
    explained: ExplainedRules | None = None
    service_statuses: tuple[ServiceStatus, ...] = ()
    certificate_statuses: tuple[CertificateStatus, ...] = ()
    federation_statuses: tuple[FederationStatus, ...] = ()
    authority_statuses: list[AuthorityStatus] = field(default_factory=lambda: [ONE_ROOT])
    audited: Audit = NOTHING
    mesh_status: MeshStatus = QUIET
    asked: list[object] = field(default_factory=list)

    async def apply(self, request: ApplyRequest) -> ApplyOutcome | Problems:
        self.asked.append(request)
        if self.problems:
            return Problems(problems=self.problems)
        return ApplyOutcome(
            version=self.version, results=self.results, warnings=self.warnings, notes=self.notes
        )

    async def delete(self, request: DeleteRequest) -> ApplyOutcome:
        self.asked.append(request)
        known = {each.ref for each in self.stored}
        results = tuple(
            ObjectResult(ref=ref, action="deleted" if ref in known else "absent") for ref in request.refs
        )
        return ApplyOutcome(version=self.version, results=results)

    async def diff(self, request: DiffRequest) -> DiffOutcome | Problems:
        self.asked.append(request)
        return Problems(problems=self.problems) if self.problems else DiffOutcome(objects=self.differences)

    async def history(self, query: HistoryQuery) -> History:
        self.asked.append(query)
        return History(version=self.version, entries=self.past)

    async def rollback(self, request: RollbackRequest) -> ApplyOutcome | Problems:
        self.asked.append(request)
        if request.version > self.version:
            raise NotFound(f"there is no version {request.version}")
        if self.problems:
            return Problems(problems=self.problems)
        return ApplyOutcome(version=self.version, results=self.results)

    async def backup(self, request: BackupRequest) -> Backup:
        self.asked.append(request)
        if request.file.endswith("/taken"):
            raise Refused(f"{request.file} is there already and is no backup of a store")
        return Backup(file=request.file, version=self.version, size=4096, time=0.0)

    async def objects(self, query: ObjectQuery) -> Objects:
        self.asked.append(query)
        return Objects(
            version=self.version, objects=tuple(each for each in self.stored if _matches(query, each.ref))
        )

    async def wait(self, version: int) -> AsyncIterator[WaitStatus]:
        """Without a `done` status it waits for ever after the last one, as a stuck proxy makes the real one."""
        for status in self.statuses:
            yield status
        if not any(status.done for status in self.statuses):
            await asyncio.Event().wait()

    async def proxies(self) -> Proxies:
        return Proxies(proxies=self.proxy_statuses)

    async def proxy_config(self, workload: WorkloadId) -> ProxyConfig:
        for config in self.configs:
            if config.id == workload:
                return config
        raise NotFound(f"no workload {workload}; `proa proxy status` lists them")

    async def explain(self, question: Question) -> Explanation:
        self.asked.append(question)
        if self.explanation is None:
            raise Refused("there is nothing to explain")
        return self.explanation

    async def peers(self, question: PeerQuestion) -> PeerReport:
        self.asked.append(question)
        if self.report is None:
            raise Refused(f"there is no service {question.destination}")
        return self.report

    async def explain_rules(self, question: RulesQuestion) -> ExplainedRules:
        self.asked.append(question)
        if self.explained is None:
            raise NotFound(f"no rule that is in force is called {question.rule}")
        return self.explained

    async def check(self, wanted: CheckTry) -> CheckTried:
        self.asked.append(wanted)
        if self.tried is None:
            raise Refused(f"{wanted.server} is no workload of the mesh")
        return self.tried

    async def quotas(self, wanted: CheckTry) -> QuotasTried:
        self.asked.append(wanted)
        if self.tried_quotas is None:
            raise Refused(f"{wanted.server} is no workload of the mesh")
        return self.tried_quotas

    async def reports(self, wanted: ReportTry, *, sends: bool = False) -> ReportTried:
        self.asked.append(wanted)
        if self.tried_reports is None:
            raise Refused(f"{wanted.request.server} is no workload of the mesh")
        return msgspec.structs.replace(self.tried_reports, sent=sends)

    async def services(self) -> Services:
        return Services(services=self.service_statuses)

    async def certificates(self) -> Certificates:
        return Certificates(
            certificates=self.certificate_statuses, authority=ONE_ROOT, federated=self.federation_statuses
        )

    async def bundle(self) -> OwnBundle:
        return OwnBundle(trust_domain="cluster.local", pem="PEM\n", document='{"keys":[]}')

    async def authority(self) -> AuthorityStatus:
        left = self.authority_statuses
        return left.pop(0) if len(left) > 1 else left[0]

    async def rotate(self, request: RotateRequest) -> AuthorityStatus:
        self.asked.append(request)
        return await self.authority()

    async def plug(self, request: PlugRequest) -> AuthorityStatus:
        self.asked.append(request)
        return await self.authority()

    async def revoke(self, request: RevokeRequest) -> RevocationList:
        self.asked.append(request)
        target = Target("serial", request.what)
        return RevocationList(
            revocations=(Revocation(target=target, reason=request.reason, author=request.author, time=1.0),)
        )

    async def revocations(self) -> RevocationList:
        return RevocationList(
            revocations=(
                Revocation(
                    target=Target("identity", "spiffe://td/ns/a/sa/b"), reason="", author="ann", time=1.0
                ),
            )
        )

    async def audit(self, limit: int) -> Audit:
        return Audit(issuances=self.audited.issuances[:limit], events=self.audited.events[:limit])

    async def mint_token(self, request: TokenRequest) -> MintedToken:
        self.asked.append(request)
        if not request.placements:
            raise Refused("a token without --allow lets the node place nothing")
        return MintedToken(token="proa1.x", node=request.node, expires=0.0, placements=request.placements)

    async def issue_operator(self, request: OperatorRequest) -> OperatorCertificate:
        self.asked.append(request)
        return OperatorCertificate(
            chain_pem="chain\n", roots_pem="roots\n", identity="spiffe://td/x", serial="1", not_after=0
        )

    async def status(self) -> MeshStatus:
        return self.mesh_status


def _matches(query: ObjectQuery, ref: ObjectRef) -> bool:
    return (
        query.kind in (None, ref.kind)
        and query.namespace in (None, ref.namespace)
        and query.name in (None, ref.name)
    )
