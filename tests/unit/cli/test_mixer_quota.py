import json

from proa.core.model.names import WorkloadId
from proa.servers.admin.mixer import CheckTry, QuotasTried, QuotaTried
from proa.servers.admin.operations import ProxyStatus
from proa.testing.admin_operations import FixedOperations
from tests.unit.cli.conftest import Proa, Serve

CART, WEB = WorkloadId("shop", "cart-v1"), WorkloadId("default", "web-v1")
PROXIES = tuple(ProxyStatus(id=each, kind="sidecar", node="local", connected=True) for each in (CART, WEB))
TOLD = QuotasTried(
    server=CART,
    port=8080,
    outcome="refused",
    quotas=(
        QuotaTried(quota="calls", charge=1, maximum=500, window_ms=1000, left=1),
        QuotaTried(quota="own", charge=1, maximum=3, window_ms=60_000, by_proxy=True),
        QuotaTried(
            quota="try", charge=1, outcome="would-refuse", maximum=3, left=0, wait_ms=None, is_dry=True
        ),
        QuotaTried(
            quota="visits", charge=2, outcome="refused", maximum=2, window_ms=5000, left=1, wait_ms=3000
        ),
        QuotaTried(quota="who-knows", charge=1),
    ),
)


def test_what_would_be_charged_is_printed(proa: Proa, serve: Serve) -> None:
    operations = FixedOperations(proxy_statuses=PROXIES, tried_quotas=TOLD)
    with serve(operations):
        done = proa("mixer", "quota", "GET", "http://cart:8080/x", "--from", "web", "--to", "cart:8080")
        plain = proa("mixer", "quota", "GET", "cart", "--from", "nobody", "--to", "cart", "-o", "json")
    assert done.exit_code == plain.exit_code == 1
    assert done.stdout == (
        "refused at shop/cart-v1:8080\n"
        "  calls: charged 1 of 500 in 1s; 1 unit left\n"
        "  own: charged 1 of 3 in 1m; counted by the server's sidecar\n"
        "  try: charged 1 of 3 in all; 0 units left; exhausted, and refuses nobody: it only tries\n"
        "  visits: charged 2 of 2 in 5s; 1 unit left; exhausted, room in 3s\n"
        "  who-knows: charged 1\n"
    )
    assert [each["quota"] for each in json.loads(plain.stdout)["quotas"]] == [
        "calls",
        "own",
        "try",
        "visits",
        "who-knows",
    ]
    assert operations.asked == [
        CheckTry(server=CART, port=8080, caller=WEB, authority="cart:8080", path="/x"),
        CheckTry(server=CART, authority="cart"),
    ]


def test_a_request_that_passes_is_no_mistake(proa: Proa, serve: Serve) -> None:
    free = QuotasTried(server=CART, port=8080, remarks=("this request would be charged nothing",))
    with serve(FixedOperations(proxy_statuses=PROXIES, tried_quotas=free)):
        done = proa("mixer", "quota", "GET", "cart", "--from", "web", "--to", "cart")
    assert done.exit_code == 0
    assert done.stdout == "granted at shop/cart-v1:8080\nthis request would be charged nothing\n"
