import pytest

from proa.core.config import Json
from proa.core.config.analyze.patches import check_patches
from tests.unit.core.config.analyze.finding import an_object, find


@pytest.mark.parametrize(
    ("apply_to", "operation", "priority", "codes"),
    [
        ("HTTP_FILTER", "INSERT_FIRST", 0, []),
        ("HTTP_FILTER", "INSERT_BEFORE", 0, ["patch-relative"]),
        ("HTTP_FILTER", "INSERT_BEFORE", 5, []),
        ("CLUSTER", "REPLACE", 1, ["patch-cannot-replace"]),
        ("HTTP_ROUTE", "ADD", 1, ["patch-cannot-add"]),
        ("HTTP_ROUTE", "REMOVE", 1, ["patch-cannot-remove"]),
        ("VIRTUAL_HOST", "REMOVE", 1, []),
    ],
)
def test_operations(apply_to: str, operation: str, priority: int, codes: list[str]) -> None:
    patch: dict[str, Json] = {"operation": operation}
    if operation != "REMOVE":
        patch["value"] = {"name": "a"}
    spec: Json = {"priority": priority, "configPatches": [{"applyTo": apply_to, "patch": patch}]}
    found = find(check_patches, [an_object("envoyfilter", "a", spec)])
    assert [each.split()[0] for each in found] == codes


def test_one_version_of_proxies() -> None:
    patch: Json = {
        "applyTo": "CLUSTER",
        "match": {"proxy": {"proxyVersion": "^1\\.2"}},
        "patch": {"operation": "MERGE", "value": {}},
    }
    found = find(check_patches, [an_object("envoyfilter", "a", {"configPatches": [patch]})])
    assert [each.split()[0] for each in found] == ["patch-relative", "patch-relative-to-version"]
