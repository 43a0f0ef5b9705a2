"""HTTP to `AdminOperations` and back. Called by the composition root; served on the home's Unix socket.

The socket's mode is the authentication: whoever can open it owns the mesh, and says who the author of a change is. In
front of the remote port stands `servers.admin.roles`, and authors are those that it knows. This module translates
and decides nothing. 200 is an answer, 422 `Problems`, everything else an `ErrorReply` with the status of the table
below.
"""

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TypeVar, cast

import msgspec
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route

from proa.core.model.names import ObjectRef, WorkloadId
from proa.core.pilot.explain.peers import PeerQuestion
from proa.core.pilot.explain.story import Question
from proa.ports.failures import StorePermanent, StoreTemporary
from proa.servers.admin import wire
from proa.servers.admin.authority import AUDIT_LIMIT, PlugRequest, RevokeRequest, RotateRequest
from proa.servers.admin.history import DEFAULT_LIMIT, MAX_LIMIT, BackupRequest, HistoryQuery, RollbackRequest
from proa.servers.admin.mixer import CheckTry, ReportTry, RulesQuestion
from proa.servers.admin.operations import (
    AdminOperations,
    ApplyRequest,
    DeleteRequest,
    DiffRequest,
    NotFound,
    ObjectQuery,
    OperatorRequest,
    Problems,
    Refused,
    TokenRequest,
)
from proa.servers.admin.roles import AUTHOR, CERTIFYING, PLUGGING
from proa.servers.admin.turns import Busy, Turns
from proa.servers.asgi import bind_unix, serving, unbind_unix

MAX_BODY = 64 * 1024 * 1024
"""Bytes of one request: hundreds of thousands of lines of YAML, and far from this machine's memory."""

STATUS: tuple[tuple[type[Exception], int], ...] = (
    (NotFound, 404),
    (Refused, 409),
    (wire.WireError, 400),
    (StoreTemporary, 503),
    (StorePermanent, 500),
    (Busy, 503),
)

CHANGES_AT_ONCE = 4
CHANGES_WAITING = 64
WAITS_AT_ONCE = 256
LONGEST_WAIT_S = 3600.0
PATIENCE_S = 30.0
"""For a request's body, which its sender has at hand: one that does not come holds a turn no longer."""

log = logging.getLogger(__name__)
T = TypeVar("T")
Handler = Callable[[Request], Awaitable[Response]]


@asynccontextmanager
async def serving_admin(operations: AdminOperations, path: Path) -> AsyncIterator[None]:
    """Answers on the Unix socket while the block runs. Raises `asgi.AddressTaken` when another control plane
    answers there."""
    bound = bind_unix(path)
    try:
        async with serving(build_admin_app(operations), [bound]):
            yield
    finally:
        unbind_unix(path)


def build_admin_app(
    operations: AdminOperations, refused: Callable[[str], None] = lambda reason: None
) -> Starlette:
    """Requests that carry a body take turns, before it is read: so their bodies together are bounded. `refused` is told
    the reason when somebody finds no room."""
    turns = Turns("changes", at_once=CHANGES_AT_ONCE, waiting=CHANGES_WAITING, refused=refused)
    waits = Turns("waits", at_once=WAITS_AT_ONCE, waiting=0, refused=refused)
    changing = ((method, path, _in_turn(turns, each)) for method, path, each in _changing_routes(operations))
    routes = (*changing, *_reading_routes(operations, waits))
    return Starlette(
        routes=[Route(path, answer, methods=[method]) for method, path, answer in routes],
        exception_handlers={
            HTTPException: _unknown_path,
            Exception: _unexpected,
            **{kind: _failed for kind, _ in STATUS},
        },
    )


def _in_turn(turns: Turns, handler: Handler) -> Handler:
    async def answer(request: Request) -> Response:
        async with turns:
            return await handler(request)

    return answer


def _changing_routes(operations: AdminOperations) -> tuple[tuple[str, str, Handler], ...]:
    async def apply(request: Request) -> Response:
        return _reply(await operations.apply(await _read(request, ApplyRequest)))

    async def delete(request: Request) -> Response:
        return _reply(await operations.delete(await _read(request, DeleteRequest)))

    async def diff(request: Request) -> Response:
        return _reply(await operations.diff(await _read(request, DiffRequest)))

    async def tokens(request: Request) -> Response:
        return _reply(await operations.mint_token(await _read(request, TokenRequest)))

    async def operators(request: Request) -> Response:
        return _reply(await operations.issue_operator(await _read(request, OperatorRequest)))

    async def rotate(request: Request) -> Response:
        return _reply(await operations.rotate(await _read(request, RotateRequest)))

    async def plug(request: Request) -> Response:
        return _reply(await operations.plug(await _read(request, PlugRequest)))

    async def revoke(request: Request) -> Response:
        return _reply(await operations.revoke(await _read(request, RevokeRequest)))

    async def rollback(request: Request) -> Response:
        return _reply(await operations.rollback(await _read(request, RollbackRequest)))

    async def backup(request: Request) -> Response:
        return _reply(await operations.backup(await _read(request, BackupRequest)))

    async def explain(request: Request) -> Response:
        return _reply(await operations.explain(await _read(request, Question)))

    async def peers(request: Request) -> Response:
        return _reply(await operations.peers(await _read(request, PeerQuestion)))

    async def explain_rules(request: Request) -> Response:
        return _reply(await operations.explain_rules(await _read(request, RulesQuestion)))

    async def check(request: Request) -> Response:
        return _reply(await operations.check(await _read(request, CheckTry)))

    async def quotas(request: Request) -> Response:
        return _reply(await operations.quotas(await _read(request, CheckTry)))

    async def report(request: Request) -> Response:
        return _reply(await operations.reports(await _read(request, ReportTry)))

    async def send(request: Request) -> Response:
        return _reply(await operations.reports(await _read(request, ReportTry), sends=True))

    return (
        ("POST", "/v1/explain", explain),
        ("POST", "/v1/mixer/check", check),
        ("POST", "/v1/mixer/quota", quotas),
        ("POST", "/v1/mixer/report", report),
        ("POST", "/v1/mixer/send", send),
        ("POST", "/v1/mixer/explain", explain_rules),
        ("POST", "/v1/peers", peers),
        ("POST", "/v1/apply", apply),
        ("POST", "/v1/delete", delete),
        ("POST", "/v1/diff", diff),
        ("POST", "/v1/tokens", tokens),
        ("POST", CERTIFYING, operators),
        ("POST", "/v1/rotate", rotate),
        ("POST", PLUGGING, plug),
        ("POST", "/v1/revoke", revoke),
        ("POST", "/v1/rollback", rollback),
        ("POST", "/v1/backup", backup),
    )


def _reading_routes(operations: AdminOperations, waits: Turns) -> tuple[tuple[str, str, Handler], ...]:
    async def objects(request: Request) -> Response:
        asked = {key: value for key, value in request.query_params.items() if value}
        return _reply(await operations.objects(wire.decode(wire.encode(asked), ObjectQuery)))

    async def history(request: Request) -> Response:
        return _reply(await operations.history(_history_query(request)))

    async def wait(request: Request) -> Response:
        try:
            version = int(request.path_params["version"])
            timeout_s = float(request.query_params.get("timeout_s", "60"))
        except ValueError:
            raise wire.WireError("version and timeout_s are numbers") from None
        waits.check()
        return StreamingResponse(
            _progress(operations, version, timeout_s, waits), media_type="application/x-ndjson"
        )

    async def proxies(_request: Request) -> Response:
        return _reply(await operations.proxies())

    async def proxy_config(request: Request) -> Response:
        workload = WorkloadId(request.path_params["namespace"], request.path_params["name"])
        return _reply(await operations.proxy_config(workload))

    async def services(_request: Request) -> Response:
        return _reply(await operations.services())

    async def certificates(_request: Request) -> Response:
        return _reply(await operations.certificates())

    async def bundle(_request: Request) -> Response:
        return _reply(await operations.bundle())

    async def authority(_request: Request) -> Response:
        return _reply(await operations.authority())

    async def audit(request: Request) -> Response:
        return _reply(await operations.audit(_limit(request, AUDIT_LIMIT)))

    async def revocations(_request: Request) -> Response:
        return _reply(await operations.revocations())

    async def status(_request: Request) -> Response:
        return _reply(await operations.status())

    return (
        ("GET", "/v1/objects", objects),
        ("GET", "/v1/history", history),
        ("GET", "/v1/wait/{version}", wait),
        ("GET", "/v1/proxies", proxies),
        ("GET", "/v1/proxies/{namespace}/{name}/config", proxy_config),
        ("GET", "/v1/services", services),
        ("GET", "/v1/certificates", certificates),
        ("GET", "/v1/bundle", bundle),
        ("GET", "/v1/authority", authority),
        ("GET", "/v1/audit", audit),
        ("GET", "/v1/revocations", revocations),
        ("GET", "/v1/status", status),
    )


def _history_query(request: Request) -> HistoryQuery:
    asked = request.query_params
    words = [asked.get(key, "") for key in ("kind", "namespace", "name")]
    if any(words) and not all(words):
        raise wire.WireError("one object's history needs its kind, namespace and name")
    limit = _limit(request, DEFAULT_LIMIT)
    return HistoryQuery(ref=ObjectRef(*words) if all(words) else None, limit=limit)


def _limit(request: Request, default: int) -> int:
    try:
        limit = int(request.query_params.get("limit", default))
    except ValueError:
        raise wire.WireError("limit is a number") from None
    if not 1 <= limit <= MAX_LIMIT:
        raise wire.WireError(f"limit is from 1 to {MAX_LIMIT}")
    return limit


async def _progress(
    operations: AdminOperations, version: int, timeout_s: float, waits: Turns
) -> AsyncIterator[bytes]:
    """One line per status. The stream ends after a `done` one, or at the time limit without it; a failure on
    the way is a last line that is an ErrorReply, since the status line has gone out long before."""
    statuses = operations.wait(version)
    try:
        async with waits, asyncio.timeout(min(timeout_s, LONGEST_WAIT_S)):
            async for status in statuses:
                yield wire.encode(status) + b"\n"
                if status.done:
                    return
    except TimeoutError:
        return
    except tuple(kind for kind, _ in STATUS) as error:
        yield wire.encode(wire.ErrorReply(error=str(error))) + b"\n"


async def _read(request: Request, kind: type[T]) -> T:
    body = bytearray()
    try:
        async with asyncio.timeout(PATIENCE_S):
            async for chunk in request.stream():
                body += chunk
                if len(body) > MAX_BODY:
                    raise wire.WireError(
                        f"a request has at most {MAX_BODY >> 20} MiB; apply the files in several steps"
                    )
    except TimeoutError:
        raise wire.WireError(f"the request did not come in {PATIENCE_S:.0f} s") from None
    read, author = wire.decode(bytes(body), kind), request.scope.get(AUTHOR)
    # Who is known by name does not choose another.
    if author is not None and isinstance(read, msgspec.Struct) and "author" in read.__struct_fields__:
        return cast("T", msgspec.structs.replace(read, author=author))
    return read


def _reply(value: object) -> Response:
    status = 422 if isinstance(value, Problems) else 200
    return Response(wire.encode(value), status_code=status, media_type="application/json")


def _error(status: int, message: str) -> Response:
    return Response(
        wire.encode(wire.ErrorReply(error=message)), status_code=status, media_type="application/json"
    )


async def _failed(_request: Request, error: Exception) -> Response:
    return _error(next(status for kind, status in STATUS if isinstance(error, kind)), str(error))


async def _unknown_path(request: Request, error: Exception) -> Response:
    status = error.status_code if isinstance(error, HTTPException) else 404
    return _error(
        status,
        f"this control plane has no {request.method} {request.url.path}; is `proa` of another version than it?",
    )


async def _unexpected(request: Request, error: Exception) -> Response:
    log.error("admin request %s %s failed", request.method, request.url.path, exc_info=error)
    return _error(
        500, f"the control plane has a bug ({type(error).__name__}: {error}); see serve.log in its home"
    )
