"""Why a name is not known."""

from proa.core.model.names import WorkloadId
from proa.core.pilot.scope.hiding import why_unknown
from proa.core.pilot.scope.scope import scope_of
from proa.testing.builders import Mesh, simple

KEPT = """
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: {name: kept, namespace: shop}
spec:
  hosts: [kept.example.com]
  exportTo: ["."]
  resolution: STATIC
  ports: [{number: 80, name: http, protocol: HTTP}]
  endpoints: [{address: 192.0.2.1}]
"""
NARROW = """
apiVersion: networking.istio.io/v1
kind: Sidecar
metadata: {name: narrow}
spec: {egress: [{hosts: [shop/*]}]}
"""


def why(mesh: Mesh, name: str, namespace: str = "default") -> str:
    scope = scope_of(mesh.world.snapshot, mesh.world.index, WorkloadId(namespace, "client"))
    return why_unknown(mesh.world.snapshot, scope, name)


def test_nowhere_elsewhere_or_hidden() -> None:
    mesh = Mesh(simple("reviews"), simple("shop/cart"))
    assert why(mesh, "cart") == "namespace shop has one of that name: cart.shop"
    assert why(mesh, "reviws") == 'no service or ServiceEntry is called reviws; did you mean "reviews"?'
    assert why(mesh, "xyz") == "no service or ServiceEntry is called xyz"
    mesh.apply(KEPT)
    assert why(mesh, "kept.example.com") == (
        "kept.example.com is exported to shop only (exportTo), not to default"
    )
    mesh.apply(NARROW)
    assert why(mesh, "reviews").endswith("is not among the egress hosts of this workload's Sidecar")
