import json
from pathlib import Path

from proa.core.model.names import ObjectRef
from proa.servers.admin.operations import ObjectDiff
from proa.testing.admin_operations import FixedOperations
from tests.unit.cli.conftest import Proa, Serve

REVIEWS = ObjectRef("VirtualService", "default", "reviews")
RATINGS = ObjectRef("VirtualService", "default", "ratings")


def test_diff_shows_and_tells_by_exit_code(proa: Proa, serve: Serve, file: Path) -> None:
    before, after = ({"kind": "VirtualService", "spec": {"hosts": [host]}} for host in "ab")
    changed = ObjectDiff(ref=REVIEWS, before=json.dumps(before), after=json.dumps(after))
    same = ObjectDiff(ref=RATINGS, before=json.dumps(before), after=json.dumps(before))
    with serve(FixedOperations(differences=(changed, same))):
        different = proa("diff", "-f", file)
    with serve(FixedOperations(differences=(same,))):
        equal = proa("diff", "-f", file)

    assert different.exit_code == 1
    assert different.stdout.splitlines()[:2] == [
        "--- VirtualService/default/reviews",
        "+++ VirtualService/default/reviews",
    ]
    assert {"-  - a", "+  - b"} <= set(different.stdout.splitlines())
    assert "ratings" not in different.stdout
    assert (equal.exit_code, equal.stdout) == (0, "")


def test_programs_get_both_sides_of_what_differs(proa: Proa, serve: Serve, file: Path) -> None:
    changed = ObjectDiff(ref=REVIEWS, before="", after=json.dumps({"kind": "VirtualService"}))
    same = ObjectDiff(ref=RATINGS, before="{}", after="{}")
    with serve(FixedOperations(differences=(changed, same))):
        result = proa("diff", "-f", file, "-o", "json")

    expected = {"ref": str(REVIEWS), "before": None, "after": {"kind": "VirtualService"}}
    assert result.exit_code == 1
    assert json.loads(result.stdout) == {"objects": [expected]}
