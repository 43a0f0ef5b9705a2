"""Parts of large values that nobody points at: what a control plane left that ended in the middle of writing.

Which ones they are is certain and needs no waiting: an entry of the log is made once, so parts for an entry that is
there with other parts, or without any, are nobody's; so are parts of a lease that is not there any more or has another
value since, once they are older than any write can take. Called by the leader, now and then.
"""

from typing import Final

from proa.adapters.stores.etcd.blobs import PARTS, decoded, owner_of_part
from proa.adapters.stores.etcd.client import Etcd
from proa.adapters.stores.etcd.config_store import LOG
from proa.adapters.stores.etcd.wire import DeleteKey, Range

MOST_AT_ONCE: Final = 100


class Sweeper:
    """Remembers what looked left over: what is not of the log goes only when it still does at the next look."""

    def __init__(self, etcd: Etcd) -> None:
        self._etcd = etcd
        self._suspects: frozenset[str] = frozenset()

    async def sweep(self) -> int:
        """How many parts went. Raises StoreTemporary."""
        found = await self._etcd.all_of(PARTS, keys_only=True)
        owners: dict[str, str] = {}
        gone: list[str] = []
        suspects: set[str] = set()
        for each in found.values:
            owner, nonce = owner_of_part(each.key)
            if owner not in owners:
                owners[owner] = await self._nonce_of(owner)
            if owners[owner] == nonce or (owner.startswith(LOG) and not owners[owner]):
                continue
            if owner.startswith(LOG) or each.key in self._suspects:
                gone.append(each.key)
            else:
                suspects.add(each.key)
        self._suspects = frozenset(suspects)
        for at in range(0, len(gone), MOST_AT_ONCE):
            await self._etcd.commit((), tuple(DeleteKey(key=key) for key in gone[at : at + MOST_AT_ONCE]))
        return len(gone)

    async def _nonce_of(self, owner: str) -> str:
        """Of the value that stands there; empty without one."""
        kept = (await self._etcd.find(Range(key=owner))).values
        return decoded(owner, kept[0].value).nonce if kept else ""
