"""The mesh's store in one file, `store.db`: applied configuration, and what the authority remembers."""

from proa.adapters.config_sources.sqlite.stores import Stores, open_stores

__all__ = ["Stores", "open_stores"]
