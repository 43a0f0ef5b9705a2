"""A weight that sends requests where nobody answers, and the way back."""

from collections import Counter

import pytest

from proa.core.model.names import ObjectRef
from proa.servers.admin.history import HistoryQuery
from tests.mesh.harness import Mesh

pytestmark = pytest.mark.mesh

REQUESTS = 20

SUBSETS = """
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: {name: echo}
spec:
  host: echo
  subsets: [{name: all, labels: {}}, {name: nobody, labels: {version: v9}}]
"""


def weights(to_all: int) -> str:
    return f"""
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {{name: echo}}
spec:
  hosts: [echo]
  http:
  - route:
    - {{destination: {{host: echo, subset: all}}, weight: {to_all}}}
    - {{destination: {{host: echo, subset: nobody}}, weight: {100 - to_all}}}
"""


def statuses(mesh: Mesh) -> Counter[str]:
    url = f"http://echo:8080/?n=[1-{REQUESTS}]"
    return Counter(mesh.curl("caller", "-o", "/dev/null", "-w", "%{http_code}\n", url).stdout.split())


def test_a_bad_weight_is_rolled_back(mesh: Mesh) -> None:
    rules = ObjectRef("VirtualService", "default", "echo")
    with mesh.applied(SUBSETS, weights(100)):
        good = mesh.admin.status().config_version
        assert statuses(mesh) == {"200": REQUESTS}
        mesh.apply(SUBSETS, weights(20))
        assert statuses(mesh)["503"] > 0

        foretold = mesh.proa("rollback", str(good), "--wait", "--dry-run", check=True)
        assert foretold.stdout == f"{rules} configured (dry run)\n"
        done = mesh.proa("rollback", str(good), "--wait", check=True)

        assert "live on" in done.stdout
        assert statuses(mesh) == {"200": REQUESTS}
        newest, bad, *_ = mesh.admin.history(HistoryQuery(ref=rules)).entries
        assert (newest.version, newest.note) == (good + 2, f"rollback to version {good}")
        assert (newest.before, newest.action) == (bad.manifest, "changed")
        told = mesh.proa("history", "vs", "echo", "--diff", "--limit", "1", check=True).stdout
        assert f"(rollback to version {good})" in told
        assert "+      weight: 100" in told or "-      weight: 20" in told
