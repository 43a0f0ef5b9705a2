import json

from immutables import Map

from proa.core.model.names import ObjectRef, WorkloadId
from proa.servers.admin.mixer import CheckTry, ReportTried, ReportTry, Told
from proa.servers.admin.operations import ProxyStatus
from proa.testing.admin_operations import FixedOperations
from tests.unit.cli.conftest import Proa, Serve

CART, WEB = WorkloadId("shop", "cart-v1"), WorkloadId("default", "web-v1")
PROXIES = tuple(ProxyStatus(id=each, kind="sidecar", node="local", connected=True) for each in (CART, WEB))
RULE = ObjectRef("rule", "istio-system", "log")
TOLD = ReportTried(
    server=CART,
    port=8080,
    told=(
        Told(
            side="client",
            rule=RULE,
            handler="out.stdio.istio-system",
            instance="line.logentry.istio-system",
            fields=Map({"severity": "info", "variables.code": "503"}),
        ),
        Told(
            side="server",
            rule=RULE,
            handler="out.stdio.istio-system",
            instance="line.logentry.istio-system",
            failure="severity cannot be told",
        ),
    ),
    unmatched=((RULE, "lookup failed"),),
)
WORDS = ("mixer", "report", "GET", "http://cart:8080/x", "--from", "web", "--to", "cart:8080")


def test_who_is_told_what_is_printed(proa: Proa, serve: Serve) -> None:
    operations = FixedOperations(proxy_statuses=PROXIES, tried_reports=TOLD)
    with serve(operations):
        done = proa(*WORDS, "--code", "503", "--duration", "1200", "--response-header", "X-A:b")
        sent = proa(*WORDS, "--send", "-o", "json")
    assert done.exit_code == sent.exit_code == 0
    assert done.stdout == (
        "out.stdio.istio-system about line.logentry.istio-system, by the client's sidecar, for istio-system/log\n"
        "  severity        info\n"
        "  variables.code  503\n"
        "out.stdio.istio-system about line.logentry.istio-system, by the server's sidecar, for istio-system/log\n"
        "  cannot be made: severity cannot be told\n"
        "no match of istio-system/log: lookup failed\n"
    )
    assert json.loads(sent.stdout)["sent"] is True
    first, second = operations.asked
    request = CheckTry(server=CART, port=8080, caller=WEB, authority="cart:8080", path="/x")
    assert first == ReportTry(request=request, code=503, duration_ms=1200, headers=(("x-a", "b"),))
    assert second == ReportTry(request=request)


def test_who_was_told_is_said(proa: Proa, serve: Serve) -> None:
    with serve(FixedOperations(proxy_statuses=PROXIES, tried_reports=TOLD)):
        done = proa(*WORDS, "--send")
    assert done.stdout.endswith("the handlers were told\n")
