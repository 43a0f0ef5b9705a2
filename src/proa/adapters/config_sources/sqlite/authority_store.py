"""The AuthorityStore over SQLite: tokens, grants and the audit of certificates and of the authority's keys."""

import sqlite3
from collections.abc import AsyncGenerator
from contextlib import aclosing

import msgspec
from immutables import Map

from proa.adapters.config_sources.sqlite.connection import Database, transaction
from proa.adapters.config_sources.sqlite.grouping import GroupedWrites
from proa.core.auth.grants import Grant, Placement
from proa.core.auth.revocation import Revocation
from proa.core.auth.tokens import TokenRecord, TokenRefused, redeemed
from proa.ports.authority_store import AuthorityEvent, EventKind, Issuance
from proa.ports.failures import StorePermanent

TOKEN_COLUMNS = "id, secret_sha256, node, placements, created, expires, uses"
ISSUANCE_COLUMNS = "serial, identity, dns_names, asked_by, not_before, not_after, time, issuer, root_sha256"
Row = tuple[str, str, str, str, float, float, int]


class SqliteAuthorityStore:
    """Keeps the contract of ports.authority_store.AuthorityStore; holds no state besides the file, and the
    issuances that wait for the commit under way."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._issued = GroupedWrites(database, _record)
        self._granted = database.wakeups()
        self._revoked = database.wakeups()

    async def put_token(self, record: TokenRecord) -> None:
        await self._database.run(lambda connection: _put_token(connection, record))

    async def token(self, token: str) -> TokenRecord | None:
        return await self._database.run(lambda connection: _token(connection, token))

    async def tokens(self) -> tuple[TokenRecord, ...]:
        return await self._database.run(_tokens)

    async def redeem(
        self, token: str, secret_sha256: str, node: str, now: float
    ) -> TokenRecord | TokenRefused:
        def job(connection: sqlite3.Connection) -> TokenRecord | TokenRefused:
            with transaction(connection):
                result = redeemed(_token(connection, token), secret_sha256, node, now)
                if isinstance(result, TokenRefused):
                    return result
                connection.execute("UPDATE tokens SET uses = ? WHERE id = ?", (result.uses, token))
                _put_grant(connection, result.grant)
            self._database.wake_from_job(self._granted)
            return result

        return await self._database.run(job)

    async def put_grant(self, grant: Grant) -> None:
        def job(connection: sqlite3.Connection) -> None:
            _put_grant(connection, grant)
            self._database.wake_from_job(self._granted)

        await self._database.run(job)

    async def remove_grant(self, node: str) -> bool:
        def job(connection: sqlite3.Connection) -> bool:
            removed = connection.execute("DELETE FROM grants WHERE node = ?", (node,)).rowcount > 0
            self._database.wake_from_job(self._granted)
            return removed

        return await self._database.run(job)

    async def grant_of(self, node: str) -> Grant | None:
        def job(connection: sqlite3.Connection) -> Grant | None:
            row = connection.execute("SELECT placements FROM grants WHERE node = ?", (node,)).fetchone()
            return None if row is None else Grant(node=node, placements=_placements(row[0]))

        return await self._database.run(job)

    async def grants(self) -> tuple[Grant, ...]:
        return await self._database.run(_grants)

    async def watch_grants(self) -> AsyncGenerator[tuple[Grant, ...]]:
        async with aclosing(self._database.watch(self._granted, _grants)) as all_grants:
            async for grants in all_grants:
                yield grants

    async def record_issuance(self, issuance: Issuance) -> None:
        await self._issued.put(issuance)

    async def issuances(self, identity: str | None = None, limit: int = 100) -> tuple[Issuance, ...]:
        condition, values = ("", ()) if identity is None else ("WHERE identity = ?", (identity,))
        return await self._database.run(lambda connection: _issuances(connection, condition, values, limit))

    async def issuance(self, serial: str) -> Issuance | None:
        def job(connection: sqlite3.Connection) -> Issuance | None:
            return next(iter(_issuances(connection, "WHERE serial = ?", (serial,), 1)), None)

        return await self._database.run(job)

    async def issued_by(self, asked_by: str, now: float, limit: int) -> tuple[Issuance, ...]:
        condition = "WHERE asked_by = ? AND not_after > ?"
        return await self._database.run(
            lambda connection: _issuances(connection, condition, (asked_by, now), limit)
        )

    async def put_revocation(self, revocation: Revocation) -> None:
        def job(connection: sqlite3.Connection) -> None:
            connection.execute(
                "INSERT OR REPLACE INTO revocations (key, record, time, over) VALUES (?,?,?,?)",
                (
                    revocation.key,
                    _text(revocation),
                    revocation.time,
                    revocation.lifted or revocation.ends or None,
                ),
            )
            self._database.wake_from_job(self._revoked)

        await self._database.run(job)

    async def revocations(self) -> tuple[Revocation, ...]:
        return await self._database.run(_revocations)

    async def watch_revocations(self) -> AsyncGenerator[tuple[Revocation, ...]]:
        async with aclosing(self._database.watch(self._revoked, _revocations)) as every:
            async for revocations in every:
                yield revocations

    async def holders(self, now: float) -> Map[str, int]:
        return await self._database.run(lambda connection: _holders(connection, now))

    async def record_event(self, event: AuthorityEvent) -> None:
        await self._database.run(lambda connection: _record_event(connection, event))

    async def events(self, limit: int = 100) -> tuple[AuthorityEvent, ...]:
        return await self._database.run(lambda connection: _events(connection, limit))

    async def prune(self, before: float, limit: int) -> int:
        return await self._database.run(lambda connection: _prune(connection, before, limit))


def _put_token(connection: sqlite3.Connection, record: TokenRecord) -> None:
    row: Row = (
        record.id,
        record.secret_sha256,
        record.node,
        _text(record.placements),
        record.created,
        record.expires,
        record.uses,
    )
    added = connection.execute(
        f"INSERT INTO tokens ({TOKEN_COLUMNS}) VALUES (?,?,?,?,?,?,?) ON CONFLICT DO NOTHING", row
    )
    if added.rowcount < 1:
        raise StorePermanent(f"there is a join token {record.id} already")


def _token(connection: sqlite3.Connection, token: str) -> TokenRecord | None:
    row: Row | None = connection.execute(
        f"SELECT {TOKEN_COLUMNS} FROM tokens WHERE id = ?", (token,)
    ).fetchone()
    return None if row is None else _to_record(row)


def _tokens(connection: sqlite3.Connection) -> tuple[TokenRecord, ...]:
    return tuple(map(_to_record, connection.execute(f"SELECT {TOKEN_COLUMNS} FROM tokens ORDER BY id")))


def _to_record(row: Row) -> TokenRecord:
    token, secret_sha256, node, placements, created, expires, uses = row
    return TokenRecord(
        id=token,
        secret_sha256=secret_sha256,
        node=node,
        placements=_placements(placements),
        created=created,
        expires=expires,
        uses=uses,
    )


def _put_grant(connection: sqlite3.Connection, grant: Grant) -> None:
    connection.execute(
        "INSERT OR REPLACE INTO grants (node, placements) VALUES (?, ?)",
        (grant.node, _text(grant.placements)),
    )


def _grants(connection: sqlite3.Connection) -> tuple[Grant, ...]:
    rows = connection.execute("SELECT node, placements FROM grants ORDER BY node")
    return tuple(Grant(node=node, placements=_placements(placements)) for node, placements in rows)


def _record(connection: sqlite3.Connection, issuance: Issuance) -> None:
    added = connection.execute(
        f"INSERT INTO issuances ({ISSUANCE_COLUMNS}) VALUES (?,?,?,?,?,?,?,?,?) ON CONFLICT (serial) DO NOTHING",
        (
            issuance.serial,
            issuance.identity,
            _text(issuance.dns_names),
            issuance.asked_by,
            issuance.not_before,
            issuance.not_after,
            issuance.time,
            issuance.issuer,
            issuance.root_sha256,
        ),
    )
    if added.rowcount < 1:
        raise StorePermanent(f"serial {issuance.serial} has been used before")


def _revocations(connection: sqlite3.Connection) -> tuple[Revocation, ...]:
    rows = connection.execute("SELECT record FROM revocations ORDER BY key")
    return tuple(msgspec.json.decode(record, type=Revocation) for (record,) in rows)


def _issuances(
    connection: sqlite3.Connection, condition: str, values: tuple[str | float, ...], limit: int
) -> tuple[Issuance, ...]:
    rows = connection.execute(
        f"SELECT {ISSUANCE_COLUMNS} FROM issuances {condition} ORDER BY number DESC LIMIT ?",
        (*values, limit),
    )
    return tuple(
        Issuance(
            serial=serial,
            identity=issued_to,
            dns_names=msgspec.json.decode(dns_names, type=tuple[str, ...]),
            asked_by=asked_by,
            not_before=not_before,
            not_after=not_after,
            time=time,
            issuer=issuer,
            root_sha256=root_sha256,
        )
        for serial, issued_to, dns_names, asked_by, not_before, not_after, time, issuer, root_sha256 in rows
    )


def _holders(connection: sqlite3.Connection, now: float) -> Map[str, int]:
    rows = connection.execute(
        "SELECT CASE WHEN asked_by LIKE 'token:%' THEN identity ELSE asked_by END AS holder, max(not_after) "
        "FROM issuances WHERE not_after > ? GROUP BY holder",
        (now,),
    )
    return Map({str(holder): int(not_after) for holder, not_after in rows})


def _record_event(connection: sqlite3.Connection, event: AuthorityEvent) -> None:
    connection.execute(
        "INSERT INTO authority_events (time, kind, subject, asked_by, detail) VALUES (?,?,?,?,?)",
        (event.time, event.kind, event.subject, event.asked_by, event.detail),
    )


def _events(connection: sqlite3.Connection, limit: int) -> tuple[AuthorityEvent, ...]:
    rows: list[tuple[float, EventKind, str, str, str]] = connection.execute(
        "SELECT time, kind, subject, asked_by, detail FROM authority_events ORDER BY number DESC LIMIT ?",
        (limit,),
    ).fetchall()
    return tuple(
        AuthorityEvent(time=time, kind=kind, subject=subject, asked_by=asked_by, detail=detail)
        for time, kind, subject, asked_by, detail in rows
    )


def _prune(connection: sqlite3.Connection, before: float, limit: int) -> int:
    with transaction(connection):
        tokens = connection.execute(
            "DELETE FROM tokens WHERE id IN (SELECT id FROM tokens WHERE expires < ? LIMIT ?)",
            (before, limit),
        )
        issuances = connection.execute(
            "DELETE FROM issuances WHERE number IN "
            "(SELECT number FROM issuances WHERE not_after < ? ORDER BY number LIMIT ?)",
            (before, limit),
        )
        events = connection.execute(
            "DELETE FROM authority_events WHERE number IN "
            "(SELECT number FROM authority_events WHERE time < ? ORDER BY number LIMIT ?)",
            (before, limit),
        )
        revocations = connection.execute(
            "DELETE FROM revocations WHERE key IN (SELECT key FROM revocations "
            "WHERE over < ? AND time < (SELECT max(time) FROM revocations) LIMIT ?)",
            (before, limit),
        )
        return tokens.rowcount + issuances.rowcount + events.rowcount + revocations.rowcount


def _text(values: tuple[Placement, ...] | tuple[str, ...] | Revocation) -> str:
    return msgspec.json.encode(values).decode()


def _placements(text: str) -> tuple[Placement, ...]:
    return msgspec.json.decode(text, type=tuple[Placement, ...])
