"""What ended long ago goes, however much it is; what did not stays."""

import asyncio
from pathlib import Path

from proa.adapters.config_sources.sqlite import open_stores
from proa.control_plane.pruning import prune
from proa.core.auth.tokens import TokenRecord, hash_secret
from proa.ports.authority_store import Issuance


def test_all_that_ended_goes_in_small_steps(tmp_path: Path) -> None:
    async def scene() -> None:
        async with asyncio.timeout(60), open_stores(tmp_path / "store.db") as stores:
            store = stores.authority
            for number in range(25):
                await store.record_issuance(
                    Issuance(
                        serial=f"{number:02x}",
                        identity="spiffe://x/ns/default/sa/a",
                        asked_by="x",
                        not_before=0,
                        not_after=100 + number,
                        time=0.0,
                    )
                )
            await store.put_token(
                TokenRecord(
                    id="t",
                    secret_sha256=hash_secret("s"),
                    node="a",
                    placements=(),
                    created=0.0,
                    expires=100.0,
                )
            )
            assert await prune(store, 120.0, step=3) == 21
            assert [each.not_after for each in await store.issuances()] == [124, 123, 122, 121, 120]
            assert await store.tokens() == ()
            assert await prune(store, 120.0) == 0

    asyncio.run(scene())
