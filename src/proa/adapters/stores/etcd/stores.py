"""Opens an etcd and hands out the stores that live below its prefix."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

from proa.adapters.stores.etcd.address import EtcdAccess
from proa.adapters.stores.etcd.authority_store import EtcdAuthorityStore
from proa.adapters.stores.etcd.client import Etcd, opened
from proa.adapters.stores.etcd.config_store import EtcdConfigStore
from proa.adapters.stores.etcd.following import Bells
from proa.adapters.stores.etcd.key_store import EtcdKeyStore
from proa.adapters.stores.etcd.lease_store import EtcdLeaseStore
from proa.adapters.stores.etcd.membership import EtcdMembership
from proa.adapters.stores.etcd.schema import migrate
from proa.adapters.stores.etcd.sealing import read_seal_key
from proa.adapters.stores.etcd.sweeping import Sweeper
from proa.adapters.stores.etcd.token_keys import EtcdTokenKeys
from proa.ports.membership import Member
from proa.ports.store_backup import Backup, BackupRefused
from proa.runtime.supervise import Supervisor


class EtcdBackups:
    """Keeps the contract of ports.store_backup.StoreBackups by saying whose work it is: a copy of one prefix would not
    be a store that can be put in etcd's place."""

    def __init__(self, label: str) -> None:
        self._label = label

    async def backup(self, file: Path, now: float) -> Backup | BackupRefused:
        return BackupRefused(
            reason=f"the store is {self._label}: `etcdctl snapshot save {file}` copies it; keep the seal key apart"
        )


class EtcdStores:
    """All are valid until the `open_etcd_stores` block ends."""

    def __init__(self, etcd: Etcd, bells: Bells) -> None:
        self._etcd = etcd
        self._bells = bells
        self.config = EtcdConfigStore(etcd, bells)
        self.authority = EtcdAuthorityStore(etcd, bells)
        self.leases = EtcdLeaseStore(etcd, bells)
        self.token_keys = EtcdTokenKeys(etcd, bells)
        self.backups = EtcdBackups(etcd.label)
        self._sweeper = Sweeper(etcd)

    @property
    def revision(self) -> int:
        """The newest revision of etcd that was heard of: grows with every change by anybody."""
        return self._etcd.revision

    def keys(self, seal_key: Path) -> EtcdKeyStore:
        """Sealed with the file's key. Raises StorePermanent."""
        return EtcdKeyStore(self._etcd, read_seal_key(seal_key))

    def membership(
        self, me: Member, clock: Callable[[], float], monotonic: Callable[[], float]
    ) -> EtcdMembership:
        return EtcdMembership(self._etcd, self._bells, me, clock, monotonic)

    async def sweep(self) -> int:
        """Removes what interrupted writers left. For the leader. Raises StoreTemporary."""
        return await self._sweeper.sweep()


@asynccontextmanager
async def open_etcd_stores(access: EtcdAccess) -> AsyncIterator[EtcdStores]:
    """The stores below the prefix, brought to this program's schema. Leaving ends every watch.

    Raises StoreTemporary or StorePermanent when etcd cannot be used.
    """
    async with opened(access) as etcd:
        await migrate(etcd)
        bells = Bells(etcd)
        async with Supervisor() as tasks:
            tasks.keep("etcd watch", bells.run())
            try:
                yield EtcdStores(etcd, bells)
            finally:
                bells.close()
                tasks.stop()
