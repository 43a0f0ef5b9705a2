import asyncio

import pytest

from proa.adapters.key_stores.memory import MemoryKeyStore
from proa.control_plane.ca_keys import (
    KeptRoot,
    create_root,
    describe,
    generate_key,
    intermediate_name,
    load_roots,
    open_intermediate,
    remove_root,
    root_name,
)
from proa.core.auth.ca import Ca, make_intermediate, make_root
from proa.core.auth.template import DAY, IssuanceError
from proa.ports.key_store import KeyEntry
from tests.unit.core.auth.authorities import INTERMEDIATE, NOW, ROOT, TRUST_DOMAIN, key


async def first(keys: MemoryKeyStore, number: int = 1) -> KeptRoot:
    made = make_root(TRUST_DOMAIN, key(300 + number), number, NOW)
    kept = describe(made, number, prepared_at=NOW, activated_at=NOW)
    return await create_root(keys, kept, TRUST_DOMAIN)


async def signing(keys: MemoryKeyStore, kept: KeptRoot, now: float = NOW, **more: bool) -> Ca:
    return await open_intermediate(keys, TRUST_DOMAIN, kept, generate_key, int(now) % 1000 + 5, now, **more)


def test_what_is_kept_reads_back_with_its_times() -> None:
    async def body() -> None:
        keys = MemoryKeyStore()
        one, two = await first(keys), await first(keys, 2)
        assert await keys.names() == ("root", "root-2")
        assert [each.root for each in await load_roots(keys, TRUST_DOMAIN)] == [one.root, two.root]

    asyncio.run(body())


def test_of_two_who_make_a_root_at_once_one_wins() -> None:
    async def body() -> None:
        keys = MemoryKeyStore()
        one = await first(keys)
        other = describe(make_root(TRUST_DOMAIN, key(400), 9, NOW), 1, prepared_at=NOW)
        assert (await create_root(keys, other, TRUST_DOMAIN)).root == one.root

    asyncio.run(body())


def test_a_root_of_an_older_program_has_always_been_active() -> None:
    async def body() -> None:
        keys = MemoryKeyStore()
        await keys.create("root", KeyEntry(key_pem=ROOT.key_pem, chain_pem=ROOT.pem))
        await keys.create("intermediate", KeyEntry(key_pem=INTERMEDIATE.key_pem, chain_pem=INTERMEDIATE.pem))
        (kept,) = await load_roots(keys, TRUST_DOMAIN)
        assert (kept.root.generation, kept.root.activated_at) == (1, ROOT.not_before)
        assert (await signing(keys, kept)).pem == INTERMEDIATE.pem

    asyncio.run(body())


def test_an_intermediate_is_renewed_from_half_life_on_by_whoever_may() -> None:
    async def body() -> None:
        keys = MemoryKeyStore()
        kept = await first(keys)
        intermediate = await signing(keys, kept)
        assert (await signing(keys, kept, NOW + 182 * DAY)).pem == intermediate.pem
        assert (await signing(keys, kept, NOW + 183 * DAY, may_replace=False)).pem == intermediate.pem
        late = await signing(keys, kept, NOW + 183 * DAY)
        assert late.pem != intermediate.pem
        late.certificate.verify_directly_issued_by(kept.ca.certificate)
        assert (await signing(keys, kept, NOW + 183 * DAY, anew=True)).pem != late.pem

    asyncio.run(body())


def test_a_root_goes_with_what_signs_under_it() -> None:
    async def body() -> None:
        keys = MemoryKeyStore()
        await signing(keys, await first(keys))
        two = await first(keys, 2)
        await signing(keys, two)
        await remove_root(keys, 1)
        assert await keys.names() == (intermediate_name(2), root_name(2))

    asyncio.run(body())


def test_an_unusable_entry_is_named_and_kept() -> None:
    async def body() -> None:
        keys = MemoryKeyStore()
        kept = await first(keys)
        for broken, said in (
            (
                KeyEntry(key_pem=ROOT.key_pem, chain_pem=kept.pem),
                "entry 'root': the CA's key and certificate",
            ),
            (KeyEntry(key_pem=ROOT.key_pem, chain_pem=ROOT.pem, note="{"), "entry 'root': its note"),
        ):
            await keys.replace("root", broken)
            with pytest.raises(IssuanceError, match=said):
                await load_roots(keys, TRUST_DOMAIN)
            assert await keys.load("root") == broken

    asyncio.run(body())


def test_an_intermediate_of_another_root_is_refused() -> None:
    async def body() -> None:
        keys = MemoryKeyStore()
        kept = await first(keys)
        foreign = KeyEntry(key_pem=INTERMEDIATE.key_pem, chain_pem=INTERMEDIATE.pem)
        await keys.create("intermediate", foreign)
        with pytest.raises(IssuanceError, match="not signed by this root"):
            await signing(keys, kept)

    asyncio.run(body())


def test_a_ca_that_was_brought_signs_itself_and_keeps_its_chain() -> None:
    async def body() -> None:
        keys = MemoryKeyStore()
        brought = make_intermediate(TRUST_DOMAIN, ROOT, key(500), 50, NOW)
        kept = describe(brought, 3, prepared_at=NOW, plugged=True)
        await create_root(keys, kept, TRUST_DOMAIN)
        (read,) = await load_roots(keys, TRUST_DOMAIN)
        assert (read.root, read.is_plugged, read.pem) == (kept.root, True, ROOT.pem)
        signer = await signing(keys, read, anew=True)
        assert (signer.pem, signer.presented_pem) == (brought.pem, brought.pem)
        broken = KeyEntry(
            key_pem=ROOT.key_pem, chain_pem=brought.chain_pem, note='{"prepared_at":1,"plugged":true}'
        )
        await keys.replace("root-3", broken)
        with pytest.raises(IssuanceError, match="entry 'root-3': the CA's key and certificate"):
            await load_roots(keys, TRUST_DOMAIN)

    asyncio.run(body())
