"""Mixer's checks at a real sidecar: the task of 2018 that denies by labels, and rules that the control plane is asked
for, on connections that stay open while rules come and go.

`echo` of the shared mesh is the server; `caller` and `v3`, which wears `version: v3`, call it.
"""

from collections.abc import Iterator

import pytest

from tests.mesh.asking_rules import Caller, Words, on_list
from tests.mesh.harness import FOREVER, Mesh

pytestmark = pytest.mark.mesh

DENY = """
apiVersion: config.istio.io/v1alpha2
kind: denier
metadata: {name: denyreviewsv3handler, annotations: {proa.dev/deadline: 30s}}
spec:
  status: {code: 7, message: Not allowed}
---
apiVersion: config.istio.io/v1alpha2
kind: checknothing
metadata: {name: denyreviewsv3request}
spec:
---
apiVersion: config.istio.io/v1alpha2
kind: rule
metadata: {name: denyreviewsv3}
spec:
  match: destination.labels["app"] == "echo" && source.labels["version"] == "v3"
  actions:
  - handler: denyreviewsv3handler.denier
    instances: [ denyreviewsv3request.checknothing ]
"""
NEWER = """
apiVersion: config.istio.io/v1alpha2
kind: attributemanifest
metadata: {name: ours}
spec:
  attributes:
    ours.word: {valueType: STRING}
---
apiVersion: config.istio.io/v1alpha2
kind: handler
metadata: {name: no, annotations: {proa.dev/deadline: 30s}}
spec:
  compiledAdapter: denier
  params:
    status: {code: 8, message: no more}
---
apiVersion: config.istio.io/v1alpha2
kind: instance
metadata: {name: any}
spec:
  compiledTemplate: checknothing
---
apiVersion: config.istio.io/v1alpha2
kind: rule
metadata: {name: newer}
spec:
  match: (ours.word | "none") == "none" && request.path.startsWith("/newer")
  actions:
  - handler: no
    instances: [any]
---
apiVersion: proa.dev/v1alpha1
kind: MixerRule
metadata: {name: by-cel}
spec:
  match: request.path in ["/cel", "/cel/"] && request.method == "GET"
  actions:
  - handler: no
    instances: [any]
"""


@pytest.fixture(scope="module")
def scene(shared_mesh: Mesh) -> Iterator[Mesh]:
    with shared_mesh.running("v3", FOREVER, "--label=version=v3"):
        yield shared_mesh


def connections(mesh: Mesh) -> int:
    """How many with requests `echo` has been called by."""
    return sum(mesh.stats("echo", r"^http\.inbound\.downstream_cx_total$").values())


def asked(mesh: Mesh, policy: str = "closed") -> int:
    return sum(mesh.stats("echo", rf"ext_authz\.mixer_{policy}\.(ok|denied|error)$").values())


KNOWN = "envoy_http_ext_authz_mixer_closed_disabled_total"
"""Envoy's count of requests for which its filter did not ask: the script knew them."""


def test_the_task_of_2018_that_denies_by_labels(scene: Mesh) -> None:
    with Caller(scene, "caller") as caller, Caller(scene, "v3") as other:
        assert (caller.status(), other.status()) == (200, 200)
        before = connections(scene)
        assert before >= 2
        with scene.applied(DENY):
            refused = (403, "PERMISSION_DENIED:denyreviewsv3handler.denier.default:Not allowed")
            assert other.ask() == refused
            assert other.ask(content_type="text/plain") == refused, "again, by whoever knows it now"
            assert caller.status() == 200
        assert other.status() == 200
        with scene.applied(NEWER):
            assert caller.ask("/newer") == (429, "RESOURCE_EXHAUSTED:no.handler.default:no more")
            assert [caller.status(path) for path in ("/older", "/cel")] == [200, 429]
            told = (200, "8", "RESOURCE_EXHAUSTED:no.handler.default:no more")
            assert [caller.call("/newer/Call") for _ in range(4)] == [told] * 4, "asked or known"
        assert connections(scene) == before, "rules come and go on open connections"


def test_what_the_control_plane_is_asked_for_is_kept_until_rules_change(scene: Mesh) -> None:
    with Words("one", "two") as words, Caller(scene, "caller") as caller:
        with scene.applied(on_list(words)):
            before, known = asked(scene), scene.metric(KNOWN)
            found = [caller.status(x_word=word) for word in ("one", "three") * 10]
            assert found == [200, 404] * 10
            assert 2 <= asked(scene) - before < 20, "once for each word and worker"
            assert 0 < scene.metric(KNOWN) - known < 10, "those that were let pass without a call"
            scene.apply(on_list(words, blacklist=True))
            assert [caller.status(x_word=word) for word in ("one", "three")] != found[:2], "at once"
            scene.apply(on_list(words, match='request.headers["x-word"] == "three"'))
            assert caller.status(x_word="one") == 200
        assert caller.status(x_word="three") == 200
