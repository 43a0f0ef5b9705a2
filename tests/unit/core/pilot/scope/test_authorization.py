from proa.core.auth.authorization.values import Policy
from proa.core.model.names import WorkloadId, parse_workload_id
from proa.core.pilot.scope.authorization import authorization_view
from proa.testing.builders import Mesh, simple

ROOT = "istio-system"


def policy(name: str, spec: str, namespace: str = "default") -> str:
    return f"""
apiVersion: security.istio.io/v1
kind: AuthorizationPolicy
metadata: {{name: {name}, namespace: {namespace}}}
spec: {{{spec}}}
"""


def in_force(mesh: Mesh, workload: str) -> list[str]:
    known = mesh.world.snapshot.workloads[parse_workload_id(workload)]
    view = authorization_view(mesh.world.snapshot, mesh.world.index, known)
    return [each.ref.name for each in view.at(9080)]


def test_by_namespace_and_label() -> None:
    mesh = Mesh(simple("web"), simple("api"), simple("shop/web"))
    mesh.apply(policy("all", "", ROOT))
    mesh.apply(policy("webs", "selector: {matchLabels: {app: web}}", ROOT))
    mesh.apply(policy("here", ""))
    mesh.apply(policy("api", "selector: {matchLabels: {app: api}}"))
    assert in_force(mesh, "web-v1") == ["all", "webs", "here"]
    assert in_force(mesh, "api-v1") == ["all", "api", "here"]
    assert in_force(mesh, "shop/web-v1") == ["all", "webs"]
    mesh.delete("AuthorizationPolicy", "all", ROOT)
    assert in_force(mesh, "shop/web-v1") == ["webs"]


def test_a_gateway_by_its_name() -> None:
    mesh = Mesh(simple("web"))
    target = "group: gateway.networking.k8s.io, kind: Gateway, name: web"
    mesh.apply(policy("edge", f"targetRefs: [{{{target}}}]"))
    assert in_force(mesh, "web-v1") == [], "it serves no Gateway of that name"


def test_roles_hold_at_their_services_port() -> None:
    mesh = Mesh(simple("web"), simple("api"))
    mesh.apply(
        """
apiVersion: rbac.istio.io/v1alpha1
kind: RbacConfig
metadata: {name: default, namespace: istio-system}
spec: {mode: ON_WITH_INCLUSION, inclusion: {services: [web.default.svc.cluster.local]}}
"""
    )
    assert (in_force(mesh, "web-v1"), in_force(mesh, "api-v1")) == (["default"], [])


def test_only_whom_a_policy_selects_is_looked_at() -> None:
    mesh = Mesh(simple("web"), simple("api"), simple("shop/web"))
    changed: list[WorkloadId] = []
    for each in ("web-v1", "api-v1", "shop/web-v1"):
        mesh.source(each)
    mesh.world.subscribe(lambda _g, _a, _s, workloads: changed.extend(workloads))
    mesh.apply(policy("web", "selector: {matchLabels: {app: web}}, action: DENY, rules: [{}]"))
    assert changed == [WorkloadId("default", "web-v1")]


def test_labels_of_callers_follow_the_workloads() -> None:
    mesh = Mesh(simple("web"))
    mesh.apply(
        """
apiVersion: rbac.istio.io/v1alpha1
kind: RbacConfig
metadata: {name: default, namespace: istio-system}
spec: {mode: "ON"}
---
apiVersion: rbac.istio.io/v1alpha1
kind: ServiceRole
metadata: {name: r}
spec: {rules: [{services: ["*"]}]}
---
apiVersion: rbac.istio.io/v1alpha1
kind: ServiceRoleBinding
metadata: {name: b}
spec: {roleRef: {kind: ServiceRole, name: r}, subjects: [{properties: {"source.labels[version]": v2}}]}
"""
    )

    def callers() -> list[str]:
        known = mesh.world.snapshot.workloads[WorkloadId("default", "web-v1")]
        found: tuple[Policy, ...] = authorization_view(mesh.world.snapshot, mesh.world.index, known).at(9080)
        return [value.text for each in found for rule in each.rules for value in rule.sources[0][0].values]

    assert callers() == []
    affected = mesh.place(simple("api", "v2", address="10.0.0.9"))
    assert ("default", ()) in affected.policies
    assert callers() == ["api-v2.default"]


def test_a_provider_that_nobody_knows_is_told() -> None:
    mesh = Mesh(simple("web"))
    mesh.apply(policy("ask", "action: CUSTOM, provider: {name: x}, rules: [{}]"))
    mesh.source("web-v1")
    assert [note.code for note in mesh.world.notes()] == ["custom-provider-missing"]
