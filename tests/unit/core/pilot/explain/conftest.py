"""A mesh of files for the tests of explanations."""

from collections.abc import Callable

import pytest

from proa.control_plane.paper_mesh import PaperMesh
from proa.core.config import read_batch
from proa.core.pilot.explain.story import Explanation, Question
from proa.core.pilot.simulate.request import Headers

SERVICES = """
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: {name: reviews}
spec:
  hosts: [reviews.default.svc.cluster.local]
  location: MESH_INTERNAL
  resolution: STATIC
  ports: [{number: 9080, name: http, protocol: HTTP}, {number: 9081, name: tcp, protocol: TCP}]
  workloadSelector: {labels: {app: reviews}}
---
apiVersion: networking.istio.io/v1
kind: WorkloadEntry
metadata: {name: reviews-v1}
spec: {address: 10.0.0.1, labels: {app: reviews, version: v1, security.istio.io/tlsMode: istio}, serviceAccount: r}
---
apiVersion: networking.istio.io/v1
kind: WorkloadEntry
metadata: {name: reviews-v2}
spec: {address: 10.0.0.2, labels: {app: reviews, version: v2}}
---
apiVersion: networking.istio.io/v1
kind: WorkloadEntry
metadata: {name: page}
spec: {address: 10.0.0.9, labels: {app: page}}
---
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: {name: reviews}
spec:
  host: reviews
  subsets:
  - {name: v1, labels: {version: v1}}
  - {name: v2, labels: {version: v2}}
  - {name: v9, labels: {version: v9}}
"""

Explain = Callable[..., Explanation]


@pytest.fixture
def explain() -> Explain:
    """`explain("http://reviews:9080/", RULES)`: what becomes of it, called by `page` or at the Gateway `via`."""

    def asked(
        url: str,
        rules: str = "",
        *,
        headers: Headers = (),
        source: str = "page",
        via: str = "",
        tcp: str = "",
    ) -> Explanation:
        batch = read_batch([("services.yaml", SERVICES), ("rules.yaml", rules)])
        assert batch.is_valid, batch.problems
        mesh = PaperMesh(batch.objects)
        first = mesh.gateway(via, "default") if via else None
        caller = None if via else mesh.workload(source, "default")[0]
        return mesh.explain(Question(url=url, headers=headers, source=caller, gateway=first, tcp=tcp))

    return asked
