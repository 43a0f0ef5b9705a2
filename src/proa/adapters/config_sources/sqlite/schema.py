"""The tables of store.db and how an older file becomes a newer one.

A migration is never edited once released: the next change is a new entry at the end. The file says in
`user_version` how many of them it has seen, and in `application_id` that it is Proa's.
"""

import sqlite3
from pathlib import Path
from typing import Final

from proa.ports.failures import StorePermanent

APPLICATION_ID: Final = 0x70726F61  # "proa"

MIGRATIONS: Final = (
    """
    CREATE TABLE versions (
        version INTEGER PRIMARY KEY, author TEXT NOT NULL, time REAL NOT NULL
    ) STRICT;
    CREATE TABLE objects (
        kind TEXT NOT NULL, namespace TEXT NOT NULL, name TEXT NOT NULL,
        api_version TEXT NOT NULL, manifest TEXT NOT NULL, file TEXT NOT NULL, line INTEGER NOT NULL,
        version INTEGER NOT NULL REFERENCES versions, created REAL NOT NULL,
        PRIMARY KEY (kind, namespace, name)
    ) STRICT, WITHOUT ROWID;
    CREATE TABLE changes (
        version INTEGER NOT NULL REFERENCES versions,
        kind TEXT NOT NULL, namespace TEXT NOT NULL, name TEXT NOT NULL,
        action TEXT NOT NULL CHECK (action IN ('created', 'changed', 'deleted')),
        api_version TEXT NOT NULL, manifest TEXT NOT NULL, file TEXT NOT NULL, line INTEGER NOT NULL,
        PRIMARY KEY (version, kind, namespace, name)
    ) STRICT, WITHOUT ROWID;
    CREATE INDEX changes_of_object ON changes (kind, namespace, name, version);
    CREATE TABLE tokens (
        id TEXT PRIMARY KEY, secret_sha256 TEXT NOT NULL, node TEXT NOT NULL, placements TEXT NOT NULL,
        created REAL NOT NULL, expires REAL NOT NULL, uses INTEGER NOT NULL CHECK (uses >= 0)
    ) STRICT, WITHOUT ROWID;
    CREATE TABLE grants (node TEXT PRIMARY KEY, placements TEXT NOT NULL) STRICT, WITHOUT ROWID;
    CREATE TABLE issuances (
        number INTEGER PRIMARY KEY, serial TEXT NOT NULL UNIQUE, identity TEXT NOT NULL,
        dns_names TEXT NOT NULL, asked_by TEXT NOT NULL,
        not_before INTEGER NOT NULL, not_after INTEGER NOT NULL, time REAL NOT NULL
    ) STRICT;
    CREATE INDEX issuances_of_identity ON issuances (identity, number);
    """,
    """
    CREATE TABLE leases (node TEXT PRIMARY KEY, state BLOB NOT NULL, time REAL NOT NULL) STRICT, WITHOUT ROWID
    """,
    # A version says why it was made; a change says how old its object is, so that a rollback brings back its age.
    """
    ALTER TABLE versions ADD COLUMN note TEXT NOT NULL DEFAULT '';
    ALTER TABLE changes ADD COLUMN created REAL NOT NULL DEFAULT 0;
    UPDATE changes SET created = (
        SELECT time FROM changes AS earlier JOIN versions USING (version)
        WHERE earlier.kind = changes.kind AND earlier.namespace = changes.namespace
            AND earlier.name = changes.name AND earlier.version <= changes.version AND earlier.action = 'created'
        ORDER BY earlier.version DESC LIMIT 1
    ) WHERE action != 'deleted'
    """,
    # The audit says which key signed, what was refused, and what became of the authority's own keys.
    """
    ALTER TABLE issuances ADD COLUMN issuer TEXT NOT NULL DEFAULT '';
    ALTER TABLE issuances ADD COLUMN root_sha256 TEXT NOT NULL DEFAULT '';
    CREATE INDEX issuances_by_end ON issuances (not_after);
    CREATE TABLE authority_events (
        number INTEGER PRIMARY KEY, time REAL NOT NULL, kind TEXT NOT NULL, subject TEXT NOT NULL,
        asked_by TEXT NOT NULL, detail TEXT NOT NULL
    ) STRICT
    """,
    # What is refused before its end. `over` is when it stopped to hold, or will; NULL for never.
    """
    CREATE TABLE revocations (
        key TEXT PRIMARY KEY, record TEXT NOT NULL, time REAL NOT NULL, over REAL
    ) STRICT, WITHOUT ROWID;
    CREATE INDEX issuances_of_asker ON issuances (asked_by, number)
    """,
)
SCHEMA_VERSION: Final = len(MIGRATIONS)


def migrate(connection: sqlite3.Connection, file: str) -> None:
    """Brings the file to SCHEMA_VERSION, in one transaction. Raises StorePermanent for a file that is not
    Proa's, or newer than this program: older code does not know what newer tables mean."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        found = schema_version(connection, file)
        for migration in MIGRATIONS[found:]:
            for statement in migration.split(";"):
                connection.execute(statement)
        if found < SCHEMA_VERSION:
            connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
            connection.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")
    except BaseException:
        connection.execute("ROLLBACK")
        raise
    connection.execute("COMMIT")


def schema_version(connection: sqlite3.Connection, file: str) -> int:
    """How many migrations the file has seen. Raises StorePermanent for one that this program must not touch."""
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    (application,) = connection.execute("PRAGMA application_id").fetchone()
    (tables,) = connection.execute("SELECT count(*) FROM sqlite_schema").fetchone()
    if tables and application != APPLICATION_ID:
        raise StorePermanent(f"{file} is an SQLite file, but not Proa's: use another path")
    if version > SCHEMA_VERSION:
        raise StorePermanent(
            f"{file} was written by a newer Proa: it has schema {version}, this program knows up to "
            f"{SCHEMA_VERSION}. Start the newer version again; or, to go back to this one and lose what was changed "
            f"since the upgrade, put the copy made then in its place: "
            f"{Path(file).parent / 'backups'} has before-upgrade-of-schema-*.db; remove {Path(file).name}-wal and "
            f"{Path(file).name}-shm with it."
        )
    return int(version)
