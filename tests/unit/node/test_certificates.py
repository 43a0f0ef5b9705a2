"""When a certificate is renewed, and which stored one is of use."""

import asyncio
import time
from pathlib import Path

import msgspec
import pytest
from immutables import Map

from proa.core.auth.spiffe import node_id
from proa.core.auth.template import node_leaf
from proa.core.model.names import WorkloadId
from proa.core.sidecar.session import SignReply
from proa.node import certificates
from proa.node.certificates import Keeper, next_renewal
from proa.node.credentials import BadCredential, Credential, NewKey, load_credential, save_credential
from proa.node.trust import NodeTrust
from proa.node.uplink import SignUnreachable
from tests.mesh.tiny_control_plane import TinyCa, new_serial

DAY = 86_400


def credential(not_before: int, not_after: int) -> Credential:
    return Credential(
        key_pem="",
        chain_pem="",
        bundles={},
        identity="spiffe://a/b",
        not_before=not_before,
        not_after=not_after,
    )


def test_a_day_is_renewed_at_half_life() -> None:
    assert next_renewal(credential(0, DAY), 10, 0.0) == DAY / 2
    assert DAY * 0.4 <= next_renewal(credential(0, DAY), 10, 1.0) < DAY / 2


def test_a_life_shorter_than_its_backdating_makes_no_loop() -> None:
    assert next_renewal(credential(940, 1004), 1000, 0.0) == 1002
    assert next_renewal(credential(0, 1000), 1000, 0.0) == 1001


def test_a_credential_comes_back_from_disk_for_its_owner_alone(tmp_path: Path) -> None:
    stored = TinyCa().node_credential("here", ("127.0.0.1:1",))
    path = tmp_path / "deep" / "credential.json"
    save_credential(path, stored)
    assert load_credential(path) == stored
    assert path.stat().st_mode & 0o777 == 0o600
    assert stored.key_pem not in repr(stored)
    path.chmod(0o640)
    assert load_credential(path) is None


@pytest.mark.parametrize("text", ["", "{}", '{"key_pem":""}'])
def test_a_damaged_file_is_no_credential(tmp_path: Path, text: str) -> None:
    path = tmp_path / "credential.json"
    path.write_text(text)
    path.chmod(0o600)
    assert load_credential(path) is None
    assert load_credential(tmp_path / "missing") is None


def test_a_chain_for_another_key_or_identity_is_refused() -> None:
    ca = TinyCa()
    signed = ca.node_credential("here", ())
    with pytest.raises(BadCredential, match="another key"):
        NewKey(node_id("cluster.local", "here")).credential(signed.chain_pem, signed.bundles)
    with pytest.raises(BadCredential, match="cannot be read"):
        NewKey(node_id("cluster.local", "here")).credential("nonsense", {})


class LocalSigner:
    """Signs node certificates at once."""

    def __init__(self, ca: TinyCa) -> None:
        self._ca = ca

    async def sign(self, workload: WorkloadId | None, csr_pem: str) -> SignReply:
        leaf = node_leaf("cluster.local", "here", new_serial(), self._ca.validity)
        return SignReply(
            chain_pem=self._ca.sign(csr_pem, leaf),
            root_bundles=Map({"cluster.local": self._ca.root.pem}),
            not_after=leaf.not_after,
        )


def test_a_certificate_that_cannot_be_kept_on_disk_is_used_all_the_same(tmp_path: Path) -> None:
    ca = TinyCa()
    (tmp_path / "full").write_text("a file where a directory is wanted")
    keeper = Keeper(
        signer=LocalSigner(ca),
        workload=None,
        identity=node_id("cluster.local", "here"),
        path=tmp_path / "full" / "credential.json",
        trust=NodeTrust("cluster.local", {"cluster.local": ca.root.pem}),
    )
    obtained = asyncio.run(keeper.obtain())
    assert keeper.credential.value == obtained
    assert obtained.identity == "spiffe://cluster.local/proa/node/here"


class AwaySigner:
    """Nobody answers until `ca` is there."""

    def __init__(self) -> None:
        self.ca: TinyCa | None = None

    async def sign(self, workload: WorkloadId | None, csr_pem: str) -> SignReply:
        if self.ca is None:
            raise SignUnreachable("away")
        return await LocalSigner(self.ca).sign(workload, csr_pem)


def half_gone(ca: TinyCa) -> Credential:
    stored = ca.node_credential("here", ())
    now = int(time.time())
    return msgspec.structs.replace(stored, not_before=now - 1000, not_after=now + 500)


def keeper_of(ca: TinyCa, signer: AwaySigner, path: Path, stored: Credential) -> Keeper:
    save_credential(path, stored)
    return Keeper(
        signer=signer,
        workload=None,
        identity=node_id("cluster.local", "here"),
        path=path,
        trust=NodeTrust("cluster.local", stored.bundles),
    )


def test_past_its_half_life_a_certificate_serves_while_nobody_signs_and_is_renewed_then(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(certificates, "AWAY_S", 0.01)
    ca, signer = TinyCa(), AwaySigner()
    stored = half_gone(ca)
    keeper = keeper_of(ca, signer, tmp_path / "credential.json", stored)

    async def scene() -> None:
        assert await keeper.obtain() == stored
        signer.ca = ca
        async with asyncio.TaskGroup() as tasks, asyncio.timeout(60):
            keeping = tasks.create_task(keeper.keep())
            await keeper.credential.until(lambda now: now != stored)
            keeping.cancel()

    asyncio.run(scene())


def test_past_its_half_life_a_certificate_is_renewed_before_use_when_somebody_signs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(certificates, "AWAY_S", 60)
    ca, signer = TinyCa(), AwaySigner()
    signer.ca = ca
    stored = half_gone(ca)
    assert asyncio.run(keeper_of(ca, signer, tmp_path / "credential.json", stored).obtain()) != stored
