"""Keys from their issuers' web servers."""

from proa.adapters.token_keys.http.fetcher import HttpKeyFetcher

__all__ = ["HttpKeyFetcher"]
