"""Everything that control planes share, in etcd 3.4 or newer: configuration, tokens, leases, keys, membership."""

from proa.adapters.stores.etcd.address import BadStoreAddress, EtcdAccess, parse_store_address
from proa.adapters.stores.etcd.stores import EtcdStores, open_etcd_stores

__all__ = ["BadStoreAddress", "EtcdAccess", "EtcdStores", "open_etcd_stores", "parse_store_address"]
