import pytest

from proa.adapters.key_stores.memory import MemoryKeyStore
from tests.contracts.key_store import KeyStoreContract


class TestMemoryKeyStore(KeyStoreContract):
    @pytest.fixture
    def store(self) -> MemoryKeyStore:
        return MemoryKeyStore()
