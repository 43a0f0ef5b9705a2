import asyncio

import pytest

from proa.adapters.key_stores.memory import MemoryKeyStore
from proa.control_plane.ca_keys import INTERMEDIATE, ROOT, generate_key, open_intermediate, open_root
from proa.core.auth.ca import Ca, private_pem
from proa.core.auth.template import DAY, IssuanceError
from proa.ports.key_store import KeyEntry
from tests.unit.core.auth.authorities import NOW, TRUST_DOMAIN


async def both(keys: MemoryKeyStore, now: float = NOW, serial: int = 1) -> tuple[Ca, Ca]:
    root = await open_root(keys, TRUST_DOMAIN, generate_key, serial, now)
    return root, await open_intermediate(keys, TRUST_DOMAIN, root, generate_key, serial + 1, now)


def test_a_second_start_goes_on_with_what_the_first_made() -> None:
    async def body() -> None:
        keys = MemoryKeyStore()
        first, second = await both(keys), await both(keys, serial=10)
        assert [each.pem for each in first] == [each.pem for each in second]
        assert await keys.names() == (INTERMEDIATE, ROOT)

    asyncio.run(body())


def test_an_intermediate_is_renewed_from_half_life_on() -> None:
    async def body() -> None:
        keys = MemoryKeyStore()
        root, intermediate = await both(keys)
        _, early = await both(keys, NOW + 182 * DAY, serial=10)
        same_root, late = await both(keys, NOW + 183 * DAY, serial=20)
        assert early.pem == intermediate.pem
        assert late.pem != intermediate.pem
        assert same_root.pem == root.pem
        late.certificate.verify_directly_issued_by(root.certificate)

    asyncio.run(body())


def test_an_expired_root_is_not_replaced_behind_the_operators_back() -> None:
    async def body() -> None:
        keys = MemoryKeyStore()
        await both(keys)
        with pytest.raises(IssuanceError, match="root certificate has expired"):
            await both(keys, NOW + 3651 * DAY)

    asyncio.run(body())


def test_an_unusable_entry_is_named_and_kept() -> None:
    async def body() -> None:
        keys = MemoryKeyStore()
        root, _ = await both(keys)
        broken = KeyEntry(key_pem=generate_root_key(), chain_pem=root.pem)
        await keys.replace(ROOT, broken)
        with pytest.raises(IssuanceError, match="key store entry 'root': the CA's key and certificate"):
            await both(keys)
        assert await keys.load(ROOT) == broken

    asyncio.run(body())


def test_an_intermediate_of_another_root_is_refused() -> None:
    async def body() -> None:
        keys, other = MemoryKeyStore(), MemoryKeyStore()
        await both(keys)
        await both(other, serial=10)
        foreign = await other.load(INTERMEDIATE)
        assert foreign is not None
        await keys.replace(INTERMEDIATE, foreign)
        with pytest.raises(IssuanceError, match="not signed by this root"):
            await both(keys)

    asyncio.run(body())


def generate_root_key() -> str:
    return private_pem(generate_key())
