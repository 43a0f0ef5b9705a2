import json

from proa.core.model.names import ObjectRef
from proa.ports.config_store import HistoryEntry
from proa.servers.admin.history import HistoryQuery
from proa.testing.admin_operations import FixedOperations
from tests.unit.cli.conftest import Proa, Serve

REVIEWS = ObjectRef("VirtualService", "shop", "reviews")


def manifest(host: str) -> str:
    return json.dumps({"kind": "VirtualService", "spec": {"hosts": [host]}})


CREATED = HistoryEntry(
    version=1,
    author="ada",
    time=0.0,
    ref=REVIEWS,
    action="created",
    api_version="v1",
    manifest=manifest("a"),
    file="a.yaml",
    line=3,
)
CHANGED = HistoryEntry(
    version=2,
    author="bob",
    time=60.0,
    ref=REVIEWS,
    action="changed",
    api_version="v1",
    manifest=manifest("b"),
    file="",
    line=0,
    before=manifest("a"),
    note="rollback to version 0",
)


def test_who_when_what_and_why(proa: Proa, serve: Serve) -> None:
    operations = FixedOperations(past=(CHANGED, CREATED))
    with serve(operations):
        result = proa("history", "--limit", "5")

    assert operations.asked == [HistoryQuery(limit=5)]
    assert [line.split() for line in result.stdout.splitlines()] == [
        ["VERSION", "WHEN", "BY", "WHAT", "WHY", "FROM"],
        ["2", "1970-01-01", "00:01:00Z", "bob", str(REVIEWS), "changed", "rollback", "to", "version", "0"],
        ["1", "1970-01-01", "00:00:00Z", "ada", str(REVIEWS), "created", "a.yaml:3"],
    ]


def test_of_one_object_in_both_spellings(proa: Proa, serve: Serve) -> None:
    operations = FixedOperations()
    with serve(operations):
        one = proa("history", "vs", "reviews", "-n", "shop")
        other = proa("history", "vs/reviews", "-n", "shop")

    assert operations.asked == [HistoryQuery(ref=REVIEWS)] * 2
    assert (one.exit_code, one.stdout) == (other.exit_code, other.stdout) == (0, "")
    assert "VirtualService/shop/reviews has no history" in one.stderr


def test_a_kind_without_a_name_is_a_usage_error(proa: Proa) -> None:
    assert proa("history", "vs").exit_code == 2


def test_diffs_come_under_their_version(proa: Proa, serve: Serve) -> None:
    with serve(FixedOperations(past=(CHANGED, CREATED))):
        result = proa("history", "--diff")

    lines = result.stdout.splitlines()
    assert lines[0] == "version 2, 1970-01-01 00:01:00Z, by bob (rollback to version 0)"
    first, second = lines.index(""), len(lines)
    assert {"-  - a", "+  - b"} <= set(lines[:first])
    assert {"--- (absent)", "+  - a"} <= set(lines[first:second])


def test_programs_get_both_sides(proa: Proa, serve: Serve) -> None:
    with serve(FixedOperations(past=(CHANGED, CREATED), version=2)):
        result = proa("history", "-o", "json")

    told = json.loads(result.stdout)
    assert told["version"] == 2
    assert [(each["version"], each["before"], each["after"]) for each in told["entries"]] == [
        (2, json.loads(manifest("a")), json.loads(manifest("b"))),
        (1, None, json.loads(manifest("a"))),
    ]
