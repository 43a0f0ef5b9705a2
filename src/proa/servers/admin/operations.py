"""What an operator may ask of the control plane: the words of the admin API, and the Protocol that answers them.

The control plane implements `AdminOperations`; `servers.admin.app` translates HTTP to it and back; `proa.cli`
reads the same Structs on the other side. Shapes only: no HTTP here, and no decision.

A method that cannot do what was asked raises `NotFound` (404), `Refused` (409) or a `ports.failures` exception
(503 temporary, 500 permanent); each message says what the operator can do about it. Bad documents are no
exceptions but `Problems`. Times are unix seconds. Fields are only ever added, always with a default.
"""

from collections.abc import AsyncIterator
from typing import Literal, Protocol

import msgspec
from immutables import Map

from proa.core.auth.grants import Placement
from proa.core.auth.operators import Role
from proa.core.config.problem import Problem
from proa.core.mixer.pushdown.explaining import ExplainedRules
from proa.core.model.endpoint import Endpoint
from proa.core.model.names import ObjectRef, WorkloadId
from proa.core.model.notes import Note
from proa.core.model.service import Service
from proa.core.model.workload import GatewayPort
from proa.core.pilot.explain.peers import PeerQuestion, PeerReport
from proa.core.pilot.explain.story import Explanation, Question
from proa.ports.config_store import ObjectResult, StoredObject
from proa.ports.store_backup import Backup
from proa.servers.admin.authority import (
    Audit,
    AuthorityStatus,
    FederationStatus,
    OwnBundle,
    PlugRequest,
    RevocationList,
    RevokeRequest,
    RotateRequest,
)
from proa.servers.admin.history import BackupRequest, History, HistoryQuery, RollbackRequest
from proa.servers.admin.mixer import CheckTried, CheckTry, QuotasTried, ReportTried, ReportTry, RulesQuestion


class OperationFailed(Exception):
    """The message is shown to the operator as it is: what is wrong, and what to do next."""


class NotFound(OperationFailed):
    """What was asked for does not exist."""


class Refused(OperationFailed):
    """It exists, or could, but not like this or not now."""


class SourceFile(msgspec.Struct, frozen=True, kw_only=True):
    """One file of YAML documents; `name` is what problems call it."""

    name: str
    text: str


class Problems(msgspec.Struct, frozen=True, kw_only=True):
    """Nothing was done, because of these: all of them, errors and warnings."""

    problems: tuple[Problem, ...]


class ApplyRequest(msgspec.Struct, frozen=True, kw_only=True):
    """Put every object of the files in one transaction. `namespace` is for objects that name none. With
    `dry_run` everything is checked and compared, and nothing changes."""

    files: tuple[SourceFile, ...]
    author: str = ""
    namespace: str = "default"
    dry_run: bool = False


class ApplyOutcome(msgspec.Struct, frozen=True, kw_only=True):
    """The state's version afterwards (to be given to `wait`), what became of each object, and what the author
    should know: `warnings` about the documents, `notes` about their place in the mesh."""

    version: int
    results: tuple[ObjectResult, ...]
    notes: tuple[Note, ...] = ()
    warnings: tuple[Problem, ...] = ()


class DeleteRequest(msgspec.Struct, frozen=True, kw_only=True):
    """All in one transaction; an absent object is answered `absent` and is no error."""

    refs: tuple[ObjectRef, ...]
    author: str = ""


class DiffRequest(msgspec.Struct, frozen=True, kw_only=True):
    files: tuple[SourceFile, ...]
    namespace: str = "default"


class ObjectDiff(msgspec.Struct, frozen=True, kw_only=True):
    """One object of the files: its manifest (JSON text, as stored) now and after an apply; `before` is empty
    for a new object. Equal texts: unchanged."""

    ref: ObjectRef
    before: str = ""
    after: str = ""


class DiffOutcome(msgspec.Struct, frozen=True, kw_only=True):
    objects: tuple[ObjectDiff, ...]


class ObjectQuery(msgspec.Struct, frozen=True, kw_only=True):
    """What is None does not narrow. `kind` is the full name (`VirtualService`)."""

    kind: str | None = None
    namespace: str | None = None
    name: str | None = None


class Objects(msgspec.Struct, frozen=True, kw_only=True):
    """The objects in force at `version`, sorted by ref. `problems` are those of watched sources: documents that
    are bad and whose last good version is served."""

    version: int
    objects: tuple[StoredObject, ...]
    problems: tuple[Problem, ...] = ()


class Rejection(msgspec.Struct, frozen=True, kw_only=True):
    """A resource that one Envoy did not take. `objects` are the configuration it was made from (none: made from
    the services alone), `resource` its name, `type` as in TypeStatus, `error` Envoy's words."""

    objects: tuple[ObjectRef, ...] = ()
    resource: str
    type: str = ""
    error: str


class ProxyProgress(msgspec.Struct, frozen=True, kw_only=True):
    """How far one connected proxy is with a version."""

    id: WorkloadId
    state: Literal["live", "pending", "rejected"]
    problems: tuple[Rejection, ...] = ()


class WaitStatus(msgspec.Struct, frozen=True, kw_only=True):
    """`done`: no connected proxy is pending. Without any proxy a version is live at once. `remarks` tell what does not
    work all the same."""

    version: int
    done: bool
    proxies: tuple[ProxyProgress, ...] = ()
    remarks: tuple[str, ...] = ()


class TypeStatus(msgspec.Struct, frozen=True, kw_only=True):
    """Resources of one xDS type that a proxy has asked for. `type` is a ResourceType's name (`CLUSTER`)."""

    type: str
    synced: int = 0
    pending: int = 0
    rejected: int = 0


class ProxyStatus(msgspec.Struct, frozen=True, kw_only=True):
    """One workload's proxy. `version` is the newest configuration version it has in full; `connected` when its
    stream is open, `since` when that began (or ended). `is_full`: nothing that it asked for is on its way to it, be it
    configuration or an endpoint."""

    id: WorkloadId
    kind: str
    node: str
    connected: bool
    since: float = 0.0
    version: int = 0
    is_full: bool = False
    types: tuple[TypeStatus, ...] = ()
    rejections: tuple[Rejection, ...] = ()
    gateway_ports: tuple[GatewayPort, ...] = ()


class Proxies(msgspec.Struct, frozen=True, kw_only=True):
    proxies: tuple[ProxyStatus, ...]


class OfferedResource(msgspec.Struct, frozen=True, kw_only=True):
    """One resource as the control plane offers it; `body` is its protobuf JSON with `@type`."""

    type: str
    name: str
    version: str
    state: Literal["synced", "pending", "rejected"] = "pending"
    objects: tuple[ObjectRef, ...] = ()
    error: str = ""
    body: msgspec.Raw = msgspec.Raw(b"{}")


class ProxyConfig(msgspec.Struct, frozen=True, kw_only=True):
    """What one proxy is offered, in make-before-break order, then by name."""

    id: WorkloadId
    resources: tuple[OfferedResource, ...]


class ServiceStatus(msgspec.Struct, frozen=True, kw_only=True):
    service: Service
    endpoints: tuple[Endpoint, ...] = ()


class Services(msgspec.Struct, frozen=True, kw_only=True):
    services: tuple[ServiceStatus, ...]


class CertificateStatus(msgspec.Struct, frozen=True, kw_only=True):
    """The newest certificate of one identity holder. `workload` is None for a node's own, and for an
    operator's, which names him and his role; `root` is a digest."""

    workload: WorkloadId | None = None
    node: str = ""
    operator: str = ""
    identity: str
    dns_names: tuple[str, ...] = ()
    serial: str
    issuer: str = ""
    root: str = ""
    not_before: int
    not_after: int


class Certificates(msgspec.Struct, frozen=True, kw_only=True):
    """`authority` is what they are under; `federated` are the other trust domains that are believed somewhere."""

    certificates: tuple[CertificateStatus, ...]
    authority: AuthorityStatus | None = None
    federated: tuple[FederationStatus, ...] = ()


class TokenRequest(msgspec.Struct, frozen=True, kw_only=True):
    """A join token for one node, usable once within `ttl_s` seconds."""

    node: str
    ttl_s: int = 3600
    placements: tuple[Placement, ...] = ()


class MintedToken(msgspec.Struct, frozen=True, kw_only=True):
    """`token` holds a secret and exists nowhere else."""

    token: str
    node: str
    expires: float
    placements: tuple[Placement, ...] = ()


class OperatorRequest(msgspec.Struct, frozen=True, kw_only=True):
    """A certificate for `name`, for this API from other hosts. `csr_pem` is made where the key is, and the key stays
    there; `ttl_s` 0 is the usual life."""

    name: str
    role: Role
    csr_pem: str
    ttl_s: int = 0
    author: str = ""


class OperatorCertificate(msgspec.Struct, frozen=True, kw_only=True):
    """`chain_pem` begins with the leaf; `roots_pem` are what the control plane is checked against."""

    chain_pem: str
    roots_pem: str
    identity: str
    serial: str
    not_after: int


class MeshStatus(msgspec.Struct, frozen=True, kw_only=True):
    """`version` is the program's, `config_version` the store's. `addresses` are `host:port` by the names
    `xds`, `join`, `metrics`."""

    version: str
    pid: int
    started: float
    ready: bool
    trust_domain: str
    config_version: int = 0
    addresses: Map[str, str] = Map()
    objects: int = 0
    services: int = 0
    nodes: int = 0
    proxies: int = 0
    proxies_connected: int = 0
    outbound_policy: str = "ALLOW_ANY"


class AdminOperations(Protocol):
    """Implemented by the control plane. Every method may be called concurrently."""

    async def apply(self, request: ApplyRequest) -> ApplyOutcome | Problems:
        """All objects or none."""

    async def delete(self, request: DeleteRequest) -> ApplyOutcome:
        """Actions are `deleted` and `absent`."""

    async def diff(self, request: DiffRequest) -> DiffOutcome | Problems:
        """Changes nothing."""

    async def history(self, query: HistoryQuery) -> History:
        """An empty answer is no error."""

    async def rollback(self, request: RollbackRequest) -> ApplyOutcome | Problems:
        """All of it or nothing. Problems are those of objects that this program refuses and that were accepted
        by an older one. Raises NotFound for a version that never was."""

    async def backup(self, request: BackupRequest) -> Backup:
        """Of the whole store, while it is used. Raises Refused when the copy cannot be where it was asked."""

    async def objects(self, query: ObjectQuery) -> Objects:
        """An empty answer is no error."""

    def wait(self, version: int) -> AsyncIterator[WaitStatus]:
        """The status at once and after each change of it, until one that is `done`, which is the last.

        The caller sets the time limit by closing the iterator.
        """

    async def proxies(self) -> Proxies:
        """Connected ones and those that were, by id."""

    async def proxy_config(self, workload: WorkloadId) -> ProxyConfig:
        """Raises NotFound for a workload that is not registered."""

    async def explain(self, question: Question) -> Explanation:
        """Of the configuration that proxies are offered, and how far they are with it. Raises Refused for what cannot
        be asked."""

    async def peers(self, question: PeerQuestion) -> PeerReport:
        """What is spoken between two workloads and who decides it. Raises Refused for a service that nobody knows."""

    async def explain_rules(self, question: RulesQuestion) -> ExplainedRules:
        """Where Mixer's rules run, and why there."""
        ...

    async def check(self, wanted: CheckTry) -> CheckTried:
        """What Mixer's rules say of a request that nobody sends. Raises Refused for a workload or port that is not."""

    async def quotas(self, wanted: CheckTry) -> QuotasTried:
        """What a request that nobody sends would be charged, and what is left; charges nothing. Raises Refused as
        `check` does."""

    async def reports(self, wanted: ReportTry, *, sends: bool = False) -> ReportTried:
        """What rules would tell which handlers of a request that nobody sends; `sends`: they are told. Raises Refused
        as `check` does."""

    async def services(self) -> Services:
        """By hostname."""

    async def certificates(self) -> Certificates:
        """The current one of each workload and node, by identity."""

    async def bundle(self) -> OwnBundle:
        """What partners need to believe this mesh."""

    async def authority(self) -> AuthorityStatus:
        """Of the keys that sign, and of the roots that are trusted."""

    async def rotate(self, request: RotateRequest) -> AuthorityStatus:
        """The status after it has begun. Raises Refused when it cannot."""

    async def plug(self, request: PlugRequest) -> AuthorityStatus:
        """The status after it has begun. Raises Refused for what is no CA for this mesh, with all that is wrong."""

    async def revoke(self, request: RevokeRequest) -> RevocationList:
        """Raises Refused for what cannot be revoked, or is not."""

    async def revocations(self) -> RevocationList:
        """Those in force."""

    async def audit(self, limit: int) -> Audit:
        """At most `limit` of each."""

    async def mint_token(self, request: TokenRequest) -> MintedToken:
        """Raises Refused for a node name or time that cannot be."""

    async def issue_operator(self, request: OperatorRequest) -> OperatorCertificate:
        """Raises Refused for a name, a life or a request that cannot be."""

    async def status(self) -> MeshStatus:
        """Of the control plane as a whole."""
