"""Bundles from partners' bundle endpoints."""

from proa.adapters.trust_bundles.http.fetcher import HttpBundleFetcher

__all__ = ["HttpBundleFetcher"]
