import asyncio
from collections.abc import Awaitable, Callable

import pytest

from proa.adapters.key_stores.memory import MemoryKeyStore
from proa.control_plane.keyring import Keyring
from proa.core.auth.ca import Ca
from proa.core.auth.roots import root_digests
from proa.core.auth.template import DAY, IssuanceError
from proa.ports.failures import StoreTemporary
from proa.ports.key_store import KeyEntry
from tests.unit.control_plane.authority_parts import Parts
from tests.unit.core.auth.authorities import NOW
from tests.unit.core.auth.plugged_cas import P384_ROOT, ROOT, RSA_SIGNER, make_ca


def run(body: Callable[[Parts, Keyring], Awaitable[None]], plugged: Ca | None = None) -> None:
    async def opened() -> None:
        parts = Parts()
        await body(parts, await parts.keyring(plugged=plugged))

    asyncio.run(opened())


def phases(ring: Keyring) -> list[tuple[int, bool]]:
    return [(root.generation, root.activated_at is not None) for root in ring.roots]


def test_a_root_is_prepared_activated_and_the_old_one_retired() -> None:
    async def body(parts: Parts, ring: Keyring) -> None:
        old, signer = ring.active, await ring.signer()
        new = await ring.prepare()
        assert phases(ring) == [(1, True), (2, False)]
        assert ring.trust.value.roots_pem == old.pem + new.pem
        assert ring.trust.value.signing_root == old.root.digest
        assert await ring.signer() is signer
        await ring.activate(new.root)
        assert ring.trust.value.roots_pem == old.pem + new.pem
        assert ring.trust.value.signing_root == new.root.digest
        assert (await ring.signer()).root == new.ca.certificate
        await ring.retire(old.root)
        assert ring.trust.value.roots_pem == new.pem
        assert await parts.keys.names() == ("intermediate-2", "root-2")

    run(body)


def test_a_restart_and_another_control_plane_see_the_same_after_each_step() -> None:
    async def body(parts: Parts, ring: Keyring) -> None:
        other = await parts.keyring(is_leader=False)

        async def same() -> None:
            await other.refresh()
            again = await parts.keyring()
            for each in (other, again):
                assert (each.roots, each.trust.value) == (ring.roots, ring.trust.value)
                assert (await each.signer()).pem == (await ring.signer()).pem

        await same()
        old, new = ring.active, await ring.prepare()
        await same()
        await ring.activate(new.root)
        await same()
        await ring.renew_signer()
        await same()
        await ring.retire(old.root)
        await same()

    run(body)


class Stubborn(MemoryKeyStore):
    """Writes nothing while `is_full`."""

    is_full = False

    async def create(self, name: str, entry: KeyEntry) -> KeyEntry:
        self._check()
        return await super().create(name, entry)

    async def replace(self, name: str, entry: KeyEntry) -> None:
        self._check()
        await super().replace(name, entry)

    async def remove(self, name: str) -> bool:
        self._check()
        return await super().remove(name)

    def _check(self) -> None:
        if self.is_full:
            raise StoreTemporary("full")


def test_a_step_whose_write_fails_has_not_happened() -> None:
    async def body() -> None:
        keys = Stubborn()
        parts = Parts(keys)
        ring = await parts.keyring()
        old, new = ring.active, await ring.prepare()

        async def refused(step: Awaitable[object]) -> None:
            before = (ring.roots, ring.trust.value, ring.signer_now)
            keys.is_full = True
            with pytest.raises(StoreTemporary):
                await step
            keys.is_full = False
            assert (ring.roots, ring.trust.value, ring.signer_now) == before

        await refused(ring.prepare())
        await refused(ring.activate(new.root))
        await ring.activate(new.root)
        await refused(ring.renew_signer())
        await refused(ring.retire(old.root))

    asyncio.run(body())


def test_an_intermediate_is_renewed_at_half_life_by_the_leader_alone() -> None:
    async def body(parts: Parts, ring: Keyring) -> None:
        follower = await parts.keyring(is_leader=False)
        first = await ring.signer()
        parts.now = NOW + 183 * DAY
        assert (await follower.signer()).pem == first.pem
        second = await ring.signer()
        assert second.pem != first.pem
        await follower.refresh()
        assert (await follower.signer()).pem == second.pem
        assert (await ring.renew_signer() or first).pem not in (first.pem, second.pem)

    run(body)


def test_an_expired_root_is_not_replaced_behind_the_operators_back() -> None:
    async def body(parts: Parts, ring: Keyring) -> None:
        parts.now = NOW + 3651 * DAY
        with pytest.raises(IssuanceError, match="root certificate has expired"):
            await parts.keyring()

    run(body)


def test_keys_that_are_gone_are_no_reason_for_a_new_root() -> None:
    async def body(parts: Parts, ring: Keyring) -> None:
        await parts.keys.remove("root")
        with pytest.raises(IssuanceError, match="gone from the key store"):
            await ring.refresh()

    run(body)


def test_a_ca_that_was_brought_signs_by_itself() -> None:
    async def body(parts: Parts, ring: Keyring) -> None:
        signer = await ring.signer()
        assert signer.certificate == RSA_SIGNER.certificate
        assert root_digests(ring.trust.value.roots_pem) == root_digests(ROOT.pem)
        assert await ring.renew_signer() is None
        assert (await (await parts.keyring()).signer()).certificate == RSA_SIGNER.certificate

    run(body, RSA_SIGNER)


def test_one_brought_ca_follows_another() -> None:
    async def body(parts: Parts, ring: Keyring) -> None:
        await ring.exchange(ring.active, ROOT)
        assert (await ring.signer()).certificate == ROOT.certificate
        new = await ring.prepare(P384_ROOT)
        await ring.activate(new.root)
        again = await parts.keyring()
        assert (await again.signer()).certificate == P384_ROOT.certificate
        assert phases(again) == [(1, True), (2, True)]

    run(body, RSA_SIGNER)


def test_an_expired_ca_that_was_brought_is_replaced_by_the_next_at_once() -> None:
    async def body(parts: Parts, ring: Keyring) -> None:
        parts.now = NOW + 31 * DAY
        with pytest.raises(IssuanceError, match="has expired; give a new one"):
            await parts.keyring()
        fresh = make_ca("fresh root", number=801, now=parts.now)
        again = await parts.keyring(plugged=fresh)
        assert (await again.signer()).certificate == fresh.certificate
        assert phases(again) == phases(await parts.keyring()) == [(1, True), (2, True)]

    run(body, RSA_SIGNER)


def test_what_an_expiring_root_of_the_chain_ends_is_the_whole_chain() -> None:
    short = make_ca("short root", number=802, days=1)
    assert make_ca("signer", short, number=803, days=20).not_after == short.not_after
