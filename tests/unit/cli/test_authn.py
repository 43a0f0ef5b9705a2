import json
from pathlib import Path

from proa.core.model.names import WorkloadId
from proa.core.pilot.explain.peers import PeerQuestion, PeerReport, PeerRow
from proa.servers.admin.operations import ProxyStatus
from proa.testing.admin_operations import FixedOperations
from proa.testing.strategies.recipes_own import ROOT
from tests.federation import federated
from tests.unit.cli.conftest import Proa, Serve

PAGE = WorkloadId("default", "page")
TOLD = PeerReport(
    source="default/page",
    host="web.default.svc.cluster.local",
    rows=(PeerRow(port=80, servers=("default/web",), wire="plaintext", mode="STRICT", result="refused"),),
)
FILE = """
apiVersion: security.istio.io/v1
kind: PeerAuthentication
metadata: {name: default, namespace: istio-system}
spec:
  mtls: {mode: PERMISSIVE}
"""


def test_a_mesh_is_asked(proa: Proa, serve: Serve) -> None:
    status = ProxyStatus(id=PAGE, kind="sidecar", node="local", connected=True)
    operations = FixedOperations(proxy_statuses=(status,), report=TOLD)
    with serve(operations):
        done = proa("authn", "check", "page", "web:80")
        told = proa("authn", "check", "-", "shop/web", "-o", "json")
    assert done.exit_code == told.exit_code == 1
    assert "80    default/web  plaintext     STRICT        refused\n" in done.stdout
    assert operations.asked == [
        PeerQuestion(destination="web", port=80, source=PAGE),
        PeerQuestion(destination="shop/web"),
    ]
    assert json.loads(told.stdout)["rows"][0]["result"] == "refused"


def test_files_alone_need_no_mesh(proa: Proa, tmp_path: Path) -> None:
    (tmp_path / "m.yaml").write_text(FILE)
    done = proa("authn", "check", "page", "web", "-f", str(tmp_path))
    assert done.exit_code == 0, done.output
    assert "mesh TLS      PERMISSIVE    mutual TLS" in done.stdout
    assert "m.yaml:6)" in done.stdout.replace("\n              ", "")
    assert "is taken for a program with the label app=page" in done.stdout.replace("\n      ", " ")


def test_what_cannot_be_asked(proa: Proa, serve: Serve) -> None:
    with serve(FixedOperations()):
        unknown = proa("authn", "check", "-", "nobody")
    assert unknown.exit_code == 1
    assert "there is no service nobody" in unknown.stderr
    for word in ("web:x", "web:0", ":80", "web:"):
        assert proa("authn", "check", "-", word).exit_code == 2


def test_a_workload_of_another_trust_domain(proa: Proa, tmp_path: Path) -> None:
    file = tmp_path / "p.yaml"

    def check(*namespaces: str) -> tuple[int, str]:
        file.write_text(federated(ROOT, *namespaces) + "---" + FILE)
        done = proa("authn", "check", "spiffe://partner.example/x", "shop/web:80", "-f", str(file))
        return done.exit_code, done.stdout

    code, told = check("shop", "pay")
    assert code == 0
    assert "mesh TLS" in told
    assert "mutual TLS" in told
    assert "FederatedTrustDomain/istio-system/partner" in told
    assert check("pay")[0] == 1
    file.write_text(FILE)
    done = proa("authn", "check", "spiffe://partner.example/x", "shop/web:80", "-f", str(file))
    assert done.exit_code == 1
    assert "no FederatedTrustDomain is for the namespace shop" in done.stdout
