"""What of the world follows from a partner, and what does not."""

from pathlib import Path

import pytest

from proa.core.auth.federation import Named
from proa.core.model.names import WorkloadId
from proa.core.model.settings import MeshSettings
from proa.core.pilot.resource import ResourceType
from proa.core.pilot.scope.authorization import authorization_view
from proa.core.pilot.scope.federation import (
    accepted_in,
    federated,
    federation_notes,
    partner_behind,
    partners_of,
)
from proa.core.pilot.translate.filters.revocation import REVOCATION
from proa.testing.builders import Mesh, simple
from tests import federation
from tests.federation import PARTNER, roots_of

TILL = """
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: {name: till}
spec:
  hosts: [till.example]
  exportTo: ["*"]
  location: MESH_EXTERNAL
  resolution: STATIC
  ports: [{number: 443, name: http, protocol: HTTP}]
  endpoints: [{address: 192.0.2.7}]
  subjectAltNames: ["spiffe://partner.example/tills/7"]
---
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: {name: till}
spec: {host: till.example, exportTo: ["*"], trafficPolicy: {tls: {mode: ISTIO_MUTUAL}}}
"""
LET_IN = """
apiVersion: security.istio.io/v1
kind: AuthorizationPolicy
metadata: {name: partner, namespace: shop}
spec: {rules: [{from: [{source: {trustDomains: [partner.example]}}]}]}
"""
CLUSTER = (ResourceType.CLUSTER, "outbound|443||till.example")


@pytest.fixture(scope="module")
def partner(tmp_path_factory: pytest.TempPathFactory) -> str:
    return federation.federated(roots_of(tmp_path_factory.mktemp("partner")))


def partners(mesh: Mesh, workload: str) -> tuple[Named, ...]:
    snapshot, index = mesh.world.snapshot, mesh.world.index
    known = snapshot.workloads[WorkloadId(*workload.split("/"))]
    return partners_of(snapshot, index, known, authorization_view(snapshot, index, known))


def test_only_workloads_of_the_chosen_namespaces_hear_of_it(partner: str) -> None:
    mesh = Mesh(simple("web"), simple("shop/web"))
    changed: list[WorkloadId] = []
    for each in ("default/web-v1", "shop/web-v1"):
        mesh.source(each)
    mesh.world.subscribe(lambda _g, _a, _s, workloads: changed.extend(workloads))
    before = mesh.source("shop/web-v1").lookup(ResourceType.EXTENSION, REVOCATION)
    mesh.apply(partner)
    assert changed == [WorkloadId("shop", "web-v1")]
    assert (partners(mesh, "shop/web-v1"), partners(mesh, "default/web-v1")) == (
        (Named(trust_domain=PARTNER),),
        (),
    )
    mesh.apply(LET_IN)
    assert partners(mesh, "shop/web-v1") == (Named(trust_domain=PARTNER, whole=True),)
    mesh.delete("FederatedTrustDomain", "partner", "istio-system")
    assert partners(mesh, "shop/web-v1") == ()
    assert federated(mesh.world.snapshot, mesh.world.index) == ()
    assert mesh.source("shop/web-v1").lookup(ResourceType.EXTENSION, REVOCATION) == before


def test_a_partners_service_is_checked_by_its_own_roots_where_it_is_accepted(partner: str) -> None:
    mesh = Mesh(simple("web"))
    mesh.apply(TILL)

    def roots(namespace: str) -> bytes:
        found = mesh.source(f"{namespace}/client").lookup(*CLUSTER)
        assert found is not None
        assert (b"proa:partner:partner.example" in found.body) != (b"ROOTCA" in found.body)
        return found.body

    alone = roots("shop")
    mesh.apply(partner)
    assert b"ROOTCA" in roots("default"), "it is not accepted there"
    assert b"ROOTCA" not in roots("shop")
    snapshot, index = mesh.world.snapshot, mesh.world.index
    assert partner_behind(snapshot, index, "shop", snapshot.services["till.example"]) == PARTNER
    assert partner_behind(snapshot, index, "shop", snapshot.services["web.default.svc.cluster.local"]) == ""
    assert partner_behind(snapshot, index, "shop", None) == ""
    mesh.delete("FederatedTrustDomain", "partner", "istio-system")
    assert roots("shop") == alone


def test_every_namespace_may_be_meant_and_no_name_of_our_own(tmp_path: Path) -> None:
    text = federation.federated(roots_of(tmp_path), '"*"')
    mesh = Mesh()
    mesh.apply(text)
    assert accepted_in(mesh.world.snapshot, mesh.world.index, "anywhere") == (PARTNER,)
    mesh = Mesh(settings=MeshSettings(trust_domain_aliases=(PARTNER,)))
    mesh.apply(text)
    assert accepted_in(mesh.world.snapshot, mesh.world.index, "anywhere") == ()
    (note,) = federation_notes(mesh.world.snapshot, mesh.world.index)
    assert (note.about.name, note.code) == ("partner", "federation-fault")
    assert note in mesh.world.notes()
