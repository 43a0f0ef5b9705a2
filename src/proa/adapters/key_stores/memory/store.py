"""A KeyStore that forgets. Its one dictionary belongs to the store and changes without an await in between."""

from proa.ports.key_store import KeyEntry, checked_name


class MemoryKeyStore:
    """Keeps the contract of ports.key_store.KeyStore and never fails."""

    def __init__(self) -> None:
        self._entries: dict[str, KeyEntry] = {}

    async def load(self, name: str) -> KeyEntry | None:
        return self._entries.get(checked_name(name))

    async def create(self, name: str, entry: KeyEntry) -> KeyEntry:
        return self._entries.setdefault(checked_name(name), entry)

    async def replace(self, name: str, entry: KeyEntry) -> None:
        self._entries[checked_name(name)] = entry

    async def remove(self, name: str) -> bool:
        return self._entries.pop(checked_name(name), None) is not None

    async def names(self) -> tuple[str, ...]:
        return tuple(sorted(self._entries))
