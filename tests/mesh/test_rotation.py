"""Leafs that live ten seconds, a new intermediate and a new root under load; and a CA of the operator's own."""

import time
from pathlib import Path

import pytest

from proa.core.auth.ca import Ca, to_pem
from proa.core.auth.roots import root_digests, root_sha256
from proa.home import write_private
from tests.mesh.harness import Mesh, until, why_no_envoy
from tests.mesh.load import ECHO
from tests.mesh.rotations import (
    authority,
    chains_to,
    rotate_under_load,
    rotating_mesh,
    shows_chain_to,
)
from tests.unit.core.auth.plugged_cas import RSA_KEY, make_ca

pytestmark = [
    pytest.mark.mesh,
    pytest.mark.skipif(bool(why_no_envoy()), reason=why_no_envoy()),
]


def test_no_request_fails_while_leafs_intermediate_and_root_change() -> None:
    with rotating_mesh() as mesh:
        waiting = mesh.proa("token", "create", "--node", "late", check=True).stdout.strip()
        told = rotate_under_load(mesh, seconds=20)
        print(told.load.summary(), f"{len(told.serials)} leafs")
        assert told.load.sent >= 50 * 15
        assert not told.load.failures, told.load.summary()
        assert len(told.serials) >= 3, "leafs were renewed meanwhile"
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


def test_a_ca_of_the_operators_own_signs_and_another_follows_it_when_its_files_are_replaced(
    tmp_path: Path,
) -> None:
    first = make_ca("first root", number=701, now=time.time())
    signer = make_ca("first signer", first, ca_key=RSA_KEY, now=time.time())
    second = make_ca("second root", number=702, now=time.time())
    files = write_ca(tmp_path, signer)
    with rotating_mesh(*files) as mesh:
        (root,) = authority(mesh).roots
        assert (root.digest, root.is_plugged) == (root_sha256(first.pem), True)
        assert shows_chain_to(mesh, first.pem)
        refused = mesh.proa("certificate", "rotate", "root")
        assert refused.returncode == 1
        assert "replace its files" in refused.stderr
        write_ca(tmp_path, second)
        until(
            lambda: [each.digest for each in authority(mesh).roots] == [root_sha256(second.pem)],
            "the second root is the only one",
            60,
        )
        assert mesh.curl("caller", "-f", ECHO).returncode == 0
        assert shows_chain_to(mesh, second.pem)
        assert not shows_chain_to(mesh, first.pem)


def test_a_ca_that_cannot_sign_is_refused_with_all_that_is_wrong(tmp_path: Path) -> None:
    bad = make_ca("bad", is_ca=False, may_sign=False, now=time.time())
    with Mesh("none") as mesh:
        refused = mesh.proa(
            "serve", "--xds-port=0", "--join-port=0", "--metrics-port=0", *write_ca(tmp_path, bad)
        )
    assert refused.returncode == 1
    assert "CN=bad is no CA's certificate" in refused.stderr
    assert "CN=bad may not sign certificates" in refused.stderr


def write_ca(directory: Path, ca: Ca) -> tuple[str, ...]:
    """Its files, each replaced in one step, and the flags that name them."""
    flags = []
    texts = {"cert": ca.pem, "key": ca.key_pem, "chain": "".join(map(to_pem, ca.issuers)) or ca.pem}
    for name, text in texts.items():
        write_private(directory / f"{name}.pem", text)
        flags.append(f"--ca-{name}={directory / name}.pem")
    return tuple(flags)
