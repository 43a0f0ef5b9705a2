import json

import msgspec

from proa.core.model.names import ObjectRef, WorkloadId
from proa.home import Home
from proa.servers.admin.operations import (
    OfferedResource,
    ProxyConfig,
    ProxyStatus,
    Rejection,
    TypeStatus,
)
from proa.testing.admin_operations import FixedOperations
from tests.unit.cli.conftest import Proa, Serve

PAGE = WorkloadId("default", "productpage-v1")
ROUTE = ObjectRef("VirtualService", "default", "reviews")


def proxy(*rejections: Rejection) -> ProxyStatus:
    return ProxyStatus(
        id=PAGE,
        kind="sidecar",
        node="local",
        connected=True,
        version=4,
        types=(
            TypeStatus(type="CLUSTER", synced=12),
            TypeStatus(type="ROUTE", synced=2, pending=1, rejected=len(rejections)),
        ),
        rejections=rejections,
    )


CONFIG = ProxyConfig(
    id=PAGE,
    resources=(
        OfferedResource(
            type="CLUSTER", name="outbound|9080||reviews", version="0123456789abcdef", state="synced"
        ),
        OfferedResource(
            type="ROUTE", name="9080", version="fe", objects=(ROUTE,), body=msgspec.Raw(b'{"name": "9080"}')
        ),
    ),
)


def test_status_is_a_line_for_each_proxy(proa: Proa, serve: Serve) -> None:
    with serve(FixedOperations(proxy_statuses=(proxy(),))):
        result = proa("proxy", "status")

    assert result.exit_code == 0
    assert result.stdout == (
        "PROXY                   KIND     NODE   CONNECTED  CDS  RDS            VERSION\n"
        "default/productpage-v1  sidecar  local  yes        12   2 (1 pending)  4\n"
    )


def test_a_rejection_is_named_and_makes_exit_code_1(proa: Proa, serve: Serve) -> None:
    rejection = Rejection(objects=(ROUTE,), resource="9080", type="ROUTE", error="unknown cluster")
    with serve(FixedOperations(proxy_statuses=(proxy(rejection),))):
        result = proa("proxy", "status")

    assert result.exit_code == 1
    expected = (
        "VirtualService/default/reviews: rejected by default/productpage-v1: unknown cluster [ROUTE 9080]\n"
    )
    assert result.stderr == expected


def test_config_lists_resources_and_their_objects(proa: Proa, serve: Serve) -> None:
    with serve(FixedOperations(proxy_statuses=(proxy(),), configs=(CONFIG,))):
        table = proa("proxy", "config", "productpage").stdout
        routes = proa("proxy", "config", "productpage", "--type", "route", "-o", "json").stdout
        unknown = proa("proxy", "config", "nobody")

    assert table.splitlines()[1].split() == ["CDS", "outbound|9080||reviews", "0123456789ab", "synced"]
    assert table.splitlines()[2].split() == ["RDS", "9080", "fe", "pending", "VirtualService/default/reviews"]
    assert [each["body"] for each in json.loads(routes)["resources"]] == [{"name": "9080"}]
    assert unknown.exit_code == 1
    assert "there is no workload nobody" in unknown.stderr


def test_logs_are_found_by_the_start_of_the_name(proa: Proa, home: Home) -> None:
    home.workload_log(str(PAGE), "envoy").write_text("one\ntwo\nthree\n")

    result = proa("proxy", "logs", "product", "--tail", "2")
    other = proa("proxy", "logs", "product", "--app")

    assert (result.exit_code, result.stdout) == (0, "two\nthree\n")
    assert other.exit_code == 1
    assert "there is no app log" in other.stderr


def test_a_word_that_may_be_several_is_refused(proa: Proa, home: Home) -> None:
    for name in ("reviews-v1", "reviews-v2"):
        home.workload_log(f"default/{name}", "envoy").write_text("")

    result = proa("proxy", "logs", "reviews")

    assert result.exit_code == 1
    assert "reviews may be any of default/reviews-v1, default/reviews-v2" in result.stderr


def test_live_configuration_needs_the_agent(proa: Proa) -> None:
    result = proa("proxy", "config", "productpage", "--live")

    assert result.exit_code == 1
    assert "`proa up`" in result.stderr
