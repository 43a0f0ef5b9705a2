"""The last good keys in files."""

from proa.adapters.token_keys.disk.kept import KeysOnDisk

__all__ = ["KeysOnDisk"]
