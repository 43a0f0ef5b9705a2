"""The admin API as a plain, blocking client: for the command line and the demo, which wait for one answer.

Standard library only, because every `proa` command pays for what is imported here.
"""

import http.client
import socket
import ssl
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import TypeVar
from urllib.parse import quote, urlencode

import msgspec

from proa.core.auth.template import CONTROL_PLANE_DNS
from proa.core.mixer.pushdown.explaining import ExplainedRules
from proa.core.model.names import WorkloadId
from proa.core.pilot.explain.peers import PeerQuestion, PeerReport
from proa.core.pilot.explain.story import Explanation, Question
from proa.ports.store_backup import Backup
from proa.servers.admin import wire
from proa.servers.admin.authority import (
    Audit,
    AuthorityStatus,
    OwnBundle,
    PlugRequest,
    RevocationList,
    RevokeRequest,
    RotateRequest,
)
from proa.servers.admin.history import BackupRequest, History, HistoryQuery, RollbackRequest
from proa.servers.admin.mixer import CheckTried, CheckTry, QuotasTried, ReportTried, ReportTry, RulesQuestion
from proa.servers.admin.operations import (
    ApplyOutcome,
    ApplyRequest,
    Certificates,
    DeleteRequest,
    DiffOutcome,
    DiffRequest,
    MeshStatus,
    MintedToken,
    ObjectQuery,
    Objects,
    OperationFailed,
    OperatorCertificate,
    OperatorRequest,
    Problems,
    Proxies,
    ProxyConfig,
    Services,
    TokenRequest,
    WaitStatus,
)

T = TypeVar("T")
PATIENCE_SECONDS = 30.0
"""For one answer of a control plane that is there; applying thousands of objects takes a few seconds."""

BACKUP_PATIENCE_SECONDS = 600.0
"""For a copy of a large store to a slow disk."""


class Unreachable(Exception):
    """No control plane answers on this socket."""


class Remote(msgspec.Struct, frozen=True, kw_only=True):
    """A control plane on another host: its admin port, and the mesh's roots (PEM file), against which it is checked.
    Who we are is shown by a token, or by the files of an operator's certificate and its key. The printed form has no
    token."""

    host: str
    port: int
    token: str = ""
    roots: Path
    certificate: Path | None = None
    key: Path | None = None

    def __str__(self) -> str:
        return f"https://{self.host}:{self.port}"

    def __repr__(self) -> str:
        return f"Remote({self})"


class AdminClient:
    """One request per connection. Methods mirror `AdminOperations`; they raise Unreachable, or OperationFailed
    with the control plane's words."""

    def __init__(self, path: Path | Remote) -> None:
        self.path = path

    def apply(self, request: ApplyRequest) -> ApplyOutcome | Problems:
        return self._post_documents("/v1/apply", request, ApplyOutcome)

    def diff(self, request: DiffRequest) -> DiffOutcome | Problems:
        return self._post_documents("/v1/diff", request, DiffOutcome)

    def delete(self, request: DeleteRequest) -> ApplyOutcome:
        return wire.decode(self._call("POST", "/v1/delete", wire.encode(request))[1], ApplyOutcome)

    def rollback(self, request: RollbackRequest) -> ApplyOutcome | Problems:
        return self._post_documents("/v1/rollback", request, ApplyOutcome)

    def backup(self, request: BackupRequest) -> Backup:
        answer = self._call("POST", "/v1/backup", wire.encode(request), BACKUP_PATIENCE_SECONDS)[1]
        return wire.decode(answer, Backup)

    def mint_token(self, request: TokenRequest) -> MintedToken:
        return wire.decode(self._call("POST", "/v1/tokens", wire.encode(request))[1], MintedToken)

    def issue_operator(self, request: OperatorRequest) -> OperatorCertificate:
        return wire.decode(self._call("POST", "/v1/operators", wire.encode(request))[1], OperatorCertificate)

    def objects(self, query: ObjectQuery) -> Objects:
        asked = {"kind": query.kind, "namespace": query.namespace, "name": query.name}
        narrowed = urlencode({key: value for key, value in asked.items() if value})
        return self._get("/v1/objects" + (f"?{narrowed}" if narrowed else ""), Objects)

    def history(self, query: HistoryQuery) -> History:
        asked: dict[str, str | int] = {"limit": query.limit}
        if query.ref is not None:
            asked |= {"kind": query.ref.kind, "namespace": query.ref.namespace, "name": query.ref.name}
        return self._get(f"/v1/history?{urlencode(asked)}", History)

    def proxies(self) -> Proxies:
        return self._get("/v1/proxies", Proxies)

    def proxy_config(self, workload: WorkloadId) -> ProxyConfig:
        path = f"/v1/proxies/{quote(workload.namespace, safe='')}/{quote(workload.name, safe='')}/config"
        return self._get(path, ProxyConfig)

    def explain(self, question: Question) -> Explanation:
        return wire.decode(self._call("POST", "/v1/explain", wire.encode(question))[1], Explanation)

    def explain_rules(self, question: RulesQuestion) -> ExplainedRules:
        return wire.decode(self._call("POST", "/v1/mixer/explain", wire.encode(question))[1], ExplainedRules)

    def quotas(self, wanted: CheckTry) -> QuotasTried:
        return wire.decode(self._call("POST", "/v1/mixer/quota", wire.encode(wanted))[1], QuotasTried)

    def check(self, wanted: CheckTry) -> CheckTried:
        return wire.decode(self._call("POST", "/v1/mixer/check", wire.encode(wanted))[1], CheckTried)

    def reports(self, wanted: ReportTry, *, sends: bool = False) -> ReportTried:
        path = "/v1/mixer/send" if sends else "/v1/mixer/report"
        return wire.decode(self._call("POST", path, wire.encode(wanted))[1], ReportTried)

    def peers(self, question: PeerQuestion) -> PeerReport:
        return wire.decode(self._call("POST", "/v1/peers", wire.encode(question))[1], PeerReport)

    def services(self) -> Services:
        return self._get("/v1/services", Services)

    def certificates(self) -> Certificates:
        return self._get("/v1/certificates", Certificates)

    def bundle(self) -> OwnBundle:
        return self._get("/v1/bundle", OwnBundle)

    def authority(self) -> AuthorityStatus:
        return self._get("/v1/authority", AuthorityStatus)

    def rotate(self, request: RotateRequest) -> AuthorityStatus:
        return wire.decode(self._call("POST", "/v1/rotate", wire.encode(request))[1], AuthorityStatus)

    def plug(self, request: PlugRequest) -> AuthorityStatus:
        return wire.decode(self._call("POST", "/v1/plug", wire.encode(request))[1], AuthorityStatus)

    def revoke(self, request: RevokeRequest) -> RevocationList:
        return wire.decode(self._call("POST", "/v1/revoke", wire.encode(request))[1], RevocationList)

    def revocations(self) -> RevocationList:
        return self._get("/v1/revocations", RevocationList)

    def audit(self, limit: int) -> Audit:
        return self._get(f"/v1/audit?limit={limit}", Audit)

    def status(self) -> MeshStatus:
        return self._get("/v1/status", MeshStatus)

    def wait(self, version: int, timeout_s: float) -> Iterator[WaitStatus]:
        """Statuses as they come, until a `done` one or the time limit."""
        # The server keeps the time; the socket's own limit is only for a server that has died.
        with closing(_connection(self.path, timeout_s + PATIENCE_SECONDS)) as connection:
            reply = _ask(connection, self.path, "GET", f"/v1/wait/{version}?timeout_s={timeout_s:g}", b"")
            if reply.status != 200:
                raise _failure(reply.read())
            while line := _next_line(reply):
                if line.startswith(b'{"error"'):
                    raise _failure(line)
                yield wire.decode(line, WaitStatus)

    def _post_documents(self, path: str, request: object, kind: type[T]) -> T | Problems:
        status, body = self._call("POST", path, wire.encode(request))
        return wire.decode(body, Problems) if status == 422 else wire.decode(body, kind)

    def _get(self, path: str, kind: type[T]) -> T:
        return wire.decode(self._call("GET", path)[1], kind)

    def _call(
        self, method: str, path: str, body: bytes = b"", patience_s: float = PATIENCE_SECONDS
    ) -> tuple[int, bytes]:
        with closing(_connection(self.path, patience_s)) as connection:
            reply = _ask(connection, self.path, method, path, body)
            try:
                answer = reply.read()
            except (OSError, http.client.HTTPException) as error:
                raise Unreachable(
                    f"the control plane went away in the middle of its answer ({error})"
                ) from None
        if reply.status not in (200, 422):
            raise _failure(answer)
        return reply.status, answer


def _connection(place: Path | Remote, timeout: float) -> http.client.HTTPConnection:
    return _UnixConnection(place, timeout) if isinstance(place, Path) else _TlsConnection(place, timeout)


class _TlsConnection(http.client.HTTPConnection):
    def __init__(self, remote: Remote, timeout: float) -> None:
        super().__init__(remote.host, remote.port, timeout=timeout)
        self._remote = remote

    def connect(self) -> None:
        super().connect()
        context = ssl.create_default_context(cafile=str(self._remote.roots))
        if self._remote.certificate is not None:
            context.load_cert_chain(self._remote.certificate, self._remote.key)
        self.sock = context.wrap_socket(self.sock, server_hostname=CONTROL_PLANE_DNS[0])


class _UnixConnection(http.client.HTTPConnection):
    def __init__(self, path: Path, timeout: float) -> None:
        super().__init__("localhost", timeout=timeout)
        self.unix_path = path

    def connect(self) -> None:
        connected = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        connected.settimeout(self.timeout)
        try:
            connected.connect(str(self.unix_path))
        except OSError:
            connected.close()
            raise
        self.sock = connected


def _ask(
    connection: http.client.HTTPConnection, place: Path | Remote, method: str, path: str, body: bytes
) -> http.client.HTTPResponse:
    headers = {"content-type": "application/json"}
    if isinstance(place, Remote) and place.token:
        headers["authorization"] = f"Bearer {place.token}"
    try:
        connection.request(method, path, body=body or None, headers=headers)
        return connection.getresponse()
    except (OSError, http.client.HTTPException) as error:
        raise Unreachable(f"no control plane answers on {place} ({error})") from None


def _next_line(reply: http.client.HTTPResponse) -> bytes:
    try:
        return reply.readline()
    except (OSError, http.client.HTTPException) as error:
        raise Unreachable(f"the control plane went away while waiting ({error})") from None


def _failure(body: bytes) -> OperationFailed:
    try:
        return OperationFailed(wire.decode(body, wire.ErrorReply).error)
    except wire.WireError:
        return OperationFailed(f"the control plane answered something unexpected: {body[:200]!r}")
