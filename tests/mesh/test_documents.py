"""What `proa apply` does with bad documents: everything wrong is said, nothing is done."""

import pytest

from proa.core.model.names import ObjectRef
from tests.mesh.harness import Mesh

pytestmark = pytest.mark.mesh

GOOD = """\
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: {name: good}
spec: {host: echo}
"""
BAD = f"""{GOOD}---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata:
  name: bad
spec:
  hosts: [echo]
  http:
  - route:
    - destination: {{host: echo, subsett: v1}}
      weight: many
    timeout: soon
"""
WORSE = """\
apiVersion: networking.istio.io/v1
kind: VirtualServise
metadata: {name: worse}
spec: {}
---
apiVersion: networking.istio.io/v1
kind: Gateway
metadata: {name: worst}
spec:
  servers:
  - port: {number: 99999, name: http, protocol: HTTP}
    hosts: []
"""


def line_of(text: str, word: str) -> int:
    """The last line that has the word; people count from 1."""
    return max(number for number, line in enumerate(text.splitlines(), start=1) if word in line)


def test_every_problem_is_told_with_its_line_and_nothing_is_applied(mesh: Mesh) -> None:
    before = mesh.objects()
    done = mesh.apply(BAD, WORSE, check=False)
    assert done.returncode == 1
    told = done.stdout + done.stderr
    for file, text, words in (
        ("1.yaml", BAD, ("subsett", "weight", "timeout")),
        ("2.yaml", WORSE, ("VirtualServise", "99999", "hosts")),
    ):
        for word in words:
            place = f"{file}:{line_of(text, word)}: "
            assert [line for line in told.splitlines() if place in line and word in line], (place, word, told)
    assert "nothing was applied" in told
    assert mesh.objects() == before


def test_a_near_name_is_suggested(mesh: Mesh) -> None:
    told = mesh.apply(BAD, WORSE, check=False).stderr
    assert "did you mean" in told
    assert "VirtualService" in told


def test_good_documents_alone_go_in_and_out(mesh: Mesh) -> None:
    with mesh.applied(GOOD):
        assert ObjectRef("DestinationRule", "default", "good") in mesh.objects()
        again = mesh.apply(GOOD)
        assert "unchanged" in again.stdout


def test_broken_yaml_has_a_line_too(mesh: Mesh) -> None:
    done = mesh.apply(GOOD, "kind: [VirtualService\nspec: }\n", check=False)
    assert done.returncode == 1
    assert "2.yaml:2:" in done.stdout + done.stderr


def test_an_apply_from_standard_input_names_it(mesh: Mesh) -> None:
    done = mesh.proa("apply", "-f", "-", stdin=WORSE)
    assert done.returncode == 1
    assert ":2:" in done.stderr
