"""Rules for some clients only, on real Envoys: who obeys is decided by what a client is, not by what it sends."""

import pytest

from tests.mesh.harness import FOREVER, Mesh, curl_status

pytestmark = pytest.mark.mesh

TODAY = """
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: echo}
spec:
  hosts: [echo]
  http:
  - match: [{sourceLabels: {app: other, track: red}}]
    directResponse: {status: 418}
  - match: [{sourceNamespace: nowhere}]
    directResponse: {status: 419}
  - route: [{destination: {host: echo}}]
"""
OLD = """
apiVersion: config.istio.io/v1alpha2
kind: RouteRule
metadata: {name: echo-for-some}
spec:
  destination: {name: echo}
  match: {source: {name: other, labels: {track: red}}}
  httpFault: {abort: {percent: 100, httpStatus: 418}}
"""


@pytest.mark.parametrize("language", ["today", "2018"])
def test_a_rule_is_for_the_clients_it_names(mesh: Mesh, language: str) -> None:
    def status(client: str, path: str) -> int:
        return curl_status(mesh.curl(client, "-i", f"http://echo:8080/sources/{path}"))

    with (
        mesh.running("other", FOREVER, "--label=track=red"),
        mesh.applied(TODAY if language == "today" else OLD),
    ):
        assert (status("other", "red"), status("caller", "red")) == (418, 200)
    assert status("caller", "after") == 200
