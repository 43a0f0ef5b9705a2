"""The one way to etcd: its JSON gateway, over HTTP, with time limits, other endpoints, and one table of failures.

Every method raises StoreTemporary when etcd cannot be reached, has no majority or is overloaded, and StorePermanent
when somebody must change something first. Reads are linearizable: what another control plane has committed is seen.

Of a transaction whose answer was lost nobody knows whether it happened. `settle` finds out: its transactions write a
value that nobody else writes, so the same one may be sent again, and found done.
"""

import asyncio
import ssl
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, suppress
from typing import Any, Final

import aiohttp
import msgspec

from proa.adapters.stores.etcd.address import EtcdAccess
from proa.adapters.stores.etcd.wire import (
    Committed,
    Compare,
    DeleteKey,
    Found,
    PutKey,
    Range,
    Tree,
    committed_of,
    event_keys,
    found_of,
    put_tree,
    range_tree,
    revision_of,
    transaction_tree,
    under,
)
from proa.ports.failures import StoreFailure, StorePermanent, StoreTemporary

TRY_S: Final = 2.0
"""For one endpoint to answer one call."""
CALL_S: Final = 5.0
"""For a call, all endpoints tried."""
SETTLE_S: Final = 8.0
RETRY_S: Final = 0.1
PAGE: Final = 200
"""Keys of one answer: with values of 256 KiB at most an answer stays far from this process's memory."""

UNAUTHENTICATED: Final = 16


class _NotDone(StoreTemporary):
    """Nobody has heard the call, or it was turned away: nothing has happened."""


class _Gone(StoreTemporary):
    """What was spoken of is not there any more (a lease that is over)."""


FAILURES: Final[dict[int, type[StoreFailure]]] = {
    1: StoreTemporary,  # cancelled
    2: StoreTemporary,  # unknown: etcd's "context deadline exceeded" among others
    3: StorePermanent,  # invalid argument: a request too large, a wrong password
    4: StoreTemporary,  # deadline exceeded
    5: _Gone,
    7: StorePermanent,  # permission denied
    8: _NotDone,  # exhausted: its disk quota, or too many requests
    9: StorePermanent,  # failed precondition: authentication is not enabled
    11: StoreTemporary,  # out of range: compacted
    12: StorePermanent,  # unimplemented: no etcd, or one without its gateway
    13: StoreTemporary,
    14: StoreTemporary,  # unavailable: no leader, no majority
    16: StorePermanent,  # unauthenticated
}
"""By gRPC code; an answer with another one is a bug and propagates as one."""

_UNREACHABLE: Final = (aiohttp.ClientError, TimeoutError, OSError)


class EtcdError(Exception):
    """What etcd said, with its code."""

    def __init__(self, code: int, message: str) -> None:
        super().__init__(message)
        self.code = code


class Etcd:
    """Made by `opened`. Keys given and returned are below the mesh's prefix, which is known here alone."""

    def __init__(self, access: EtcdAccess, session: aiohttp.ClientSession, password: str) -> None:
        self._access = access
        self._session = session
        self._password = password
        self._token = ""
        self._at = 0
        self._prefix = access.prefix
        self.revision = 0

    @property
    def label(self) -> str:
        return self._access.label

    @property
    def prefix(self) -> str:
        return self._prefix

    # -- what is asked --

    async def find(self, asked: Range) -> Found:
        whole = msgspec.structs.replace(
            asked, key=self._prefix + asked.key, end=self._prefix + asked.end if asked.end else ""
        )
        return self._stripped(found_of(await self._call("kv/range", range_tree(whole))))

    async def all_of(self, prefix: str, *, changed_since: int = 0, keys_only: bool = False) -> Found:
        """Everything below a prefix, page by page; of a page's moment, so a key may be newer than `revision`, which is
        the first page's: asking again from there misses nothing."""
        asked = under(prefix, limit=PAGE, changed_since=changed_since, keys_only=keys_only)
        first = page = await self.find(asked)
        values = list(page.values)
        while len(page.values) == PAGE:
            asked = msgspec.structs.replace(asked, key=page.values[-1].key + "\0")
            page = await self.find(asked)
            values += page.values
        return msgspec.structs.replace(first, values=tuple(values))

    async def put(self, key: str, value: bytes, *, lease: int = 0) -> None:
        await self._call("kv/put", put_tree(PutKey(key=self._prefix + key, value=value, lease=lease)))

    async def commit(
        self,
        compares: tuple[Compare, ...],
        operations: tuple[PutKey | DeleteKey, ...],
        otherwise: tuple[Range, ...] = (),
    ) -> Committed:
        """One transaction. When its answer is lost it may have happened: see `settle`."""
        tree = transaction_tree(
            tuple(msgspec.structs.replace(each, key=self._prefix + each.key) for each in compares),
            tuple(msgspec.structs.replace(each, key=self._prefix + each.key) for each in operations),
            tuple(msgspec.structs.replace(each, key=self._prefix + each.key) for each in otherwise),
        )
        done = committed_of(await self._call("kv/txn", tree, once=True))
        return msgspec.structs.replace(done, found=tuple(self._stripped(each) for each in done.found))

    async def delete(self, key: str) -> bool:
        done = await self.commit((), (DeleteKey(key=key),))
        return done.deleted > 0

    async def settle(
        self,
        key: str,
        value: bytes,
        *,
        modified: int,
        also: tuple[PutKey | DeleteKey, ...] = (),
        given: tuple[Compare, ...] = (),
    ) -> bool:
        """Writes `value`, which nobody else ever writes there, if the key is still as it was at `modified` (0: absent),
        and does `also` with it. False when somebody else was first. Raises StoreTemporary when nothing was done, or,
        saying so, when that could not be found out."""
        compares = (Compare(key=key, modified=modified), *given)
        operations = (PutKey(key=key, value=value), *also)
        give_up = asyncio.get_running_loop().time() + SETTLE_S
        is_unknown = False
        while True:
            try:
                done = await self.commit(compares, operations, (Range(key=key),))
            except StoreTemporary as error:
                is_unknown = is_unknown or not isinstance(error, _NotDone)
                if asyncio.get_running_loop().time() < give_up and is_unknown:
                    await asyncio.sleep(RETRY_S)
                    continue
                if not is_unknown:
                    raise
                raise StoreTemporary(
                    f"{error}; it is not known whether the change was made: look before trying again"
                ) from error
            if done.succeeded:
                return True
            return is_unknown and any(each.value == value for found in done.found for each in found.values)

    # -- leases of etcd's own --

    async def grant(self, ttl_s: int) -> int:
        return int((await self._call("lease/grant", {"TTL": str(ttl_s)}))["ID"])

    async def keep_alive(self, lease: int) -> bool:
        """False when the lease is over."""
        tree = await self._call("lease/keepalive", {"ID": str(lease)})
        return int(tree.get("result", {}).get("TTL", 0)) > 0

    async def revoke(self, lease: int) -> None:
        """Everything written under the lease goes at once; one that is over is no error."""
        with suppress(_Gone):
            await self._call("lease/revoke", {"ID": str(lease)})

    # -- watching --

    async def watch(self) -> AsyncGenerator[tuple[str, ...]]:
        """The keys below the prefix that change from now on; () first, when the watch stands. Ends when etcd ends it;
        raises as the calls do. A silent line is not noticed here: the reader has a clock."""
        asked = under(self._prefix)
        request = {"create_request": range_tree(Range(key=asked.key, end=asked.end))}
        try:
            async with self._session.post(
                f"{self._endpoint}/v3/watch",
                data=msgspec.json.encode(request),
                headers={**await self._headers(), "grpc-metadata-hasleader": "true"},
                timeout=aiohttp.ClientTimeout(total=None, connect=TRY_S, sock_connect=TRY_S),
            ) as answer:
                async for line in _lines(answer):
                    if "error" in line:
                        raise self._mapped(_error_of(line, answer.status))
                    told = line.get("result", {})
                    if told.get("canceled"):
                        return
                    keys = event_keys(told)
                    if keys or told.get("created"):
                        yield tuple(each.removeprefix(self._prefix) for each in keys)
        except EtcdError as error:
            raise self._mapped(error) from None
        except _UNREACHABLE as error:
            self._turn()
            raise self._unreachable(error) from error

    # -- inside --

    @property
    def _endpoint(self) -> str:
        return self._access.endpoints[self._at % len(self._access.endpoints)]

    def _turn(self) -> None:
        self._at += 1

    def _stripped(self, found: Found) -> Found:
        length = len(self._prefix)
        return msgspec.structs.replace(
            found,
            values=tuple(msgspec.structs.replace(each, key=each.key[length:]) for each in found.values),
        )

    async def _call(self, path: str, tree: Tree, *, once: bool = False) -> Tree:
        """One call, at the next endpoint when one cannot be reached. `once`: not again when it may have been heard."""
        deadline = asyncio.get_running_loop().time() + CALL_S
        body = msgspec.json.encode(tree)
        refused: StoreFailure | None = None
        for _ in self._access.endpoints:
            left = deadline - asyncio.get_running_loop().time()
            if left <= 0:
                break
            try:
                answer = await self._ask(path, body, min(TRY_S, left))
            except EtcdError as error:
                failure = self._mapped(error)
                if isinstance(failure, StorePermanent | _Gone) or once:
                    raise failure from None
                refused = failure
            except aiohttp.ClientConnectorError as error:
                refused = _NotDone(f"{self.label} cannot be reached: {_words(error)}")
            except _UNREACHABLE as error:
                refused = self._unreachable(error)
                if once:
                    self._turn()
                    raise refused from error
            else:
                self.revision = max(self.revision, revision_of(answer))
                return answer
            self._turn()
        raise refused or StoreTemporary(f"{self.label} does not answer")

    async def _ask(self, path: str, body: bytes, within_s: float) -> Tree:
        for has_renewed in (False, True):
            headers = await self._headers()
            async with (
                asyncio.timeout(within_s),
                self._session.post(f"{self._endpoint}/v3/{path}", data=body, headers=headers) as answer,
            ):
                tree = _tree_of(await answer.read())
            if answer.status == 200 and "error" not in tree:
                return tree
            error = _error_of(tree, answer.status)
            if error.code != UNAUTHENTICATED or has_renewed or not self._access.user:
                raise error
            self._token = ""  # etcd restarted, or the token's time is over
        raise AssertionError("unreachable")

    async def _headers(self) -> dict[str, str]:
        if not self._access.user:
            return {}
        if not self._token:
            request = {"name": self._access.user, "password": self._password}
            async with (
                asyncio.timeout(TRY_S),
                self._session.post(
                    f"{self._endpoint}/v3/auth/authenticate", data=msgspec.json.encode(request)
                ) as answer,
            ):
                tree = _tree_of(await answer.read())
            if answer.status != 200 or "token" not in tree:
                raise _error_of(tree, answer.status)
            self._token = str(tree["token"])
        return {"authorization": self._token}

    def _mapped(self, error: EtcdError) -> StoreFailure:
        kind = FAILURES.get(error.code)
        if kind is None:
            raise error
        hint = ""
        if "database space exceeded" in str(error):
            hint = ": its quota is used up; compact, defragment and disarm its alarm (etcd's page on maintenance)"
        return kind(f"{self.label}: {error}{hint}")

    def _unreachable(self, error: BaseException) -> StoreTemporary:
        return StoreTemporary(f"{self.label} does not answer: {_words(error)}")


def _words(error: BaseException) -> str:
    return str(error) or type(error).__name__


def _error_of(tree: Tree, status: int) -> EtcdError:
    said: Any = tree.get("error")
    if isinstance(said, dict):  # how a stream spells it
        code = said.get("grpc_code") or said.get("code") or 2
        return EtcdError(int(code), str(said.get("message", said)))
    if said is None and status >= 500:  # a proxy in front of it
        return EtcdError(14, f"it answered {status}")
    if said is None:
        return EtcdError(12, f"it answered {status}: this is no etcd, or its JSON gateway is switched off")
    return EtcdError(int(tree.get("code", 2)), str(said))


def _tree_of(body: bytes) -> Tree:
    try:
        tree = msgspec.json.decode(body)
    except msgspec.DecodeError:
        return {}
    return tree if isinstance(tree, dict) else {}


async def _lines(answer: aiohttp.ClientResponse) -> AsyncGenerator[Tree]:
    """One JSON object per line, of any length."""
    waiting = b""
    async for chunk in answer.content.iter_any():
        *lines, waiting = (waiting + chunk).split(b"\n")
        for line in lines:
            if line.strip():
                yield _tree_of(line)
    if waiting.strip():
        yield _tree_of(waiting)


@asynccontextmanager
async def opened(access: EtcdAccess) -> AsyncGenerator[Etcd]:
    """A client; nothing is asked yet. Raises StorePermanent for files that cannot be used."""
    password, tls = await asyncio.to_thread(_read_files, access)
    connector = aiohttp.TCPConnector(ssl=tls if tls is not None else True, limit=64)
    async with aiohttp.ClientSession(
        connector=connector, trust_env=False, headers={"content-type": "application/json"}
    ) as session:
        yield Etcd(access, session, password)


def _read_files(access: EtcdAccess) -> tuple[str, ssl.SSLContext | None]:
    try:
        password = access.password_file.read_text().strip("\r\n") if access.password_file else ""
        if not access.is_tls:
            return password, None
        context = ssl.create_default_context(cafile=str(access.ca_file) if access.ca_file else None)
        if access.cert_file is not None:
            context.load_cert_chain(access.cert_file, access.key_file)
        return password, context
    except (OSError, ssl.SSLError) as error:
        raise StorePermanent(f"a file for {access.label} cannot be used: {_words(error)}") from error
