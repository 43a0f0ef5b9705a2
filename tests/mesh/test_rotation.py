"""Leafs that live ten seconds, a new intermediate and a new root under load; and a CA of the operator's own."""

import pytest

from proa.core.auth.roots import root_digests
from tests.mesh.harness import Mesh, why_no_envoy
from tests.mesh.rotations import (
    authority,
    chains_to,
    rotate_under_load,
    rotating_mesh,
    shows_chain_to,
)

pytestmark = [
    pytest.mark.mesh,
    pytest.mark.timeout(300),
    pytest.mark.skipif(bool(why_no_envoy()), reason=why_no_envoy()),
]


def test_no_request_fails_while_leafs_intermediate_and_root_change() -> None:
    with rotating_mesh() as mesh:
        waiting = mesh.proa("token", "create", "--node", "late", check=True).stdout.strip()
        told = rotate_under_load(mesh, seconds=20)
        print(told.load.summary(), f"{len(told.serials)} leafs")
        assert told.load.sent >= 50 * 15
        assert not told.load.failures, told.load.summary()
        assert len(told.serials) >= 4
        assert set(root_digests(told.old)).isdisjoint(root_digests(told.new))
        assert [each.digest for each in authority(mesh).roots] == list(root_digests(told.new))
        assert chains_to(mesh, told.new)
        assert not chains_to(mesh, told.old)
        assert shows_chain_to(mesh, told.new)
        assert not shows_chain_to(mesh, told.old)
        kinds = [event.kind for event in mesh.admin.audit(100).events]
        assert kinds == ["root-retired", "root-activated", "root-prepared", "signer-replaced"]
        assert joins(waiting, mesh), "a token from before the rotation"


def joins(token: str, control: Mesh) -> bool:
    with Mesh("node", f"--token={token}", control=control) as node:
        return node.node().connected
