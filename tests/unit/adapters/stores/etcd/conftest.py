"""One real etcd for the folder; every test has a prefix of its own."""

import itertools
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager

import pytest

from proa.adapters.stores.etcd import EtcdStores, open_etcd_stores, parse_store_address
from tests.etcd_process import EtcdProcess, why_no_etcd

_NUMBERS = itertools.count(1)
Open = Callable[[], AbstractAsyncContextManager[EtcdStores]]


@pytest.fixture(scope="session")
def etcd() -> Iterator[EtcdProcess]:
    if reason := why_no_etcd():
        pytest.skip(reason)
    with EtcdProcess() as process:
        yield process


@pytest.fixture
def address(etcd: EtcdProcess) -> str:
    return etcd.address(f"test/{next(_NUMBERS)}")


@pytest.fixture
def open_shared(address: str) -> Open:
    """Each opening is one more control plane's."""

    @asynccontextmanager
    async def opened() -> AsyncIterator[EtcdStores]:
        async with open_etcd_stores(parse_store_address(address)) as stores:
            yield stores

    return opened
