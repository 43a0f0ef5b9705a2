"""HashiCorp Vault's PKI secrets engine, and what speaks its API (OpenBao)."""

from proa.adapters.upstream_authorities.vault.authority import VaultAccess, VaultAuthority

__all__ = ["VaultAccess", "VaultAuthority"]
