"""An UpstreamAuthority over Vault's `POST /v1/<mount>/root/sign-intermediate`."""

import ssl
from pathlib import Path
from typing import Final

import aiohttp
import msgspec

from proa.ports.failures import StorePermanent, StoreTemporary

PATIENCE_S: Final = 15.0
MAX_ANSWER: Final = 1 << 20
TEMPORARY: Final = frozenset((408, 412, 429, 472, 473, 500, 502, 503, 504))
"""Statuses after which the same call may succeed: overload, standby nodes, a sealed Vault (503)."""


class VaultAccess(msgspec.Struct, frozen=True, kw_only=True):
    """`address` is `https://host:8200`, `mount` where the PKI engine is. `token_file` is read for each call, because
    Vault's agent replaces it. `ca_file` None: the system's roots. `namespace` is Vault Enterprise's."""

    address: str
    mount: str = "pki"
    token_file: Path
    ca_file: Path | None = None
    namespace: str = ""


class _Data(msgspec.Struct, kw_only=True):
    certificate: str
    issuing_ca: str = ""
    ca_chain: tuple[str, ...] = ()


class _Answer(msgspec.Struct, kw_only=True):
    data: _Data


class _Errors(msgspec.Struct, kw_only=True):
    errors: tuple[str, ...] = ()


class VaultAuthority:
    """Keeps the contract of ports.upstream_authority.UpstreamAuthority."""

    def __init__(self, access: VaultAccess) -> None:
        self._access = access

    async def sign_ca(self, csr_pem: str, ttl_s: int) -> str:
        access = self._access
        url = f"{access.address.rstrip('/')}/v1/{access.mount.strip('/')}/root/sign-intermediate"
        asked = {
            "csr": csr_pem,
            "ttl": f"{ttl_s}s",
            "format": "pem",
            "use_csr_values": True,
            "max_path_length": 0,
        }
        status, body = await self._asked(url, asked)
        if status in TEMPORARY:
            raise StoreTemporary(f"Vault at {access.address} answers {status}: {_said(body)}", 5.0)
        if status != 200:
            raise StorePermanent(f"Vault at {access.address} refuses to sign a CA ({status}): {_said(body)}")
        try:
            data = msgspec.json.decode(body, type=_Answer).data
        except msgspec.DecodeError as error:
            raise StorePermanent(f"{url} answers nothing that Vault would: {error}") from None
        above = data.ca_chain or ((data.issuing_ca,) if data.issuing_ca else ())
        return "".join(f"{each.strip()}\n" for each in (data.certificate, *above))

    async def roots(self) -> str:
        return ""

    async def _asked(self, url: str, body: dict[str, object]) -> tuple[int, bytes]:
        access = self._access
        try:
            tls = ssl.create_default_context(cafile=str(access.ca_file) if access.ca_file else None)
            headers = {"x-vault-token": access.token_file.read_text().strip(), "x-vault-request": "true"}
        except OSError as error:
            raise StorePermanent(f"{error.filename} cannot be read: {error.strerror}") from None
        if access.namespace:
            headers["x-vault-namespace"] = access.namespace
        timeout = aiohttp.ClientTimeout(total=PATIENCE_S)
        try:
            async with (
                aiohttp.ClientSession(trust_env=False, timeout=timeout) as http,
                http.post(
                    url, data=msgspec.json.encode(body), headers=headers, ssl=tls, allow_redirects=False
                ) as reply,
            ):
                answer = b""
                while len(answer) < MAX_ANSWER and (part := await reply.content.read(MAX_ANSWER)):
                    answer += part
                return reply.status, answer
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise StoreTemporary(f"Vault at {access.address} cannot be reached: {error}", 5.0) from None


def _said(body: bytes) -> str:
    try:
        return "; ".join(msgspec.json.decode(body, type=_Errors).errors)[:300] or "it does not say why"
    except msgspec.DecodeError:
        return "it does not say why"
