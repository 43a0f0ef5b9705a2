"""One Secret over the Kubernetes API: read, made, written in place of the version that was read. REST over HTTPS.

The whole object is written back as it was read, but for its data: labels and annotations are their owners'.
"""

import io
import ssl
from collections.abc import Mapping
from pathlib import Path
from typing import Final, Literal

import aiohttp
import msgspec

from proa.ports.failures import StorePermanent, StoreTemporary

PATIENCE_S: Final = 5.0
MAX_ANSWER: Final = 4 << 20
"""Bytes. A Secret has at most one MiB of data, which base64 makes longer."""
TEMPORARY: Final = frozenset((408, 425, 429, 500, 502, 503, 504))
SERVICE_ACCOUNT: Final = Path("/var/run/secrets/kubernetes.io/serviceaccount")

Tree = dict[str, object]
Written = Literal["written", "outdated"]


class SecretAccess(msgspec.Struct, frozen=True, kw_only=True):
    """Which Secret, and how the API server lets us in. `token_file` and `ca_file` are read for each call, because
    kubelets replace them."""

    namespace: str
    name: str
    server: str = "https://kubernetes.default.svc"
    token_file: Path = SERVICE_ACCOUNT / "token"
    ca_file: Path = SERVICE_ACCOUNT / "ca.crt"

    def __str__(self) -> str:
        return f"Secret {self.namespace}/{self.name} at {self.server}"


class AnswerLost(StoreTemporary):
    """Nobody knows whether the write was done."""


class Secret(msgspec.Struct, frozen=True, kw_only=True):
    """What was read: `data` as it stands there, in base64; `tree` is all of it."""

    data: Mapping[str, str]
    tree: Tree


class _Metadata(msgspec.Struct, kw_only=True):
    resource_version: str = msgspec.field(name="resourceVersion", default="")


class _Shape(msgspec.Struct, kw_only=True):
    metadata: _Metadata
    data: dict[str, str] | None = None
    immutable: bool = False


class _Status(msgspec.Struct, kw_only=True):
    message: str = ""
    reason: str = ""


class SecretApi:
    """Calls are few: at a start and at rotations. Every method may raise StoreTemporary or StorePermanent."""

    def __init__(self, access: SecretAccess) -> None:
        self.access = access

    async def read(self) -> Secret | None:
        """None when there is none."""
        status, body = await self._asked("GET", self._path)
        if status == 404:
            return None
        if status != 200:
            raise self._failure("cannot be read", status, body)
        try:
            tree, shape = (msgspec.json.decode(body, type=kind) for kind in (Tree, _Shape))
        except msgspec.DecodeError as error:
            raise StorePermanent(f"{self.access} answers nothing that an API server would: {error}") from None
        assert isinstance(shape, _Shape)
        assert isinstance(tree, dict)
        if shape.immutable:
            raise StorePermanent(f"{self.access} is immutable: keys are replaced in their time")
        if not shape.metadata.resource_version:
            raise StorePermanent(f"{self.access} has no resourceVersion")
        return Secret(data=shape.data or {}, tree=tree)

    async def make(self, data: Mapping[str, str]) -> Written:
        """A new one; `outdated` when somebody else was first."""
        tree: Tree = {
            "apiVersion": "v1",
            "kind": "Secret",
            "metadata": {
                "name": self.access.name,
                "namespace": self.access.namespace,
                "labels": {"app.kubernetes.io/managed-by": "proa"},
            },
            "type": "Opaque",
            "data": dict(data),
        }
        status, body = await self._asked("POST", self._folder, tree)
        if status == 409:
            return "outdated"
        if status not in (200, 201):
            raise self._failure("cannot be made", status, body)
        return "written"

    async def write(self, secret: Secret, data: Mapping[str, str]) -> Written:
        """In place of what was read; `outdated` when it is another by now, or gone."""
        status, body = await self._asked("PUT", self._path, {**secret.tree, "data": dict(data)})
        if status in (404, 409):
            return "outdated"
        if status != 200:
            raise self._failure("cannot be written", status, body)
        return "written"

    @property
    def _folder(self) -> str:
        return f"{self.access.server.rstrip('/')}/api/v1/namespaces/{self.access.namespace}/secrets"

    @property
    def _path(self) -> str:
        return f"{self._folder}/{self.access.name}"

    async def _asked(self, method: str, url: str, body: Tree | None = None) -> tuple[int, bytes]:
        try:
            tls = ssl.create_default_context(cafile=str(self.access.ca_file))
            token = self.access.token_file.read_text().strip()
        except (OSError, ssl.SSLError) as error:
            raise StorePermanent(
                f"{self.access}: {error.filename or self.access.ca_file} cannot be used: {error}"
            ) from None
        headers = {"authorization": f"Bearer {token}", "accept": "application/json"}
        if body is not None:
            headers["content-type"] = "application/json"
        sent = io.BytesIO(msgspec.json.encode(body)) if body is not None else None
        timeout = aiohttp.ClientTimeout(total=PATIENCE_S)
        try:
            async with (
                aiohttp.ClientSession(trust_env=False, timeout=timeout) as http,
                http.request(
                    method, url, data=sent, headers=headers, ssl=tls, allow_redirects=False
                ) as reply,
            ):
                answer = b""
                while len(answer) < MAX_ANSWER and (part := await reply.content.read(MAX_ANSWER)):
                    answer += part
                return reply.status, answer
        except aiohttp.ClientConnectorError as error:
            raise StoreTemporary(f"{self.access} cannot be reached: {error}", 1.0) from None
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            what = str(error) or type(error).__name__
            raise AnswerLost(f"{self.access}: no answer: {what}", 1.0) from None

    def _failure(self, what: str, status: int, body: bytes) -> StoreTemporary | StorePermanent:
        try:
            said = msgspec.json.decode(body, type=_Status)
            why = (said.message or said.reason)[:300] or "it does not say why"
        except msgspec.DecodeError:
            why = "it does not say why"
        text = f"{self.access} {what} ({status}): {why}"
        # A proxy's word in front of an API server is nobody's word about the write behind it.
        return AnswerLost(text, 1.0) if status in TEMPORARY else StorePermanent(text)
