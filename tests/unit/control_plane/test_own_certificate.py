import asyncio
import time
from pathlib import Path

from proa.adapters.config_sources.sqlite import open_stores
from proa.adapters.key_stores.memory import MemoryKeyStore
from proa.control_plane.authority import Authority
from proa.control_plane.own_certificate import OwnCertificate
from tests.unit.control_plane.authority_parts import Parts
from tests.unit.core.auth.authorities import TRUST_DOMAIN


def test_it_follows_the_active_root_at_once_and_trusts_all_of_them(tmp_path: Path) -> None:
    async def body() -> None:
        parts = Parts(MemoryKeyStore())
        async with asyncio.timeout(60), open_stores(tmp_path / "store.db") as stores:
            authority = await Authority.open(
                trust_domain=TRUST_DOMAIN,
                keys=parts.keys,
                store=stores.authority,
                clock=time.time,
                entropy=parts.entropy,
            )
            own = await OwnCertificate.open(authority)
            assert own.uses == {authority.signing_root}
            old, issued = authority.signing_root, len(await stores.authority.issuances())
            async with asyncio.TaskGroup() as tasks:
                task = tasks.create_task(own.keep())
                new = (await authority.keyring.prepare()).root
                assert own.uses == {old}
                await authority.keyring.activate(new)
                await own.following.until(lambda root: root == new.digest)
                assert own.uses == {new.digest}
                task.cancel()
            assert len(await stores.authority.issuances()) == issued + 1

    asyncio.run(body())
