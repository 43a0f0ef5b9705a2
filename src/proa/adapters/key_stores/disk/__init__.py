"""Keys as files of one directory, readable by their owner alone."""

from proa.adapters.key_stores.disk.store import DiskKeyStore, read_passphrase

__all__ = ["DiskKeyStore", "read_passphrase"]
