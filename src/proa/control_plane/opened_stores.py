"""Opens what a control plane keeps, in the home or in an etcd that it shares with others. Composition only.

Called by `control_plane.run`, which sees no difference but this: with a shared store there may be other control planes.
"""

import logging
import secrets
import socket
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import msgspec

from proa import __version__
from proa.adapters.config_sources.sqlite import open_stores
from proa.adapters.key_stores.disk import DiskKeyStore, read_passphrase
from proa.adapters.key_stores.kubernetes import KubernetesKeyStore, SecretAccess
from proa.adapters.stores.etcd import EtcdStores, open_etcd_stores
from proa.adapters.stores.etcd.key_store import EtcdKeyStore
from proa.adapters.stores.etcd.membership import EtcdMembership
from proa.adapters.token_keys.disk import KeysOnDisk
from proa.control_plane.options import SharedStore
from proa.home import Home
from proa.ports.authority_store import AuthorityStore
from proa.ports.config_store import ConfigStore
from proa.ports.failures import StoreTemporary
from proa.ports.key_store import KeyStore
from proa.ports.lease_store import LeaseStore, SharedLeaseStore
from proa.ports.membership import Member
from proa.ports.store_backup import StoreBackups
from proa.ports.token_keys import KeptKeys
from proa.runtime.polling import sleep_until

SWEEP_S = 600.0
"""How often the leader looks for what interrupted writers left in the store."""

log = logging.getLogger("proa.control_plane")


class Sharing:
    """What a control plane does because it has others beside it. `name` is of this life of it."""

    def __init__(self, stores: EtcdStores, keys: EtcdKeyStore) -> None:
        self.name = f"{socket.gethostname()[:40]}-{secrets.token_hex(4)}"
        self._stores = stores
        self._keys = keys
        self._membership: EtcdMembership | None = None
        self._newest = 0

    @property
    def leases(self) -> SharedLeaseStore:
        return self._stores.leases

    def leads(self) -> bool:
        return self._membership is not None and self._membership.leads

    def stamp(self) -> int:
        """Grows with every call here, and past every stamp of others that we can have seen."""
        self._newest = max(self._newest + 1, self._stores.revision)
        return self._newest

    def introduce(self, xds: str, join: str) -> EtcdMembership:
        """The membership of this control plane, once it is known where it is reached. From then on keys are replaced by
        the leader alone."""
        me = Member(name=self.name, xds=xds, join=join, version=__version__)
        membership = self._membership = self._stores.membership(me, time.time, time.monotonic)
        self._keys.fenced_by(lambda: membership.fence)
        return membership

    async def keep_swept(self) -> None:
        """Until cancelled."""
        while True:
            await sleep_until(time.monotonic, time.monotonic() + SWEEP_S, SWEEP_S)
            try:
                if self.leads() and (swept := await self._stores.sweep()):
                    log.info("%d parts of values that were never finished are gone from the store", swept)
            except StoreTemporary as error:
                log.warning("the store is swept later: %s", error)


class OpenedStores(msgspec.Struct, frozen=True, kw_only=True):
    """`stamp` numbers claims (see `Registrations`). `sharing` is None where this control plane is the only one."""

    config: ConfigStore
    authority: AuthorityStore
    leases: LeaseStore
    backups: StoreBackups
    keys: KeyStore
    token_keys: KeptKeys
    stamp: Callable[[], int]
    sharing: Sharing | None = None


@asynccontextmanager
async def opened_stores(
    home: Home,
    shared: SharedStore | None,
    passphrase: Path | None = None,
    secret: SecretAccess | None = None,
) -> AsyncIterator[OpenedStores]:
    """With the file of a `passphrase` the CA's keys in the home are encrypted; with a `secret` of Kubernetes they are
    there instead. Raises StoreTemporary or StorePermanent when they cannot be used. Leaving ends every watch."""
    if shared is None:
        async with open_stores(home.store) as local:
            yield OpenedStores(
                config=local.config,
                authority=local.authority,
                leases=local.leases,
                backups=local.backups,
                keys=await _local_keys(home, passphrase, secret),
                token_keys=KeysOnDisk(home.token_keys_dir),
                stamp=lambda: time.time_ns() // 1000,
            )
        return
    async with open_etcd_stores(shared.access) as stores:
        keys = stores.keys(shared.seal_key)
        sharing = Sharing(stores, keys)
        yield OpenedStores(
            config=stores.config,
            authority=stores.authority,
            leases=stores.leases,
            backups=stores.backups,
            keys=keys,
            token_keys=stores.token_keys,
            stamp=sharing.stamp,
            sharing=sharing,
        )


async def _local_keys(home: Home, passphrase: Path | None, secret: SecretAccess | None) -> KeyStore:
    """Keys that are in the home move into an empty Secret: a root that everybody trusts is not replaced by a flag."""
    disk = DiskKeyStore(home.ca_dir, read_passphrase(passphrase) if passphrase else None)
    if secret is None:
        return disk
    keys = KubernetesKeyStore(secret)
    if await keys.names():
        return keys
    found = {name: entry for name in await disk.names() if (entry := await disk.load(name)) is not None}
    if found and await keys.adopt(found):
        log.warning(
            "the CA's keys are in %s from now on: take those in %s away, they are not read again",
            secret,
            home.ca_dir,
        )
    return keys
