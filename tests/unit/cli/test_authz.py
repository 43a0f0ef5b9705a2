import json
from pathlib import Path

from immutables import Map

from proa.control_plane.showing import manifest_text
from proa.core.config import load_all
from proa.core.model.endpoint import Endpoint
from proa.core.model.names import WorkloadId
from proa.core.model.service import Service
from proa.ports.config_store import StoredObject
from proa.servers.admin.operations import CertificateStatus, ServiceStatus
from proa.testing.admin_operations import FixedOperations
from proa.testing.strategies.recipes_own import ROOT
from tests.federation import federated
from tests.unit.cli.conftest import Proa, Serve

POLICY = """
apiVersion: security.istio.io/v1
kind: AuthorizationPolicy
metadata: {name: front, namespace: default}
spec:
  selector: {matchLabels: {app: web}}
  rules:
    - from: [{source: {namespaces: [shop]}}]
      to: [{operation: {paths: [/items/*]}}]
      when: [{key: "request.auth.claims[group]", values: [red]}]
    - from: [{source: {principals: ["*/sa/cart"]}}]
---
apiVersion: security.istio.io/v1
kind: AuthorizationPolicy
metadata: {name: never, namespace: istio-system}
spec: {action: DENY, rules: [{to: [{operation: {methods: [DELETE]}}]}]}
"""


def test_a_request_against_files(proa: Proa, tmp_path: Path) -> None:
    file = tmp_path / "p.yaml"
    file.write_text(POLICY)

    def check(method: str, path: str, *words: str) -> tuple[int, str]:
        done = proa(
            "authz", "check", "-f", str(file), "--to", "web", *words, method, f"http://web:8080{path}"
        )
        return done.exit_code, done.output

    assert check("GET", "/items/7?a", "--from", "shop/any", "--claim", "group=red") == (
        0,
        "allowed: by ns[default]-policy[front]-rule[0]\n",
    )
    assert check("GET", "/", "--from", "cart")[0] == 0
    denied = (1, "denied: there are ALLOW policies, and none of their rules matches\n")
    assert check("GET", "/items/7", "--from", "shop/any") == denied
    assert check("GET", "/items/7", "--from", "nobody") == denied
    assert check("DELETE", "/", "--from", "cart") == (
        1,
        "denied: by ns[istio-system]-policy[never]-rule[0]\n",
    )
    assert check("GET", "/items/%2e%2e;x/7", "--from", "cart") == (1, "denied: by dots-with-parameters\n")
    code, told = check("GET", "/", "--from", "spiffe://cluster.local/ns/a/sa/cart", "-o", "json")
    assert (code, json.loads(told)["rules"]) == (0, ["ns[default]-policy[front]-rule[1]"])
    other = proa("authz", "check", "-f", str(file), "--from", "a", "--to", "other", "GET", "http://other/")
    assert (other.exit_code, other.output) == (0, "allowed: no policy says anything of it\n")


def test_words_that_are_none(proa: Proa, tmp_path: Path) -> None:
    file = tmp_path / "p.yaml"
    file.write_text(POLICY.replace("DENY", "DENNY"))
    done = proa("authz", "check", "-f", str(file), "--from", "a", "--to", "b", "GET", "http://b/")
    assert done.exit_code == 1
    bad = proa("authz", "check", "--from", "a", "--to", "b", "-H", "novalue", "GET", "http://b/")
    assert bad.exit_code == 2


def test_the_path_is_made_canonical_as_the_meshs_settings_say(proa: Proa, tmp_path: Path) -> None:
    file, settings = tmp_path / "p.yaml", tmp_path / "s.yaml"
    file.write_text("""
apiVersion: security.istio.io/v1
kind: AuthorizationPolicy
metadata: {name: admin, namespace: default}
spec: {action: DENY, rules: [{to: [{operation: {paths: [/admin/x]}}]}]}
""")

    def denied(mode: str, path: str) -> bool:
        settings.write_text(f"""
apiVersion: mesh.istio.io/v1alpha1
kind: MeshConfig
metadata: {{name: istio, namespace: istio-system}}
spec: {{pathNormalization: {{normalization: {mode}}}}}
""")
        words = ("-f", str(file), "-f", str(settings), "--from", "a", "--to", "web", "GET")
        return proa("authz", "check", *words, f"http://web:8080{path}").exit_code == 1

    modes = ("NONE", "DEFAULT", "MERGE_SLASHES", "DECODE_AND_MERGE_SLASHES")
    assert [denied(mode, "/admin/x?a") for mode in modes] == [True] * 4
    assert [denied(mode, "/a/../%61dmin/./x") for mode in modes] == [False, True, True, True]
    assert [denied(mode, "//admin//x") for mode in modes] == [False, False, True, True]
    assert [denied(mode, "/admin%2Fx") for mode in modes] == [False, False, False, True]


ROLES = """
apiVersion: rbac.istio.io/v1alpha1
kind: RbacConfig
metadata: {name: default, namespace: istio-system}
spec: {mode: "ON"}
---
apiVersion: rbac.istio.io/v1alpha1
kind: ServiceRole
metadata: {name: viewer, namespace: default}
spec:
  rules:
  - services: ["web.default.svc.cluster.local"]
    constraints: [{key: "destination.labels[app]", values: [web]}]
---
apiVersion: rbac.istio.io/v1alpha1
kind: ServiceRoleBinding
metadata: {name: viewers, namespace: default}
spec:
  subjects: [{user: cluster.local/ns/istio-system/sa/door}]
  roleRef: {kind: ServiceRole, name: viewer}
"""


def test_of_a_mesh_workloads_are_known_by_what_they_hold(proa: Proa, serve: Serve) -> None:
    """A gateway serves nothing: only its certificate tells its account."""
    door = CertificateStatus(
        workload=WorkloadId("istio-system", "gateway"),
        identity="spiffe://cluster.local/ns/istio-system/sa/door",
        serial="1",
        not_before=0,
        not_after=1,
    )
    web = Endpoint(
        address="127.0.0.1",
        port=1,
        service_port=80,
        labels=Map(app="web"),
        workload="default/web-v1",
        account="spiffe://cluster.local/ns/default/sa/web",
    )
    service = ServiceStatus(
        service=Service(hostname="web.default.svc.cluster.local", namespace="default", ports=()),
        endpoints=(web,),
    )
    stored = tuple(
        StoredObject(
            ref=config.ref,
            api_version=config.api_version,
            manifest=manifest_text(config),
            file="roles.yaml",
            line=1,
            version=1,
            author="me",
            time=0.0,
            created=0.0,
        )
        for config in load_all(ROLES, "roles.yaml").configs
    )
    operations = FixedOperations(stored=stored, service_statuses=(service,), certificate_statuses=(door,))
    with serve(operations):

        def said(caller: str, server: str = "web") -> tuple[int, str]:
            done = proa("authz", "check", "--from", caller, "--to", server, "GET", "http://web/")
            return done.exit_code, done.output

        assert said("istio-system/gateway") == (
            0,
            "allowed: by ns[default]-binding[viewers]-rule[viewer.0]\n",
        )
        denied = "denied: RbacConfig/istio-system/default is on for this service, and no role lets it in\n"
        assert said("web-v1") == (1, denied)
        assert said("nobody") == (1, denied)
        assert "there is no workload shop" in said("gateway", "shop")[1]


def test_a_caller_of_another_trust_domain(proa: Proa, tmp_path: Path) -> None:
    file = tmp_path / "p.yaml"

    def check(caller: str, *texts: str) -> tuple[int, str]:
        file.write_text("---".join(texts) or "# nothing")
        words = ("-f", str(file), "--from", f"spiffe://partner.example/{caller}", "--to", "web")
        done = proa("authz", "check", *words, "GET", "http://web:8080/")
        return done.exit_code, done.output

    accepted = federated(ROOT, "default")
    named = """
apiVersion: security.istio.io/v1
kind: AuthorizationPolicy
metadata: {name: partner, namespace: default}
spec: {rules: [{from: [{source: {principals: [partner.example/ns/shop/sa/cart]}}, {source: {namespaces: [shop]}}]}]}
"""
    stranger = "denied: the caller is no workload of a trust domain that is accepted in this namespace\n"
    unnamed = "denied: the caller is of another trust domain, and no ALLOW policy names it\n"
    assert check("ns/shop/sa/cart") == (1, stranger)
    assert check("ns/shop/sa/cart", federated(ROOT, "elsewhere"), named) == (1, stranger)
    assert check("ns/shop/sa/cart", accepted) == (1, unnamed)
    assert check("ns/shop/sa/cart", accepted, named) == (
        0,
        "allowed: by ns[default]-policy[partner]-rule[0]\n",
    )
    assert check("ns/shop/sa/till", accepted, named) == (1, unnamed)
