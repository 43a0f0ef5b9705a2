from proa.core.auth.grants import Placement
from proa.servers.admin.operations import TokenRequest
from proa.testing.admin_operations import FixedOperations
from tests.unit.cli.conftest import Proa, Serve


def test_a_token_alone_is_on_standard_output(proa: Proa, serve: Serve) -> None:
    operations = FixedOperations()
    with serve(operations):
        result = proa("token", "create", "--node", "db-1", "--allow", "shop/redis/redis", "--ttl", "30m")

    assert (result.exit_code, result.stdout) == (0, "proa1.x\n")
    assert "may place shop/redis/redis" in result.stderr
    placement = Placement(namespace="shop", service="redis", account="redis")
    assert operations.asked == [TokenRequest(node="db-1", ttl_s=1800, placements=(placement,))]


def test_a_placement_that_is_none_is_a_usage_error(proa: Proa) -> None:
    result = proa("token", "create", "--node", "n", "--allow", "a/b/c/d")

    assert result.exit_code == 2
    assert "namespace/service/account" in result.stderr
