"""`proa explain` against what really happens: its simulation request by request, and what it prints."""

import re
from collections.abc import Iterator

import pytest

from proa.core.model.names import WorkloadId
from proa.core.pilot.explain.page import draw
from proa.core.pilot.explain.story import Question
from tests.mesh.agreement import compare
from tests.mesh.agreement_scene import CALLER, EDGE, VISITOR, WORDS, agreement_scene, doors
from tests.mesh.harness import Mesh

pytestmark = pytest.mark.mesh


@pytest.fixture(scope="module")
def scene(shared_mesh: Mesh) -> Iterator[Mesh]:
    with agreement_scene(shared_mesh) as mesh:
        yield mesh


@pytest.mark.timeout(900)  # it computes all the time, and has a core to itself only on a quiet machine
def test_envoy_does_what_was_foretold(scene: Mesh) -> None:
    compare(scene, doors(scene), WORDS, seed=1, count=2_400)


def told(mesh: Mesh, *words: str) -> str:
    done = mesh.proa("explain", *words)
    assert done.stderr == ""
    return done.stdout


def test_a_live_mesh_is_told_hop_by_hop(scene: Mesh) -> None:
    page = told(scene, "GET", "http://echo:8080/api/v1", "--from", "caller")
    lines = [line.strip() for line in page.splitlines()]
    assert lines[:3] == [
        "GET http://echo:8080/api/v1 from default/caller",
        "",
        "default/caller  the caller's sidecar",
    ]
    assert "route         exact" in lines
    whole = " ".join(page.split())
    assert re.search(
        r"by VirtualService/default/echo http\[0\] \(\S+/agreement_scene.yaml:\d+, version \d+\)", whole
    )
    assert "default/echo  the server's sidecar" in lines
    assert "- STRICT: mesh TLS only" in lines
    assert lines[-1].startswith("=> reaches default/echo, whose program is at 127.0.0.1:")
    assert max(map(len, page.splitlines())) <= 100
    through = told(scene, "GET", "http://a.wild.example.com:8580/items/1", "--via", "ingressgateway")
    assert "route         wild" in through
    assert "=> reaches default/echo" in through


@pytest.mark.parametrize(
    ("url", "source", "said"),
    [
        ("http://echo.default:8080/empty/", VISITOR, "=> 503: nobody healthy is behind subset nobody"),
        ("http://private.example.com/", VISITOR, "is exported to default only (exportTo)"),
        ("http://stock.example.com/", VISITOR, "is not among the egress hosts"),
        ("http://echo:8080/nothing", CALLER, "authority is not regex"),
        ("http://169.254.169.254/", CALLER, "=> 403:"),
        ("http://nothing.org:8580/", EDGE, "=> 404:"),
    ],
)
def test_why_a_live_mesh_says_no(scene: Mesh, url: str, source: WorkloadId, said: str) -> None:
    at_gateway = source == EDGE
    question = Question(
        url=url, source=None if at_gateway else source, gateway=source if at_gateway else None
    )
    page = "".join(f"{piece.text} " for line in draw(scene.admin.explain(question)) for piece in line)
    assert said in " ".join(page.split())


REFUSED = """
apiVersion: networking.istio.io/v1alpha3
kind: EnvoyFilter
metadata: {name: bad, namespace: shop}
spec:
  configPatches:
  - applyTo: VIRTUAL_HOST
    match: {routeConfiguration: {vhost: {name: "echo.default.svc.cluster.local:8080"}}}
    patch: {operation: MERGE, value: {domains: ["echo.default:8080", "echo.default:8080"]}}
"""


def test_what_a_proxy_has_refused_is_said(scene: Mesh) -> None:
    scene.apply(REFUSED, check=False)
    try:
        page = told(scene, "GET", "http://echo.default:8080/api/v1", "--from", "shop/visitor")
        assert "refused by the proxy, which keeps what it had" in " ".join(page.split())
        assert "note: shop/visitor has refused" in page
        assert "refused by" not in told(scene, "GET", "http://echo:8080/api/v1", "--from", "caller")
    finally:
        scene.delete(REFUSED)
