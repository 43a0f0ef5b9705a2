"""Secrets as a Kubernetes API server has them: paths, shapes, statuses and the comparing of resource versions of its
documentation (v1), over HTTPS with a token. None is in a distribution that we test on."""

import contextlib
import ssl
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

from aiohttp import web

from proa.adapters.key_stores.kubernetes import SecretAccess
from proa.servers.asgi import bind_tcp
from tests.certificates import Authority

TOKEN = "token-of-the-service-account"


class ApiServer:
    """`secrets` by name, of one namespace. `status` other than 0 answers everything; `lost` writes are done and their
    answers are not: the connection ends. `may` are the verbs that the account was given, `verbs` what was
    asked, `written` what was done."""

    def __init__(self) -> None:
        self.secrets: dict[str, dict[str, Any]] = {}
        self.status = 0
        self.lost = 0
        self.may = {"get", "create", "update"}
        self.verbs: list[str] = []
        self.written: list[str] = []
        self._revision = 100

    async def handle(self, request: web.Request) -> web.StreamResponse:
        verb = {"GET": "get", "POST": "create", "PUT": "update"}.get(request.method, "?")
        self.verbs.append(verb)
        name = request.match_info.get("name", "")
        if request.headers.get("authorization") != f"Bearer {TOKEN}":
            return refusal(401, "Unauthorized", "Unauthorized")
        if self.status:
            return refusal(self.status, "ServiceUnavailable", "the server is currently unable")
        if request.match_info["namespace"] != "proa-system":
            return refusal(404, "NotFound", 'namespaces "x" not found')
        if verb not in self.may:
            who = "system:serviceaccount:proa-system:proa"
            return refusal(403, "Forbidden", f'secrets "{name}" is forbidden: User "{who}" cannot {verb}')
        if verb == "get":
            found = self.secrets.get(name)
            return (
                web.json_response(found) if found else refusal(404, "NotFound", f'secrets "{name}" not found')
            )
        answer = self._written(verb, name, await request.json())
        if self.lost and answer.status < 300:
            self.lost -= 1
            assert request.transport is not None
            request.transport.abort()
        return answer

    def _written(self, verb: str, name: str, body: dict[str, Any]) -> web.Response:
        assert (body["kind"], body["apiVersion"], body["type"]) == ("Secret", "v1", "Opaque")
        name = name or body["metadata"]["name"]
        kept = self.secrets.get(name)
        if verb == "create" and kept:
            return refusal(409, "AlreadyExists", f'secrets "{name}" already exists')
        if verb == "update":
            if not kept:
                return refusal(404, "NotFound", f'secrets "{name}" not found')
            if body["metadata"]["resourceVersion"] != kept["metadata"]["resourceVersion"]:
                return refusal(409, "Conflict", f'Operation cannot be fulfilled on secrets "{name}"')
        self._revision += 1
        self.written.append(verb)
        told = {"uid": f"u-{name}", "resourceVersion": str(self._revision)}
        self.secrets[name] = {**body, "metadata": {**body["metadata"], **told}}
        return web.json_response(self.secrets[name], status=201 if verb == "create" else 200)

    def make_empty(self, name: str) -> None:
        """As `kubectl create secret generic NAME`, with what its owner wrote on it."""
        self._revision += 1
        metadata = {
            "name": name,
            "namespace": "proa-system",
            "resourceVersion": str(self._revision),
            "annotations": {"owner": "ann"},
        }
        self.secrets[name] = {"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "type": "Opaque"}


def refusal(code: int, reason: str, message: str) -> web.Response:
    status = {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure"}
    return web.json_response({**status, "message": message, "reason": reason, "code": code}, status=code)


@contextlib.asynccontextmanager
async def api_server(folder: Path, server: ApiServer) -> AsyncIterator[SecretAccess]:
    app = web.Application(client_max_size=8 << 20)
    for path in ("", "/{name}"):
        app.router.add_route("*", "/api/v1/namespaces/{namespace}/secrets" + path, server.handle)
    https = Authority(folder)
    served = https.issue("localhost")
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(served.cert, served.key)
    (folder / "token").write_text(TOKEN + "\n")
    runner = web.AppRunner(app)
    await runner.setup()
    try:
        bound = bind_tcp("127.0.0.1", 0)
        await web.SockSite(runner, bound, ssl_context=tls).start()
        yield SecretAccess(
            namespace="proa-system",
            name="proa-ca",
            server=f"https://localhost:{bound.getsockname()[1]}",
            token_file=folder / "token",
            ca_file=https.roots,
        )
    finally:
        await runner.cleanup()
