import json
from pathlib import Path

from proa.core.mixer.pushdown.explaining import ExplainedAction, ExplainedRule, ExplainedRules, Site, Stay
from proa.core.model.names import ObjectRef, WorkloadId
from proa.servers.admin.mixer import RulesQuestion
from proa.testing.admin_operations import FixedOperations
from tests.unit.cli.conftest import Proa, Serve

TOLD = ExplainedRules(
    rules=(
        ExplainedRule(
            rule=ObjectRef("rule", "shop", "deny"),
            match='request.path == "/"',
            policy="open",
            actions=(
                ExplainedAction(
                    handler="no.denier.shop",
                    instance="any.checknothing.shop",
                    variety="check",
                    stays=(
                        Stay(
                            where="proxy",
                            by="its own refusals",
                            reason="all is known",
                            change="",
                            sites=tuple(
                                Site(workload=WorkloadId("shop", f"web-{number}"), port=80)
                                for number in range(8)
                            ),
                        ),
                        Stay(where="mixer", by="ext_authz", reason="it is not", change="mend it", sites=()),
                    ),
                ),
            ),
            warnings=("it costs",),
        ),
    ),
    remarks=("a remark",),
)
RULES = """
apiVersion: config.istio.io/v1alpha2
kind: denier
metadata: {name: no}
spec: {}
---
apiVersion: config.istio.io/v1alpha2
kind: checknothing
metadata: {name: any}
---
apiVersion: config.istio.io/v1alpha2
kind: rule
metadata: {name: deny}
spec:
  match: destination.labels["app"] == "web"
  actions: [{handler: no.denier, instances: [any.checknothing]}]
---
apiVersion: networking.istio.io/v1
kind: WorkloadEntry
metadata: {name: web-1, labels: {app: web, security.istio.io/tlsMode: istio}}
spec: {address: 10.0.0.1, ports: {http: 8080}, labels: {app: web, security.istio.io/tlsMode: istio}}
---
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: {name: web}
spec:
  hosts: [web.default.svc.cluster.local]
  location: MESH_INTERNAL
  resolution: STATIC
  ports: [{number: 80, name: http, protocol: HTTP}]
  workloadSelector: {labels: {app: web}}
"""


def test_what_the_mesh_says_is_printed(proa: Proa, serve: Serve) -> None:
    operations = FixedOperations(explained=TOLD)
    with serve(operations):
        done = proa("mixer", "explain", "shop/deny")
        plain = proa("mixer", "explain", "-o", "json")
    assert done.exit_code == plain.exit_code == 0
    assert operations.asked == [RulesQuestion(rule="shop/deny"), RulesQuestion()]
    assert done.stdout == (
        "shop/deny\n"
        '  match       request.path == "/"\n'
        "  fails       open\n"
        "  check       any.checknothing.shop for no.denier.shop\n"
        "    in the proxy: its own refusals\n"
        "      at      shop/web-0:80, shop/web-1:80, shop/web-2:80, shop/web-3:80, shop/web-4:80, shop/web-5:80"
        " and 2 more\n"
        "      why     all is known\n"
        "    asks Mixer: ext_authz\n"
        "      why     it is not\n"
        "      change  mend it\n"
        "  warning     it costs\n"
        "\n"
        "a remark\n"
    )
    assert json.loads(plain.stdout)["rules"][0]["rule"]["name"] == "deny"


def test_a_rule_that_is_not_there_is_a_failure(proa: Proa, serve: Serve) -> None:
    with serve(FixedOperations()):
        assert proa("mixer", "explain", "none").exit_code == 1


def test_files_need_no_mesh(proa: Proa, tmp_path: Path) -> None:
    file = tmp_path / "rules.yaml"
    file.write_text(RULES)
    done = proa("mixer", "explain", "-f", str(file))
    assert done.exit_code == 0
    assert "in the proxy: its own refusals\n      at      " in done.stdout
    file.write_text(RULES.partition("---\napiVersion: networking")[0])
    done = proa("mixer", "explain", "deny", "-f", str(file), "-o", "json")
    assert json.loads(done.stdout)["rules"][0]["actions"][0]["stays"][0]["sites"][0]["supposed"] is True
    assert proa("mixer", "explain", "denny", "-f", str(file)).exit_code == 1
