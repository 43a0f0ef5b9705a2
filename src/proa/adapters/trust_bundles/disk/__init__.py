"""The last good bundles in files."""

from proa.adapters.trust_bundles.disk.kept import BundlesOnDisk

__all__ = ["BundlesOnDisk"]
