"""The KeyStore over one Secret: each entry is a key of its data, key and chain in one value.

All of it is one Secret so that the right to it can be given by name: `get` and `update` of this one, and `create` of
Secrets only where the operator does not make an empty one first. Every write is of the version that was read; who was
not first reads again. Of a write whose answer was lost nobody knows whether it happened: reading again tells.

Kubernetes keeps Secrets as readable as its own store is; who may read Secrets of the namespace has the mesh's keys.
"""

import asyncio
import base64
import binascii
import re
from collections.abc import Callable, Mapping
from typing import Final

import msgspec

from proa.adapters.key_stores.kubernetes.access import AnswerLost, Secret, SecretAccess, SecretApi
from proa.ports.failures import StorePermanent, StoreTemporary
from proa.ports.key_store import KeyEntry, checked_name

TRIES: Final = 20
SETTLE_S: Final = 10.0
"""For finding out what became of a write."""
RETRY_S: Final = 0.2
MAX_DATA: Final = 1 << 20
"""Bytes of a Secret, before base64."""
_ESCAPED: Final = re.compile(r"_([_.])")

Data = Mapping[str, str]
Edit = Callable[[Data], Data | None]
"""What the data should be; None when they are as they should be."""


class KubernetesKeyStore:
    """Keeps the contract of ports.key_store.KeyStore."""

    def __init__(self, access: SecretAccess) -> None:
        self._api = SecretApi(access)

    async def load(self, name: str) -> KeyEntry | None:
        return self._entry(await self._data(), checked_name(name))

    async def create(self, name: str, entry: KeyEntry) -> KeyEntry:
        key = _key_of(checked_name(name))
        data = await self._edit(lambda data: None if key in data else {**data, key: _value_of(entry)})
        kept = self._entry(data, name)
        assert kept is not None
        return kept

    async def replace(self, name: str, entry: KeyEntry) -> None:
        key, value = _key_of(checked_name(name)), _value_of(entry)
        await self._edit(lambda data: None if data.get(key) == value else {**data, key: value})

    async def remove(self, name: str) -> bool:
        key = _key_of(checked_name(name))
        if key not in await self._data():
            return False

        def without(data: Data) -> Data | None:
            return {each: value for each, value in data.items() if each != key} if key in data else None

        await self._edit(without)
        return True

    async def names(self) -> tuple[str, ...]:
        return tuple(sorted(_name_of(key) for key in await self._data()))

    async def adopt(self, entries: Mapping[str, KeyEntry]) -> bool:
        """Takes all of them over in one step if it holds none; False when it holds some."""
        values = {_key_of(checked_name(name)): _value_of(entry) for name, entry in entries.items()}
        return dict(await self._edit(lambda data: None if data else values)) == values

    async def _data(self) -> Data:
        found = await self._api.read()
        return found.data if found is not None else {}

    async def _edit(self, edit: Edit) -> Data:
        """The data when they are as they should be. What was done stays done, whoever's write it was."""
        give_up = asyncio.get_running_loop().time() + SETTLE_S
        for _ in range(TRIES):
            try:
                found = await self._api.read()
                before: Data = found.data if found is not None else {}
                after = edit(before)
                if after is None:
                    return before
                self._refuse_too_much(after)
                if await self._written(found, after) == "written":
                    return after
            except AnswerLost as error:
                if asyncio.get_running_loop().time() >= give_up:
                    raise StoreTemporary(
                        f"{error}; it is not known whether the change was made: look before trying again"
                    ) from error
                await asyncio.sleep(RETRY_S)
        raise StoreTemporary(f"{self._api.access}: others keep changing it")

    def _refuse_too_much(self, data: Data) -> None:
        if sum(len(value) * 3 // 4 for value in data.values()) > MAX_DATA:
            raise StorePermanent(f"{self._api.access}: a Secret holds no more than {MAX_DATA >> 20} MiB")

    async def _written(self, found: Secret | None, after: Data) -> str:
        return await (self._api.make(after) if found is None else self._api.write(found, after))

    def _entry(self, data: Data, name: str) -> KeyEntry | None:
        value = data.get(_key_of(name))
        if value is None:
            return None
        try:
            return msgspec.json.decode(base64.b64decode(value, validate=True), type=KeyEntry)
        except (binascii.Error, msgspec.DecodeError) as error:
            raise StorePermanent(f"{self._api.access}: entry {name!r} is no key of ours: {error}") from None


def _value_of(entry: KeyEntry) -> str:
    return base64.b64encode(msgspec.json.encode(entry)).decode()


def _key_of(name: str) -> str:
    """Keys of a Secret's data have letters, digits, dots, dashes and underscores: a slash is written `_.`, and an
    underscore twice."""
    return name.replace("_", "__").replace("/", "_.")


def _name_of(key: str) -> str:
    return _ESCAPED.sub(lambda found: "/" if found[1] == "." else "_", key)
