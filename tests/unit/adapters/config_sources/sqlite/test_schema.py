import sqlite3
from contextlib import closing

import pytest

from proa.adapters.config_sources.sqlite.schema import APPLICATION_ID, MIGRATIONS, SCHEMA_VERSION, migrate
from proa.ports.failures import StorePermanent


def opened() -> sqlite3.Connection:
    return sqlite3.connect(":memory:", isolation_level=None)


def test_a_new_file_gets_the_whole_schema_and_its_marks() -> None:
    with closing(opened()) as connection:
        migrate(connection, "store.db")
        tables = {
            name for (name,) in connection.execute("SELECT name FROM sqlite_schema WHERE type = 'table'")
        }
        audit = {"issuances", "authority_events", "revocations"}
        assert tables == {"versions", "objects", "changes", "tokens", "grants", "leases"} | audit
        assert connection.execute("PRAGMA user_version").fetchone() == (SCHEMA_VERSION,)
        assert connection.execute("PRAGMA application_id").fetchone() == (APPLICATION_ID,)


def test_migrating_again_changes_nothing() -> None:
    with closing(opened()) as connection:
        migrate(connection, "store.db")
        before = connection.execute("SELECT sql FROM sqlite_schema").fetchall()
        migrate(connection, "store.db")
        assert connection.execute("SELECT sql FROM sqlite_schema").fetchall() == before


def test_a_newer_schema_says_what_to_do() -> None:
    with closing(opened()) as connection:
        migrate(connection, "store.db")
        connection.execute(f"PRAGMA user_version = {SCHEMA_VERSION + 1}")
        with pytest.raises(
            StorePermanent, match=f"has schema {SCHEMA_VERSION + 1}.*knows up to {SCHEMA_VERSION}"
        ):
            migrate(connection, "store.db")
        assert not connection.in_transaction


def test_an_older_file_becomes_a_newer_one() -> None:
    with closing(opened()) as connection:
        for statement in MIGRATIONS[0].split(";"):
            connection.execute(statement)
        connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
        connection.execute("PRAGMA user_version = 1")
        connection.executemany(
            "INSERT INTO versions VALUES (?, 'ada', ?)", [(n, 10.0 * n) for n in (1, 2, 3, 4)]
        )
        connection.executemany(
            "INSERT INTO changes VALUES (?, 'Gateway', 'n', 'a', ?, '', '', '', 0)",
            [(1, "created"), (2, "changed"), (3, "deleted"), (4, "created")],
        )
        migrate(connection, "store.db")
        ages = connection.execute("SELECT version, created FROM changes ORDER BY version").fetchall()
        assert ages == [(1, 10.0), (2, 10.0), (3, 0.0), (4, 40.0)]
        assert connection.execute("SELECT DISTINCT note FROM versions").fetchall() == [("",)]
        assert connection.execute("PRAGMA user_version").fetchone() == (SCHEMA_VERSION,)
