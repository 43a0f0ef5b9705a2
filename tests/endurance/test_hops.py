"""The whole matrix of hops on real Envoys: every server policy, every rule of clients, every kind of client. The short
form is in tests/mesh/test_tls_modes.py."""

from collections.abc import Callable
from itertools import product
from pathlib import Path

import pytest

from tests.mesh.harness import FOREVER, Mesh, why_no_envoy
from tests.mesh.hops import hops_scene, server_policies, try_cells

pytestmark = [
    pytest.mark.endurance,
    pytest.mark.timeout(1800),
    pytest.mark.skipif(bool(why_no_envoy()), reason=why_no_envoy()),
]


def test_every_hop_does_what_was_decided(tmp_path: Path, tell: Callable[[str], None]) -> None:
    with Mesh() as mesh:
        mesh.run("caller", FOREVER)
        with hops_scene(mesh, tmp_path) as hops:
            found = try_cells(hops, list(product(server_policies(), hops.rules)), tell)
    assert {*found} == {
        "mutual TLS",
        "plaintext",
        "program's TLS",
        "no way",
        "no certificate of the mesh",
        "certificate untrusted",
        "nobody ends it",
    }
