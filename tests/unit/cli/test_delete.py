from pathlib import Path

from proa.core.model.names import ObjectRef
from proa.ports.config_store import StoredObject
from proa.servers.admin.operations import DeleteRequest
from proa.testing.admin_operations import FixedOperations
from tests.unit.cli.conftest import Proa, Serve

REVIEWS = ObjectRef("VirtualService", "default", "reviews")
RATINGS = ObjectRef("VirtualService", "default", "ratings")


def stored(ref: ObjectRef) -> StoredObject:
    return StoredObject(
        ref=ref,
        api_version="networking.istio.io/v1",
        manifest="{}",
        file="a.yaml",
        line=1,
        version=1,
        author="me",
        time=0.0,
        created=0.0,
    )


def test_delete_by_name_asks_for_the_full_kind(proa: Proa, serve: Serve) -> None:
    operations = FixedOperations(stored=(stored(REVIEWS),))
    with serve(operations):
        result = proa("delete", "vs", "reviews", "ratings")
        ignored = proa("delete", "vs/ratings", "--ignore-not-found")

    assert result.exit_code == 1
    assert (
        result.stdout == "VirtualService/default/reviews deleted\nVirtualService/default/ratings not found\n"
    )
    assert ignored.exit_code == 0
    assert operations.asked[0].refs == (REVIEWS, RATINGS)  # type: ignore[attr-defined]


def test_delete_by_file_needs_no_valid_object(proa: Proa, serve: Serve, tmp_path: Path) -> None:
    (tmp_path / "old.yaml").write_text(
        "kind: VirtualService\nmetadata: {name: reviews}\nspec: {gone: 1}\n"
        "---\nkind: Gateway\nmetadata: {name: door, namespace: shop}\n"
    )
    operations = FixedOperations(stored=(stored(REVIEWS), stored(ObjectRef("Gateway", "shop", "door"))))
    with serve(operations):
        result = proa("delete", "-f", tmp_path / "old.yaml")

    assert result.exit_code == 0
    (request,) = operations.asked
    assert isinstance(request, DeleteRequest)
    assert request.refs == (REVIEWS, ObjectRef("Gateway", "shop", "door"))


def test_delete_of_nothing_is_a_usage_error(proa: Proa) -> None:
    assert proa("delete").exit_code == 2
    assert proa("delete", "vs").exit_code == 2
    assert proa("delete", "nonsense", "x").exit_code == 2
