"""Keys in memory, gone with the process: for tests and for meshes that last a minute."""

from proa.adapters.key_stores.memory.store import MemoryKeyStore

__all__ = ["MemoryKeyStore"]
