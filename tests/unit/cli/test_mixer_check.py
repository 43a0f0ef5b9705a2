import json

from immutables import Map

from proa.core.model.names import ObjectRef, WorkloadId
from proa.servers.admin.mixer import CallMade, CheckTried, CheckTry, PolicyVerdict
from proa.servers.admin.operations import ProxyStatus
from proa.testing.admin_operations import FixedOperations
from tests.unit.cli.conftest import Proa, Serve

CART, WEB = WorkloadId("shop", "cart-v1"), WorkloadId("default", "web-v1")
PROXIES = tuple(ProxyStatus(id=each, kind="sidecar", node="local", connected=True) for each in (CART, WEB))
DENY = ObjectRef("rule", "shop", "deny")
TOLD = CheckTried(
    server=CART,
    port=8080,
    outcome="refused",
    verdicts=(
        PolicyVerdict(
            policy="closed",
            code=7,
            status="PERMISSION_DENIED",
            http_status=403,
            message="no.denier.shop:not today",
            rule=DENY,
            valid_ms=5000,
            valid_uses=1000,
            references=("destination.namespace", "source.labels[version]"),
            kept_by=("the caller's workload",),
            calls=(
                CallMade(
                    rule=DENY,
                    handler="no.denier.shop",
                    instance="any.checknothing.shop",
                    code=7,
                    status="PERMISSION_DENIED",
                    message="not today",
                    valid_ms=5000,
                    valid_uses=-1,
                ),
                CallMade(rule=DENY, handler="away", instance="i", message="no answer in 500 ms", failed=True),
            ),
            unmatched=((ObjectRef("rule", "shop", "odd"), "lookup failed: 'request.size'"),),
        ),
    ),
    remarks=("a remark",),
)


def test_what_the_mesh_says_is_printed(proa: Proa, serve: Serve) -> None:
    operations = FixedOperations(proxy_statuses=PROXIES, tried=TOLD)
    with serve(operations):
        done = proa(
            *("mixer", "check", "POST", "http://cart:8080/items?x=1", "--from", "web", "--to", "cart:8080"),
            *("-H", "X-Team: red", "--claim", "iss=a"),
        )
        plain = proa("mixer", "check", "GET", "cart", "--from", "nobody", "--to", "cart", "-o", "json")
    assert done.exit_code == plain.exit_code == 1
    assert done.stdout == (
        "refused at shop/cart-v1:8080\n\n"
        "rules that fail closed\n"
        "  verdict     PERMISSION_DENIED (403): no.denier.shop:not today\n"
        "  decided by  shop/deny\n"
        "  holds       5s, 1000 requests\n"
        "  kept        for requests with the same: the caller's workload\n"
        "  depends on  source.labels[version]; of the server: destination.namespace\n"
        "  asked       no.denier.shop about any.checknothing.shop, for shop/deny: PERMISSION_DENIED: not today; "
        "holds 5s, any number of requests\n"
        "              away about i, for shop/deny: no answer: no answer in 500 ms\n"
        "  no match    shop/odd: lookup failed: 'request.size'\n"
        "a remark\n"
    )
    assert operations.asked == [
        CheckTry(
            server=CART,
            port=8080,
            caller=WEB,
            method="POST",
            authority="cart:8080",
            path="/items?x=1",
            headers=(("x-team", "red"),),
            claims=Map(iss="a"),
        ),
        CheckTry(server=CART, authority="cart"),
    ]
    assert json.loads(plain.stdout)["verdicts"][0]["rule"] == {
        "kind": "rule",
        "namespace": "shop",
        "name": "deny",
    }


def test_what_is_allowed_ends_well(proa: Proa, serve: Serve) -> None:
    fine = PolicyVerdict(policy="open", code=0, status="OK", http_status=200, unkept="why")
    kept = PolicyVerdict(policy="closed", code=0, status="OK", http_status=200, valid_ms=1, valid_uses=-1)
    tried = CheckTried(server=CART, port=80, verdicts=(kept, fine))
    with serve(FixedOperations(proxy_statuses=PROXIES, tried=tried)):
        done = proa("mixer", "check", "GET", "http://cart/", "--from", "web", "--to", "cart")
    assert done.exit_code == 0
    assert "allowed at shop/cart-v1:80" in done.stdout
    assert "kept        for all requests at this port" in done.stdout
    assert "kept        not: why" in done.stdout
    assert "holds       for this request" in done.stdout


def test_slips_are_told_with_what_is_near(proa: Proa, serve: Serve) -> None:
    with serve(FixedOperations(proxy_statuses=PROXIES)):
        near = proa("mixer", "check", "GET", "http://cart/", "--from", "wbe-v1", "--to", "cart")
        port = proa("mixer", "check", "GET", "http://cart/", "--from", "web", "--to", "cart:many")
        header = proa("mixer", "check", "GET", "http://cart/", "--from", "web", "--to", "cart", "-H", "team")
        nowhere = proa("mixer", "check", "GET", "http://cart/", "--from", "web", "--to", "cart")
    assert 'did you mean "web-v1"' in near.stderr or "web-v1" in near.stderr
    assert "'many' is no port; write --to WORKLOAD:PORT" in port.stderr
    assert "'team' is not NAME:VALUE" in header.stderr
    assert "shop/cart-v1 is no workload of the mesh" in nowhere.stderr
    assert {near.exit_code, nowhere.exit_code} == {1}
