"""Few signatures are made here, many elsewhere, and too many are put off."""

import asyncio

import pytest

from proa.control_plane.signers import Signers
from proa.core.auth.csr import CsrRefused, build_csr
from proa.ports.failures import StoreTemporary
from proa.runtime.bucket import Rate
from proa.runtime.offload import Workers
from tests.unit.core.auth.authorities import INTERMEDIATE, LEAF_KEY, leaf_template

CSR = build_csr(LEAF_KEY, leaf_template().uri)


async def sign(signers: Signers, serial: int = 3) -> str | CsrRefused:
    return await signers.sign(leaf_template(serial), CSR, INTERMEDIATE)


def test_beyond_a_burst_workers_sign_the_same() -> None:
    async def body() -> None:
        workers = Workers(1, waiting=8, patience_s=60)
        signers = Signers(workers, lambda: 0.0, Rate(per_s=1, burst=1))
        try:
            assert await sign(signers) == await sign(signers)
            refused = await signers.sign(leaf_template(), "no CSR", INTERMEDIATE)
            assert isinstance(refused, CsrRefused)
        finally:
            workers.close()

    asyncio.run(body())


def test_without_workers_all_is_signed_here() -> None:
    async def body() -> None:
        signers = Signers(None, lambda: 0.0, Rate(per_s=1, burst=1))
        assert await sign(signers) == await sign(signers)

    asyncio.run(body())


def test_too_many_are_told_to_come_again() -> None:
    async def body() -> None:
        signers = Signers(Workers(1, waiting=0, patience_s=1), lambda: 0.0, Rate(per_s=1, burst=1))
        await sign(signers)
        with pytest.raises(StoreTemporary, match="wait already"):
            await sign(signers)

    asyncio.run(body())
