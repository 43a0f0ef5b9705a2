"""The AuthorityStore over etcd. What must happen once, happens by comparing: of two control planes that are brought the
same token at the same moment one writes it, and the other finds that it was used.
"""

import secrets
from collections.abc import AsyncGenerator, Callable
from itertools import count
from typing import Final

import msgspec
from immutables import Map

from proa.adapters.stores.etcd.client import Etcd
from proa.adapters.stores.etcd.following import Bells, Mirror
from proa.adapters.stores.etcd.wire import Compare, DeleteKey, KeyValue, PutKey, Range, under
from proa.core.auth.grants import Grant
from proa.core.auth.revocation import Revocation
from proa.core.auth.tokens import TokenRecord, TokenRefused, redeemed
from proa.ports.authority_store import AuthorityEvent, Issuance
from proa.ports.failures import StorePermanent, StoreTemporary

TOKENS: Final = "tokens/"
GRANTS: Final = "grants/"
SERIALS: Final = "serials/"
ISSUANCES: Final = "issuances/"
EVENTS: Final = "events/"
REVOCATIONS: Final = "revocations/"
PAGE: Final = 200
TRIES: Final = 20
PRUNED_AT_ONCE: Final = 24
"""Of tokens, certificates, events and revocations each in one step: five keys together, of etcd's 128."""
FAR_MICROSECONDS: Final = 10**17
"""Keys count down from here, so that the newest comes first."""


class KeptToken(msgspec.Struct, frozen=True, kw_only=True):
    """`writer` is random and makes every writing unlike all others."""

    record: TokenRecord
    writer: str


class EtcdAuthorityStore:
    """Keeps the contract of ports.authority_store.AuthorityStore; made by `open_etcd_stores`."""

    def __init__(self, etcd: Etcd, bells: Bells) -> None:
        self._etcd = etcd
        self._bells = bells
        self._granted = Mirror(etcd, GRANTS)
        self._revoked = Mirror(etcd, REVOCATIONS)
        self._numbers = count(1)

    # -- tokens and grants --

    async def put_token(self, record: TokenRecord) -> None:
        if not await self._etcd.settle(TOKENS + record.id, _kept(record), modified=0):
            raise StorePermanent(f"there is a join token {record.id} already")

    async def token(self, token: str) -> TokenRecord | None:
        found = (await self._etcd.find(Range(key=TOKENS + token))).values
        return _token(found[0].value).record if found else None

    async def tokens(self) -> tuple[TokenRecord, ...]:
        found = await self._etcd.all_of(TOKENS)
        return tuple(_token(each.value).record for each in found.values)

    async def redeem(
        self, token: str, secret_sha256: str, node: str, now: float
    ) -> TokenRecord | TokenRefused:
        key = TOKENS + token
        for _ in range(TRIES):
            kept = (await self._etcd.find(Range(key=key))).values
            record = _token(kept[0].value).record if kept else None
            result = redeemed(record, secret_sha256, node, now)
            if isinstance(result, TokenRefused):
                return result
            grant = PutKey(key=GRANTS + result.node, value=msgspec.json.encode(result.grant))
            if await self._etcd.settle(key, _kept(result), modified=kept[0].modified, also=(grant,)):
                return result
        raise StoreTemporary(f"{self._etcd.label}: others keep using join token {token}")

    async def put_grant(self, grant: Grant) -> None:
        await self._etcd.put(GRANTS + grant.node, msgspec.json.encode(grant))

    async def remove_grant(self, node: str) -> bool:
        return await self._etcd.delete(GRANTS + node)

    async def grant_of(self, node: str) -> Grant | None:
        found = (await self._etcd.find(Range(key=GRANTS + node))).values
        return msgspec.json.decode(found[0].value, type=Grant) if found else None

    async def grants(self) -> tuple[Grant, ...]:
        found = await self._granted.refresh()
        return tuple(msgspec.json.decode(each.value, type=Grant) for each in found.values())

    async def watch_grants(self) -> AsyncGenerator[tuple[Grant, ...]]:
        async for grants in self._bells.follow((GRANTS,), self.grants):
            yield grants

    # -- the audit --

    async def record_issuance(self, issuance: Issuance) -> None:
        key = self._newest_first(ISSUANCES, issuance.time, issuance.serial)
        entry = PutKey(key=key, value=msgspec.json.encode(issuance))
        if not await self._etcd.settle(SERIALS + issuance.serial, key.encode(), modified=0, also=(entry,)):
            raise StorePermanent(f"serial {issuance.serial} has been used before")

    def _newest_first(self, prefix: str, time: float, name: str) -> str:
        """A key that sorts by time, then by the order in which this process wrote; `name` makes it unique."""
        moment = FAR_MICROSECONDS - int(time * 1_000_000)
        return f"{prefix}{moment:018d}-{10**12 - next(self._numbers):013d}-{name}"

    async def issuances(self, identity: str | None = None, limit: int = 100) -> tuple[Issuance, ...]:
        told: list[Issuance] = []
        async for each in self._each(ISSUANCES):
            issuance = _issuance(each)
            if identity in (None, issuance.identity):
                told.append(issuance)
            if len(told) >= limit:
                break
        return tuple(told[:limit])

    async def issuance(self, serial: str) -> Issuance | None:
        place = (await self._etcd.find(Range(key=SERIALS + serial))).values
        found = (await self._etcd.find(Range(key=place[0].value.decode()))).values if place else ()
        return _issuance(found[0]) if found else None

    async def issued_by(self, asked_by: str, now: float, limit: int) -> tuple[Issuance, ...]:
        told: list[Issuance] = []
        async for each in self._each(ISSUANCES):
            issuance = _issuance(each)
            if issuance.asked_by == asked_by and issuance.not_after > now:
                told.append(issuance)
            if len(told) >= limit:
                break
        return tuple(told)

    async def put_revocation(self, revocation: Revocation) -> None:
        await self._etcd.put(REVOCATIONS + revocation.key, msgspec.json.encode(revocation))

    async def revocations(self) -> tuple[Revocation, ...]:
        found = await self._revoked.refresh()
        return tuple(_revocation(found[key].value) for key in sorted(found))

    async def watch_revocations(self) -> AsyncGenerator[tuple[Revocation, ...]]:
        async for revocations in self._bells.follow((REVOCATIONS,), self.revocations):
            yield revocations

    async def holders(self, now: float) -> Map[str, int]:
        ends: dict[str, int] = {}
        async for each in self._each(ISSUANCES):
            issuance = _issuance(each)
            holder = issuance.identity if issuance.asked_by.startswith("token:") else issuance.asked_by
            if issuance.not_after > now:
                ends[holder] = max(ends.get(holder, 0), issuance.not_after)
        return Map(ends)

    async def record_event(self, event: AuthorityEvent) -> None:
        key = self._newest_first(EVENTS, event.time, secrets.token_hex(8))
        await self._etcd.put(key, msgspec.json.encode(event))

    async def events(self, limit: int = 100) -> tuple[AuthorityEvent, ...]:
        told: list[AuthorityEvent] = []
        async for each in self._each(EVENTS):
            if len(told) >= limit:
                break
            told.append(msgspec.json.decode(each.value, type=AuthorityEvent))
        return tuple(told)

    async def _each(self, prefix: str) -> AsyncGenerator[KeyValue]:
        asked = under(prefix, limit=PAGE)
        while True:
            page = (await self._etcd.find(asked)).values
            for each in page:
                yield each
            if len(page) < PAGE:
                return
            asked = msgspec.structs.replace(asked, key=page[-1].key + "\0")

    async def prune(self, before: float, limit: int) -> int:
        limit = min(limit, PRUNED_AT_ONCE)
        tokens = await self._first(TOKENS, limit, lambda each: _token(each.value).record.expires < before)
        ended = await self._first(ISSUANCES, limit, lambda each: _issuance(each).not_after < before)
        events = await self._first(EVENTS, limit, lambda each: _event(each).time < before)
        newest = max((each.time for each in await self.revocations()), default=0.0)
        over = await self._first(
            REVOCATIONS, limit, lambda each: _is_over(_revocation(each.value), before, newest)
        )
        if not tokens and not ended and not events and not over:
            return 0
        gone = [DeleteKey(key=each.key) for each in (*tokens, *ended, *events, *over)]
        gone += [DeleteKey(key=SERIALS + _issuance(each).serial) for each in ended]
        unchanged = tuple(Compare(key=each.key, modified=each.modified) for each in tokens)
        done = await self._etcd.commit(unchanged, tuple(gone))
        return len(tokens) + len(ended) + len(events) + len(over) if done.succeeded else 0

    async def _first(self, prefix: str, limit: int, holds: Callable[[KeyValue], bool]) -> list[KeyValue]:
        """The first so many below a prefix for which it holds; reads all of them when there are fewer."""
        found: list[KeyValue] = []
        async for each in self._each(prefix):
            if len(found) >= limit:
                break
            if holds(each):
                found.append(each)
        return found


def _kept(record: TokenRecord) -> bytes:
    return msgspec.json.encode(KeptToken(record=record, writer=secrets.token_hex(8)))


def _token(value: bytes) -> KeptToken:
    return msgspec.json.decode(value, type=KeptToken)


def _issuance(each: KeyValue) -> Issuance:
    return msgspec.json.decode(each.value, type=Issuance)


def _revocation(value: bytes) -> Revocation:
    return msgspec.json.decode(value, type=Revocation)


def _is_over(revocation: Revocation, before: float, newest: float) -> bool:
    over = revocation.lifted or revocation.ends
    return bool(over) and over < before and revocation.time < newest


def _event(each: KeyValue) -> AuthorityEvent:
    return msgspec.json.decode(each.value, type=AuthorityEvent)
