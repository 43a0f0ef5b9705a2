"""SPIRE: a CA below the SPIRE server's, as nested SPIRE servers get theirs."""

from proa.adapters.upstream_authorities.spire.authority import SpireAccess, SpireAuthority

__all__ = ["SpireAccess", "SpireAuthority"]
